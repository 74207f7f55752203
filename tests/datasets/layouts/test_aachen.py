"""Aachen Day-Night, both versions: written and read back; each trap; damaged folders."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from hloc_lite.datasets.cards import Card, read_card
from hloc_lite.datasets.dataset import Dataset
from hloc_lite.datasets.layouts import aachen, aachen_v1_1
from hloc_lite.datasets.layouts.map_reading import nvm_cameras
from hloc_lite.datasets.layouts.map_writing import write_nvm_layout
from hloc_lite.errors import FormatError
from hloc_lite.formats.colmap import write_model
from hloc_lite.formats.colmap.database import read_database_images
from hloc_lite.formats.hloc_lists import write_queries
from hloc_lite.formats.posed_images import posed_model
from hloc_lite.types import Rigid3
from tests.datasets.layouts.tiny_dataset import (
    check_alike,
    check_cameras,
    check_changes,
    check_complete,
    check_map,
    check_true_submission,
    loose_card,
    tiny_dataset,
    without_points,
)

LAYOUTS = {"aachen": aachen, "aachen-v1.1": aachen_v1_1}
DAY = "queries/day_time_queries_with_intrinsics.txt"
Case = tuple[Path, Dataset, dict[str, str], Card, ModuleType]


@pytest.fixture(params=sorted(LAYOUTS))
def case(request: pytest.FixtureRequest, tmp_path: Path) -> Case:
    """A written folder, its source, names, card and module."""
    module = LAYOUTS[request.param]
    source = tiny_dataset(tmp_path / "tiny")
    root = tmp_path / "root"
    return root, source, module.write(source, root), loose_card(request.param), module


@pytest.fixture
def first(tmp_path: Path) -> tuple[Path, Card]:
    """A written folder of v1.0, and its card."""
    aachen.write(tiny_dataset(tmp_path / "tiny"), tmp_path / "root")
    return tmp_path / "root", loose_card("aachen")


def test_a_written_folder_is_complete_and_read_back(case: Case, tmp_path: Path) -> None:
    root, source, names, card, module = case
    check_complete(root, card)
    (found,) = module.read(root, card)
    assert (found.name, found.thresholds) == (card.name, card.thresholds)
    check_map(found, source, names)
    check_cameras(found, source, names)
    assert {key: len(value) for key, value in found.queries.items()} == {"day": 3, "night": 2}
    assert set(found.query_names) == {names[name] for name in source.query_names}
    assert found.ground_truth == {}
    check_true_submission(found, source, names, card.name, tmp_path)


def test_a_map_without_points(tmp_path: Path) -> None:
    source = without_points(tiny_dataset(tmp_path / "tiny"))
    for name, module in LAYOUTS.items():
        names = module.write(source, tmp_path / name)
        (found,) = module.read(tmp_path / name, loose_card(name))
        check_map(found, source, names, has_points=False)
        check_cameras(found, source, names)


def test_conditions_without_a_place_are_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    source = tiny_dataset(tmp_path / "tiny", conditions={"day": 2, "night": 1, "changed": 2})
    names = aachen.write(source, tmp_path / "root")
    assert "2 queries of the condition changed left out" in caplog.text
    assert not any("changed" in name for name in names)
    (found,) = aachen.read(tmp_path / "root", loose_card("aachen"))
    assert len(found.query_names) == 3


def test_photos_that_no_list_names_are_no_queries(case: Case) -> None:
    root, _, names, card, module = case
    images = root / module.IMAGE_FOLDERS[0]
    photo = images / next(iter(names.values()))
    for name in ("db/9999.jpg", "query/night/milestone/IMG_1.jpg"):
        (images / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(photo, images / name)
    (found,) = module.read(root, card)
    assert "query/night/milestone/IMG_1.jpg" not in found.query_names
    assert "db/9999.jpg" not in found.map_image_names
    assert any("the query lists do not name them" in note for note in found.notes)
    assert any("which is normal" in note and "db/9999.jpg" in note for note in found.notes)


@pytest.mark.parametrize("place", ["images/images_upright", "images_upright"])
def test_both_places_of_the_images(case: Case, place: str) -> None:
    root, source, names, card, module = case
    if not (root / place).is_dir():
        (root / place).parent.mkdir(parents=True, exist_ok=True)
        (root / module.IMAGE_FOLDERS[0]).rename(root / place)
    (found,) = module.read(root, card)
    assert found.image_folder == root / place
    check_map(found, source, names)
    check_complete(root, card)


def test_intrinsics_of_the_nvm_model_are_not_used(first: tuple[Path, Card]) -> None:
    root, card = first
    (before,) = aachen.read(root, card)
    path = root / aachen.MODEL
    lines = path.read_text().split("\n")
    for row in range(3, 8):
        words = lines[row].split()
        lines[row] = " ".join([words[0], "47.5", *words[2:-2], "0.3", "0"])
    path.write_text("\n".join(lines))
    (after,) = aachen.read(root, card)
    assert before.reference is not None and after.reference is not None
    for one, other in zip(before.reference.images, after.reference.images, strict=True):
        check_alike(
            after.reference.cameras[other.camera_id], before.reference.cameras[one.camera_id]
        )


def test_centres_and_tracks_of_a_hand_written_model(first: tuple[Path, Card]) -> None:
    """World to camera is a turn by 90 degrees about z; x = R (X - C)."""
    root, card = first
    images = root / aachen.IMAGE_FOLDERS[0] / "db"
    shutil.copy(images / "1.jpg", images / "a b.jpg")
    (root / aachen.MODEL).write_text(
        "NVM_V3 \n\n2\n"
        "db/1.jpg\t60 0.7071067811865476 0 0 0.7071067811865476 1 2 3 0 0\n"
        "db/a b.jpg 60 1 0 0 0 0 0 0 0 0\n"
        "\n1\n0 0 10 1 2 3 2 0 7 17.142857142857142 -8.571428571428571 1 0 0 0\n\n0\n"
    )
    (root / aachen.INTRINSICS).write_text(
        "db/a b.jpg SIMPLE_RADIAL 64 48 60 32 24 0\ndb/1.jpg SIMPLE_RADIAL 64 48 60 32 24 0\n"
    )
    (found,) = aachen.read(root, card)
    assert found.map_image_names == ("db/1.jpg", "db/a b.jpg")
    assert found.reference is not None
    image = found.reference.images[0]
    np.testing.assert_allclose(image.cam_from_world.center, [1, 2, 3], atol=1e-12)
    np.testing.assert_allclose(image.cam_from_world.apply(np.array([2.0, 2, 3])), [0, 1, 0],
                               atol=1e-12)  # fmt: skip
    # the point is (2, -1, 7) in the first camera: 60 * 2 / 7 right of the centre
    assert image.keypoints is not None
    np.testing.assert_allclose(image.keypoints[0], [32 + 120 / 7, 24 - 60 / 7])


def test_ids_of_the_database(first: tuple[Path, Card]) -> None:
    root, card = first
    (found,) = aachen.read(root, card)
    ids = read_database_images(root / aachen.DATABASE).image_ids
    assert found.reference is not None
    assert {each.name: each.image_id for each in found.reference.images} == {
        name: ids[name] for name in found.map_image_names
    }
    (root / aachen.DATABASE).unlink()
    assert aachen.read(root, card)[0].map_image_names == found.map_image_names


def test_images_in_two_places(tmp_path: Path) -> None:
    source = tiny_dataset(tmp_path / "tiny")
    root, card = tmp_path / "root", loose_card("aachen-v1.1")
    aachen_v1_1.write(source, root)
    other = root / "images/images_upright"
    shutil.copytree(root / "images_upright", other)
    assert aachen_v1_1.read(root, card)[0].image_folder == root / "images_upright"
    shutil.rmtree(root / "images_upright/db")
    assert aachen_v1_1.read(root, card)[0].image_folder == other
    shutil.rmtree(other / "sequences")
    with pytest.raises(FormatError, match=r"the images are divided: .*Copy the second folder"):
        aachen_v1_1.read(root, card)


@pytest.mark.parametrize("place", aachen_v1_1.INTRINSICS)
def test_the_nvm_model_of_the_second_version(tmp_path: Path, place: str) -> None:
    source = tiny_dataset(tmp_path / "tiny")
    root, card = tmp_path / "root", loose_card("aachen-v1.1")
    names = aachen_v1_1.write(source, root)
    (colmap,) = aachen_v1_1.read(root, card)
    assert colmap.reference is not None
    shutil.rmtree(root / aachen_v1_1.MODEL)
    write_nvm_layout(root / aachen_v1_1.NVM, colmap.reference)
    lines = []
    for image in colmap.reference.images:
        camera = colmap.reference.cameras[image.camera_id]
        numbers = " ".join(map(repr, camera.params.tolist()))
        lines.append(f"{image.name} {camera.model} {camera.width} {camera.height} {numbers}\n")
    (root / place).write_text("".join(lines))
    (found,) = aachen_v1_1.read(root, card)
    check_map(found, source, names)
    check_cameras(found, source, names)
    check_complete(root, card)


def test_missing_files_are_named(case: Case) -> None:
    root, _, _, card, module = case
    for path in sorted(root.rglob("*")):
        if path.is_dir() or path.name in ("aachen.db", "points3D.bin"):
            continue
        content = path.read_bytes()
        path.unlink()
        with pytest.raises(FormatError) as caught:
            module.read(root, card)
        assert str(root) in str(caught.value)
        path.write_bytes(content)
    module.read(root, card)


def test_a_list_that_is_cut_off(first: tuple[Path, Card]) -> None:
    root, card = first
    path = root / aachen.INTRINSICS
    path.write_text("\n".join(path.read_text().split("\n")[:2]))
    with pytest.raises(FormatError, match=r"3 of 5 images of .*nvm are not in .*cut off"):
        aachen.read(root, card)


def test_queries_of_one_file_name(first: tuple[Path, Card]) -> None:
    root, card = first
    path = root / DAY
    line = path.read_text().split("\n")[0]
    path.write_text(f"{line}\n{line.replace('milestone', 'nexus4')}\n")
    with pytest.raises(FormatError, match="have the same file name"):
        aachen.read(root, card)


def test_folders_of_something_else(tmp_path: Path) -> None:
    for name, module in LAYOUTS.items():
        with pytest.raises(FormatError, match="hloc-lite dataset check"):
            module.read(tmp_path, read_card(name))


@pytest.mark.parametrize("text", ["", "NVM_V3\n", "NVM_V3\n\n-1\n", "NVM_V3\n\n99999999999\n", "x"])
def test_damaged_heads_of_models(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.nvm"
    path.write_text(text)
    try:
        assert nvm_cameras(path) == ()
    except FormatError as error:
        assert str(path) in str(error)


def test_data_sets_that_cannot_be_written(tmp_path: Path) -> None:
    source = tiny_dataset(tmp_path / "tiny", conditions={"rain": 1})
    with pytest.raises(FormatError, match="expected a condition among day, night, all, got rain"):
        aachen.write(source, tmp_path / "root")


def test_damaged_files(case: Case) -> None:
    root, _, _, card, module = case
    names = (
        [aachen.MODEL, aachen.INTRINSICS] if module is aachen else [f"{module.MODEL}/images.bin"]
    )
    for name in (DAY, *names):
        check_changes(root / name, lambda: module.read(root, card))


def field_data() -> Path:
    """Folder of real files; the test is skipped without it."""
    folder = Path(os.environ.get("HLOC_LITE_FIELD_DATA", "/nowhere"))
    if not folder.is_dir():
        pytest.skip("no folder of real files")
    return folder


def test_real_names_and_intrinsics(tmp_path: Path) -> None:
    """1040 images below query/, of which 25 are no queries; lists made from the databases."""
    data = field_data()
    old, new = (
        read_database_images(data / f"aachen/{name}.db") for name in ("database", "database_v1_1")
    )
    text = (data / "hloc_pairs/aachen_v1.1/pairs-query-netvlad50.txt").read_text()
    on_disk = {line.split()[0] for line in text.splitlines()}
    lists = {
        "day": {n: c for n, c in old.cameras.items() if n.startswith("query/day/")},
        "night": {n: c for n, c in new.cameras.items() if n.startswith("query/night/")},
    }
    root, card = tmp_path / "root", loose_card("aachen-v1.1")
    for condition, cameras in lists.items():
        write_queries(root / aachen.query_list(condition), cameras)
    mapped = {name: camera for name, camera in new.cameras.items() if not name.startswith("query")}
    poses = dict.fromkeys(mapped, Rigid3.identity())
    write_model(root / aachen_v1_1.MODEL, posed_model(mapped, poses))
    for name in [*mapped, *on_disk]:
        path = root / "images_upright" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (found,) = aachen_v1_1.read(root, card)
    counts = {key: len(value) for key, value in found.queries.items()}
    assert (counts, len(found.map_image_names)) == ({"day": 824, "night": 191}, 6697)
    assert any(note.startswith("25 images in query/ left out") for note in found.notes)
    lines = next((data / "submissions").glob("aachen_v1.1_*")).read_text().splitlines()
    names = {name.rpartition("/")[2] for name in found.query_names}
    assert {line.split()[0] for line in lines} == names
    camera = found.queries["night"]["query/night/nexus5x/IMG_20161227_172439.jpg"]
    assert (camera.model, camera.width, camera.height) == ("SIMPLE_RADIAL", 1600, 1200)
    np.testing.assert_allclose(camera.params, [1199.91, 800, 600, -0.0324314], rtol=1e-5)
