"""Folders of one's own: data set folders, pairs of kaptures, folders of hloc's recipes."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from hloc_lite.datasets.cards import read_card
from hloc_lite.datasets.dataset import Dataset
from hloc_lite.datasets.layouts import eth_microsoft
from hloc_lite.datasets.layouts.custom import read, write
from hloc_lite.errors import FormatError
from hloc_lite.formats.colmap import write_model
from hloc_lite.formats.hloc_lists import write_poses, write_queries
from tests.datasets.layouts.made_dataset import (
    PINHOLE,
    RADIAL,
    assert_complete,
    assert_same_camera,
    assert_same_pose,
    loose_card,
    made_dataset,
    true_poses,
)


@pytest.fixture
def original(tmp_path: Path) -> Dataset:
    return made_dataset(tmp_path / "made", (RADIAL, PINHOLE))


@pytest.fixture
def recipe(tmp_path: Path, original: Dataset) -> Path:
    """Folder as hloc's recipes leave it: images, sfm model, query lists."""
    root = tmp_path / "recipe"
    shutil.copytree(original.image_folder, root / "images" / "images_upright")
    assert original.reference is not None
    write_model(root / "3D-models" / "mine", original.reference)
    for key in ("day", "night"):
        path = root / "queries" / f"{key}_time_queries_with_intrinsics.txt"
        write_queries(path, original.queries[key])
    return root


def test_written_and_read(tmp_path: Path, original: Dataset) -> None:
    names = write(original, tmp_path / "out")
    assert_complete(tmp_path / "out", loose_card("town"))
    (part,) = read(tmp_path / "out", read_card("town"))
    assert names == {name: name for name in true_poses(original)}
    assert list(part.queries) == ["day", "night", "changed"]
    found = true_poses(part)
    assert set(found) == set(names)
    for name, pose in true_poses(original).items():
        assert_same_pose(found[name], pose)
    for key, listed in original.queries.items():
        for name, camera in listed.items():
            assert_same_camera(part.queries[key][name], camera)
    assert (read(tmp_path / "out")[0]).name == "out"


def test_queries_without_truth(tmp_path: Path) -> None:
    original = made_dataset(tmp_path / "made", ground_truth={})
    write(original, tmp_path / "out")
    (part,) = read(tmp_path / "out")
    assert not part.ground_truth and len(part.query_names) == 17


def test_two_kaptures(tmp_path: Path, original: Dataset) -> None:
    names = eth_microsoft.write(original, tmp_path)
    root = tmp_path / eth_microsoft.TREE
    (part,) = read(root)
    assert part.name == eth_microsoft.TREE
    assert list(part.queries) == ["query"] and not part.ground_truth
    back = {new.removeprefix(f"{eth_microsoft.TREE}/"): old for old, new in names.items()}
    truth = true_poses(original)
    for name, pose in true_poses(part).items():
        assert_same_pose(pose, truth[back[name]])
    shutil.rmtree(root / "query")
    with pytest.raises(FormatError, match="has the kapture of a map, but none of queries"):
        read(root)


def test_a_kapture_of_queries_with_poses(tmp_path: Path, original: Dataset) -> None:
    eth_microsoft.write(original, tmp_path)
    root = tmp_path / eth_microsoft.TREE
    shutil.rmtree(root / "query")
    shutil.copytree(root / "mapping", root / "validation")
    (part,) = read(root)
    assert set(part.ground_truth["validation"]) == set(part.queries["validation"])


def test_a_recipe_of_hloc(recipe: Path, original: Dataset) -> None:
    (part,) = read(recipe)
    assert part.image_folder == recipe / "images" / "images_upright"
    assert part.map_image_names == original.map_image_names
    assert {key: list(each) for key, each in part.queries.items()} == {
        key: list(original.queries[key]) for key in ("day", "night")
    }
    assert not part.ground_truth
    write_poses(recipe / "queries" / "gt_night.txt", original.ground_truth["night"])
    (part,) = read(recipe)
    assert list(part.ground_truth) == ["night"]
    assert_same_pose(
        part.ground_truth["night"]["query/night/0001.jpg"],
        original.ground_truth["night"]["query/night/0001.jpg"],
    )
    some = dict(list(original.ground_truth["night"].items())[:1])
    write_poses(recipe / "queries" / "gt_night.txt", some)
    with pytest.raises(FormatError, match="2 of its 3 queries have no pose"):
        read(recipe)


def test_a_recipe_with_one_list(recipe: Path, original: Dataset) -> None:
    shutil.rmtree(recipe / "queries")
    write_queries(recipe / "queries.txt", original.queries["day"])
    assert list(read(recipe)[0].queries) == ["all"]


def test_damaged_folders(recipe: Path, tmp_path: Path) -> None:
    (recipe / "images" / "images_upright" / "query" / "night" / "0002.jpg").unlink()
    with pytest.raises(FormatError, match="1 of 3 queries of night are not below"):
        read(recipe)
    shutil.rmtree(recipe / "queries")
    with pytest.raises(FormatError, match="has a COLMAP model, but no query list: expected"):
        read(recipe)
    (tmp_path / "empty").mkdir()
    with pytest.raises(FormatError, match="is no data set: expected images/"):
        read(tmp_path / "empty")
