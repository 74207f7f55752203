"""RobotCar Seasons, both versions: written and read back; each trap; damaged folders."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

from hloc_lite.datasets.cards import Card
from hloc_lite.datasets.dataset import Dataset
from hloc_lite.datasets.layouts import robotcar, robotcar_v2
from hloc_lite.errors import FormatError
from hloc_lite.formats.colmap.database import read_database_images
from tests.datasets.layouts.tiny_dataset import (
    PINHOLE,
    RADIAL,
    SQUARE,
    check_alike,
    check_cameras,
    check_changes,
    check_complete,
    check_map,
    check_pose,
    check_true_submission,
    loose_card,
    tiny_dataset,
    true_poses,
)

LAYOUTS = {"robotcar": robotcar, "robotcar-v2": robotcar_v2}
CONDITIONS = {"day": 5, "night": 4}
Case = tuple[Path, Dataset, dict[str, str], Card, ModuleType]


@pytest.fixture(params=sorted(LAYOUTS))
def case(request: pytest.FixtureRequest, tmp_path: Path) -> Case:
    """A written folder, its source (all of one camera for v2), names, card and module."""
    module = LAYOUTS[request.param]
    cameras = (PINHOLE, SQUARE) if module is robotcar else (SQUARE,)
    source = tiny_dataset(tmp_path / "tiny", cameras, CONDITIONS)
    root = tmp_path / "root"
    return root, source, module.write(source, root), loose_card(request.param), module


def test_a_written_folder_is_complete_and_read_back(case: Case, tmp_path: Path) -> None:
    root, source, names, card, module = case
    check_complete(root, card)
    (found,) = module.read(root, card)
    assert (found.name, list(found.queries)) == (card.name, ["night", "overcast-summer"])
    assert found.ground_truth == {}
    check_cameras(found, source, names)
    if module is robotcar:
        check_map(found, source, names)
        assert set(found.query_names) == {names[name] for name in source.query_names}
    check_true_submission(found, source, names, card.name, tmp_path)
    line = (tmp_path / "submission.txt").read_text().split()[0]
    assert line.count("/") == 1 and line.split("/")[0] in robotcar.CAMERAS


def test_training_images_of_the_second_version_are_map_images(case: Case) -> None:
    root, source, names, card, module = case
    (found,) = module.read(root, card)
    if module is robotcar:
        return
    written = {names[name] for name in source.query_names}
    train = written.difference(found.query_names)
    assert len(train) == 2 and train < set(found.map_image_names)
    assert len(found.map_image_names) == 7
    assert found.reference is not None
    for name, pose in true_poses(source).items():
        image = found.reference.image_named(names[name])
        assert (image is not None) == (names[name] in train)
        if image is not None:
            check_pose(image.cam_from_world, pose)
            check_alike(found.reference.cameras[image.camera_id], SQUARE)
    assert set(robotcar_v2.read_train_poses(root / robotcar_v2.TRAIN)) == train
    assert any("2 training images" in note for note in found.notes)


def test_names_in_the_model_and_its_database(case: Case) -> None:
    root, _, _, _, _ = case
    line = (root / robotcar.MODEL).read_text().split("\n")[3]
    assert line.startswith("./overcast-reference/") and line.split()[0].endswith(".png")
    listed = read_database_images(root / robotcar.DATABASE)
    assert all(name.endswith(".png") and name[0] == "o" for name in listed.cameras)


def test_ids_of_the_database(case: Case) -> None:
    root, _, _, card, module = case
    (found,) = module.read(root, card)
    ids = read_database_images(root / robotcar.DATABASE).image_ids
    assert found.reference is not None
    by_name = {each.name: each.image_id for each in found.reference.images}
    if module is robotcar:
        assert by_name == {name.replace(".png", ".jpg"): row for name, row in ids.items()}
    assert len(set(by_name.values())) == len(by_name)


def test_other_cameras_are_resampled(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    source = tiny_dataset(tmp_path / "tiny", (RADIAL, SQUARE))
    for name, module in LAYOUTS.items():
        root = tmp_path / name
        names = module.write(source, root)
        assert "photos were resampled" in caplog.text
        (found,) = module.read(root, loose_card(name))
        for cameras in found.queries.values():
            for camera in cameras.values():
                check_alike(camera, SQUARE)
        back = {new: old for old, new in names.items()}
        new = next(each for each in found.query_names if "0000" in back[each])
        assert Image.open(found.image_folder / new).size == (64, 48)


def test_query_lists_are_the_truth(tmp_path: Path) -> None:
    source = tiny_dataset(tmp_path / "tiny", (SQUARE,), {**CONDITIONS, "changed": 1})
    root, card = tmp_path / "root", loose_card("robotcar")
    names = robotcar.write(source, root)
    photo = root / "images/night/rear/1.jpg"
    shutil.copy(root / "images" / names["query/night/0000.jpg"], photo)
    (found,) = robotcar.read(root, card)
    assert list(found.queries) == ["night", "overcast-summer", "overcast-winter"]
    assert "night/rear/1.jpg" not in found.query_names
    assert any("1 image of query folders left out" in note for note in found.notes)
    path = root / robotcar.QUERY_LISTS / "queries_location_2.txt"
    path.write_text("./night/rear/1.png\n")
    assert "night/rear/1.jpg" in robotcar.read(root, card)[0].query_names
    shutil.rmtree(root / robotcar.QUERY_LISTS)
    (found,) = robotcar.read(root, card)
    assert "night/rear/1.jpg" in found.query_names and len(found.query_names) == 11
    assert any("there are no lists" in note for note in found.notes)


def test_intrinsics_files(tmp_path: Path) -> None:
    source = tiny_dataset(tmp_path / "tiny", (SQUARE,), CONDITIONS)
    root, card = tmp_path / "root", loose_card("robotcar")
    robotcar.write(source, root)
    path = root / "intrinsics/rear_intrinsics.txt"
    assert path.read_text() == "fx 55.0\nfy 55.0\ncx 32.0\ncy 24.0\n"
    assert (root / "extrinsics/left_extrinsics.txt").read_text().startswith("1.0,0.0,0.0,0.0\n0.0,")
    (found,) = robotcar.read(root, card)
    (camera,) = {id(each): each for each in found.queries["night"].values()}.values()
    assert (camera.model, camera.params.tolist()) == ("SIMPLE_RADIAL", [55, 32, 24, 0])
    path.write_text("fx 55\nfy 56\ncx 32\ncy 24\n")
    (found,) = robotcar.read(root, card)
    camera = next(iter(found.queries["night"].values()))
    assert (camera.model, camera.params.tolist()) == ("PINHOLE", [55, 56, 32, 24])
    for text in ("fx 55\nfy 55\ncx 32\n", "fx\n", "55 55 32 24\n", "fx nan\nfy 1\ncx 1\ncy 1\n",
                 "fx 0.05\nfy 0.05\ncx 32\ncy 24\n"):  # fmt: skip
        path.write_text(text)
        with pytest.raises(FormatError, match="rear_intrinsics"):
            robotcar.read(root, card)


def test_a_training_line_by_hand(tmp_path: Path) -> None:
    """Camera to world: a turn by 90 degrees about z, at (1, 2, 3); 12 or 16 numbers."""
    path = tmp_path / "train.txt"
    rows = "0 -1 0 1 1 0 0 2 0 0 1 3"
    path.write_text(f"night/rear/1.png {rows}\nsnow/rear/2.png {rows} 0 0 0 1\n")
    poses = robotcar_v2.read_train_poses(path)
    assert list(poses) == ["night/rear/1.jpg", "snow/rear/2.jpg"]
    for pose in poses.values():
        np.testing.assert_allclose(pose.center, [1, 2, 3])
        np.testing.assert_allclose(pose.inverse().apply(np.array([1.0, 0, 0])), [1, 3, 3])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a/rear/1.png 1 2 3\n", "line 1: expected a name and 12 or 16 numbers"),
        ("a/rear/1.png 2 0 0 0 0 1 0 0 0 0 1 0\n", "line 1"),
        ("a/rear/1.png 1 0 0 nan 0 1 0 0 0 0 1 0\n", "must be finite"),
        ("../rear/1.png 1 0 0 0 0 1 0 0 0 0 1 0\n", "leaves the image folder"),
        ("1.png 1 0 0 0 0 1 0 0 0 0 1 0\n", "expected CONDITION/CAMERA/TIMESTAMP"),
        ("a/rear/1.png 1 0 0 0 0 1 0 0 0 0 1 0\n" * 2, "line 2: 'a/rear/1.jpg' is listed twice"),
    ],
)
def test_damaged_training_lines(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "train.txt"
    path.write_text(text)
    with pytest.raises(FormatError, match=message):
        robotcar_v2.read_train_poses(path)


def test_lists_of_the_second_version_that_do_not_belong(tmp_path: Path) -> None:
    source = tiny_dataset(tmp_path / "tiny", (SQUARE,), CONDITIONS)
    root, card = tmp_path / "root", loose_card("robotcar-v2")
    robotcar_v2.write(source, root)
    test = root / robotcar_v2.TEST
    content = test.read_text()
    test.write_text(content + "night/left/5.png\n")
    with pytest.raises(FormatError, match="1 query not of the rear camera, first 'night/left/5"):
        robotcar_v2.read(root, card)
    test.write_text(content + (root / robotcar_v2.TRAIN).read_text().split()[0] + "\n")
    with pytest.raises(FormatError, match=r"are training images of robotcar_v2_train.txt"):
        robotcar_v2.read(root, card)
    test.write_text(content + "fog/rear/5.png\n")
    with pytest.raises(FormatError, match="of no condition of RobotCar Seasons v2"):
        robotcar_v2.read(root, card)


def test_missing_files_are_named(case: Case) -> None:
    root, _, _, card, module = case
    unused = ("extrinsics", "queries_location", "left_", "right_")
    for path in sorted(root.rglob("*")):
        if path.is_dir() or any(part in str(path) for part in unused):
            continue
        content = path.read_bytes()
        path.unlink()
        with pytest.raises(FormatError) as caught:
            module.read(root, card)
        assert str(root) in str(caught.value)
        path.write_bytes(content)
    module.read(root, card)


def test_a_database_that_lacks_an_image(case: Case) -> None:
    root, _, _, card, module = case
    path = root / robotcar.MODEL
    path.write_text(path.read_text().replace("./overcast-reference/", "./x/", 1))
    with pytest.raises(FormatError, match=r"1 of 5 images of .*all.nvm are not in"):
        module.read(root, card)


def test_all_queries_without_truth(tmp_path: Path) -> None:
    """Then there is no training image."""
    source = replace(tiny_dataset(tmp_path / "tiny", (SQUARE,), CONDITIONS), ground_truth={})
    robotcar_v2.write(source, tmp_path / "root")
    (found,) = robotcar_v2.read(tmp_path / "root", loose_card("robotcar-v2"))
    assert len(found.query_names) == 9 and len(found.map_image_names) == 5


def test_damaged_files(case: Case) -> None:
    root, _, _, card, module = case
    names = [robotcar.MODEL, "intrinsics/rear_intrinsics.txt", robotcar.DATABASE]
    if module is robotcar_v2:
        names = [robotcar_v2.TRAIN, robotcar_v2.TEST]
    for name in names:
        check_changes(root / name, lambda: module.read(root, card))
