"""Data set folders: read as written; each thing that does not belong together is named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hloc_lite.datasets.cards import read_card
from hloc_lite.datasets.dataset_folder import read_dataset_folder
from hloc_lite.errors import FormatError
from hloc_lite.formats.colmap import write_model
from hloc_lite.formats.hloc_lists import write_poses, write_queries
from hloc_lite.geometry.rotations import exp_so3
from hloc_lite.io.dataset_layout import DatasetLayout
from hloc_lite.io.files import write_text_atomic
from hloc_lite.scene import SfmImage, SfmModel
from hloc_lite.types import Camera, Rigid3

CAMERA = Camera("PINHOLE", 64, 48, np.array([60.0, 60.0, 32.0, 24.0]))
MAP_IMAGES = ("map/a.jpg", "map/b 1.jpg")
QUERIES = {"day": ("query/day/é.jpg", "query/day/y.jpg"), "night": ("query/night/x.jpg",)}
POSES = {
    name: Rigid3(exp_so3([0.1 * row, 0.2, 0.3]), np.array([row, 1.0, 2.0]))
    for row, name in enumerate((*MAP_IMAGES, *QUERIES["day"], *QUERIES["night"]))
}


def sfm_model() -> SfmModel:
    """Cameras and poses of the map images, no points."""
    images = tuple(
        SfmImage(row, name, 1, POSES[name], np.zeros((0, 2)), np.zeros(0, np.int64))
        for row, name in enumerate(MAP_IMAGES, start=1)
    )
    empty = np.zeros((0, 3))
    return SfmModel(
        {1: CAMERA}, images, np.zeros(0, np.int64), empty, empty.astype(np.uint8), np.zeros(0)
    )


@pytest.fixture
def layout(tmp_path: Path) -> DatasetLayout:
    """A data set with two map images and two conditions; its photos are empty files."""
    layout = DatasetLayout(tmp_path / "case")
    for name in POSES:
        (layout.images / name).parent.mkdir(parents=True, exist_ok=True)
        (layout.images / name).touch()
    write_text_atomic(layout.map_images, "".join(f"{name}\n" for name in MAP_IMAGES))
    write_model(layout.model, sfm_model())
    for condition, names in QUERIES.items():
        write_queries(layout.queries(condition), dict.fromkeys(names, CAMERA))
        write_poses(layout.ground_truth(condition), {name: POSES[name] for name in names})
    return layout


def test_a_folder_is_read_as_written(layout: DatasetLayout) -> None:
    dataset = read_dataset_folder(layout.root)
    assert (dataset.name, dataset.image_folder) == ("case", layout.images)
    assert dataset.map_image_names == MAP_IMAGES
    assert dataset.reference is not None
    assert [image.name for image in dataset.reference.images] == list(MAP_IMAGES)
    assert {key: tuple(value) for key, value in dataset.queries.items()} == QUERIES
    assert dataset.query_names == (*QUERIES["day"], *QUERIES["night"])
    first = [query.name for query in dataset.iter_queries(limit=1)]
    assert first == [QUERIES["day"][0], QUERIES["night"][0]]
    for query in dataset.iter_queries():
        assert query.name in QUERIES[query.condition]
        assert (query.camera.model, query.camera.width) == ("PINHOLE", 64)
        assert query.cam_from_world is not None
        np.testing.assert_allclose(query.cam_from_world.rotation, POSES[query.name].rotation)
        np.testing.assert_array_equal(
            query.cam_from_world.translation, POSES[query.name].translation
        )
    assert dataset.unit_length is dataset.label_folder is dataset.depth_folder is None
    assert (dataset.thresholds, dataset.licence) == ((), "")


def test_optional_parts(layout: DatasetLayout) -> None:
    layout.depth.mkdir()
    layout.labels.mkdir()
    layout.unit_length.write_text("3.5\n")
    dataset = read_dataset_folder(layout.root)
    assert dataset.unit_length == 3.5
    assert (dataset.label_folder, dataset.depth_folder) == (layout.labels, layout.depth)


def test_a_card_gives_name_thresholds_and_order_of_conditions(layout: DatasetLayout) -> None:
    layout.queries("night").rename(layout.queries("changed"))
    layout.ground_truth("night").rename(layout.ground_truth("changed"))
    card = read_card("town")
    dataset = read_dataset_folder(layout.root, card)
    assert list(dataset.queries) == ["day", "changed"]
    assert list(read_dataset_folder(layout.root).queries) == ["changed", "day"]
    assert (dataset.name, dataset.licence) == ("town", card.licence)
    assert dataset.thresholds == ("0.25m,2deg", "0.5m,5deg", "5m,10deg")


def test_a_folder_may_lack_model_and_true_poses(layout: DatasetLayout) -> None:
    for path in [*layout.model.iterdir(), layout.ground_truth("night")]:
        path.unlink()
    layout.model.rmdir()
    dataset = read_dataset_folder(layout.root)
    assert dataset.reference is None
    assert list(dataset.ground_truth) == ["day"]
    truth = {query.name: query.cam_from_world for query in dataset.iter_queries()}
    assert truth["query/night/x.jpg"] is None


def test_one_list_of_all_queries(layout: DatasetLayout) -> None:
    for path in (layout.queries("night"), layout.ground_truth("night")):
        path.unlink()
    layout.queries("day").rename(layout.queries())
    layout.ground_truth("day").rename(layout.ground_truth())
    dataset = read_dataset_folder(layout.root)
    assert {key: tuple(value) for key, value in dataset.queries.items()} == {"all": QUERIES["day"]}
    assert list(dataset.ground_truth) == ["all"]


def test_a_folder_of_photos_only(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "b.jpg").touch()
    (tmp_path / "images" / "a.jpg").touch()
    dataset = read_dataset_folder(tmp_path)
    assert dataset.map_image_names == ("a.jpg", "b.jpg")
    assert dataset.reference is None and not dataset.queries and not dataset.ground_truth


def error_of(root: Path) -> str:
    with pytest.raises(FormatError) as caught:
        read_dataset_folder(root)
    return str(caught.value)


def test_wrong_folders(tmp_path: Path) -> None:
    assert "no is not a folder: expected a data set with images/" in error_of(tmp_path / "no")
    assert "has no folder images/: expected a data set with images/" in error_of(tmp_path)


@pytest.mark.parametrize("name", [MAP_IMAGES[0], QUERIES["day"][0], QUERIES["night"][0]])
def test_missing_images_are_named(layout: DatasetLayout, name: str) -> None:
    (layout.images / name).unlink()
    message = error_of(layout.root)
    assert f"first: {name!r}" in message
    count = "1 of 1" if "night" in name else "1 of 2"
    assert f"{count} names in {layout.root}" in message


def test_only_the_first_missing_names_are_quoted(layout: DatasetLayout) -> None:
    layout.map_images.write_text("".join(f"map/{row}.jpg\n" for row in range(9)))
    message = error_of(layout.root)
    assert "9 of 9 names in" in message
    assert "first: 'map/0.jpg', 'map/1.jpg', 'map/2.jpg'. Names" in message


@pytest.mark.parametrize("name", ["../a.jpg", "/a.jpg"])
def test_names_that_lead_out_of_the_image_folder(layout: DatasetLayout, name: str) -> None:
    layout.map_images.write_text(f"{name}\n")
    assert f"map_images.txt, line 1: image name {name!r} leaves the image folder" in error_of(
        layout.root
    )


def test_too_long_names_are_missing(layout: DatasetLayout) -> None:
    layout.map_images.write_text("a" * 300 + "\n")
    assert "1 of 1 names in" in error_of(layout.root)


def test_map_images_without_a_pose(layout: DatasetLayout) -> None:
    layout.map_images.write_text(f"{MAP_IMAGES[0]}\n{QUERIES['day'][1]}\n")
    message = error_of(layout.root)
    assert f"1 of 2 names in {layout.map_images} are not in the model {layout.model}" in message
    assert "first: 'query/day/y.jpg'" in message


def test_missing_and_empty_list_of_map_images(layout: DatasetLayout) -> None:
    layout.map_images.write_text("# none\n")
    assert "map_images.txt is empty" in error_of(layout.root)
    layout.map_images.unlink()
    assert "map_images.txt does not exist" in error_of(layout.root)


def test_damaged_model(layout: DatasetLayout) -> None:
    (layout.model / "images.bin").unlink()
    assert "model has no COLMAP model" in error_of(layout.root)


def test_true_poses_must_be_those_of_the_queries(layout: DatasetLayout) -> None:
    path = layout.ground_truth("day")
    write_poses(path, {"query/day/y.jpg": POSES["query/day/y.jpg"]})
    assert (
        f"1 of 2 queries of queries_day.txt are not in {path}, first: 'query/day/é.jpg'"
    ) in error_of(layout.root)
    write_poses(path, {name: POSES[name] for name in (*QUERIES["day"], *QUERIES["night"])})
    assert (
        f"1 of 3 names in {path} are not queries of queries_day.txt, first: 'query/night/x.jpg'"
    ) in error_of(layout.root)


def test_true_poses_without_queries(layout: DatasetLayout) -> None:
    layout.queries("night").unlink()
    assert "gt_night.txt has no query list: expected queries_night.txt" in error_of(layout.root)


def test_one_list_beside_lists_of_conditions(layout: DatasetLayout) -> None:
    layout.queries().write_text("")
    assert "both queries.txt and queries_day.txt: expected one file for" in error_of(layout.root)


def test_conditions_that_the_card_does_not_know(layout: DatasetLayout) -> None:
    layout.queries("night").rename(layout.queries("rain"))
    with pytest.raises(FormatError, match="condition 'rain'; the card of 'town' knows day, night"):
        read_dataset_folder(layout.root, read_card("town"))


@pytest.mark.parametrize("text", ["", "long", "0", "-1", "inf", "nan", "1 2"])
def test_unit_lengths(layout: DatasetLayout, text: str) -> None:
    layout.unit_length.write_text(text)
    assert f"unit.txt: expected one length above zero, got {text!r}" in error_of(layout.root)
