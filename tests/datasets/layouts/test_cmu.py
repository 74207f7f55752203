"""Extended CMU Seasons: written and read back; each trap; damaged folders."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hloc_lite.datasets.cards import Card
from hloc_lite.datasets.dataset import Dataset
from hloc_lite.datasets.layouts import cmu
from hloc_lite.errors import FormatError
from hloc_lite.formats.colmap import read_model, write_model
from hloc_lite.geometry.rotations import quat_wxyz_from_rotation
from hloc_lite.types import Camera, Rigid3
from tests.datasets.layouts.tiny_dataset import (
    PINHOLE,
    RADIAL,
    SIZE,
    check_alike,
    check_cameras,
    check_changes,
    check_complete,
    check_map,
    check_true_submission,
    check_truth,
    loose_card,
    tiny_dataset,
)

POSES = "slice2/ground-truth-database-images-slice2.txt"
TESTS = "slice2/test-images-slice2.txt"
PUBLIC = "slice2/camera-poses/camera-poses.txt"
Case = tuple[Path, Dataset, dict[str, str], Card]


@pytest.fixture
def case(tmp_path: Path) -> Case:
    """A written folder, its source, names and card."""
    source = tiny_dataset(tmp_path / "tiny")
    root = tmp_path / "root"
    return root, source, cmu.write(source, root), loose_card("cmu")


def test_a_written_folder_is_complete_and_read_back(case: Case, tmp_path: Path) -> None:
    root, source, names, card = case
    check_complete(root, card)
    (found,) = cmu.read(root, card)
    assert (found.name, list(found.queries)) == ("slice2", ["slice2"])
    check_map(found, source, names)
    check_cameras(found, source, names)
    check_truth(found, source, names)
    assert set(found.query_names) == {names[name] for name in source.query_names}
    assert found.notes == ()
    check_true_submission(found, source, names, "cmu", tmp_path)
    assert (tmp_path / "submission.txt").read_text().startswith("img_00005_c0_")


def test_without_a_model_the_list_has_the_poses(case: Case) -> None:
    root, source, names, card = case
    shutil.rmtree(root / "slice2/sparse")
    (found,) = cmu.read(root, card)
    check_map(found, source, names, has_points=False)
    check_cameras(found, source, names)


def test_a_pose_by_hand(tmp_path: Path) -> None:
    """World to camera is a turn by 90 degrees about z; the position is the centre."""
    path = tmp_path / "poses.txt"
    path.write_text("img_00122_c0_1303398475046031us.jpg 0.70710678118 0 0 0.70710678118 1 2 3\n")
    (pose,) = cmu.read_centers(path).values()
    np.testing.assert_allclose(pose.center, [1, 2, 3], atol=1e-9)
    np.testing.assert_allclose(pose.apply(np.array([2.0, 2, 3])), [0, 1, 0], atol=1e-9)


def test_a_list_of_translations_is_refused(case: Case) -> None:
    root, _, _, card = case
    (found,) = cmu.read(root, card)
    assert found.reference is not None
    lines = []
    shift = np.array([100.0, 0, 0])  # far from the origin, where both differ
    model = read_model(root / "slice2/sparse")
    moved = []
    for image in model.images:
        pose = image.cam_from_world
        far = Rigid3(pose.rotation, pose.translation - pose.rotation @ shift)
        moved.append(replace(image, cam_from_world=far))
        quat = quat_wxyz_from_rotation(far.rotation)
        lines.append(
            " ".join([image.name, *map(repr, [*quat.tolist(), *far.translation.tolist()])])
        )
    write_model(root / "slice2/sparse", replace(model, images=tuple(moved)))
    (root / POSES).write_text("\n".join(lines))
    with pytest.raises(FormatError, match="holds translations, not camera centres"):
        cmu.read(root, card)


def test_both_names_of_the_test_list(case: Case) -> None:
    root, _, _, card = case
    (before,) = cmu.read(root, card)
    (root / TESTS).rename(root / "slice2/test-images-2.txt")
    (after,) = cmu.read(root, card)
    assert before.query_names == after.query_names
    check_complete(root, card)


def test_the_list_and_not_the_folder_tells_the_queries(case: Case) -> None:
    root, _, _, card = case
    lines = (root / TESTS).read_text().splitlines()
    (root / TESTS).write_text("\n".join(lines[1:]))
    (found,) = cmu.read(root, card)
    assert list(found.query_names) == [f"query/{name}" for name in lines[1:]]
    assert set(found.ground_truth["slice2"]) == set(found.query_names)
    assert any("1 image with public poses left out" in note for note in found.notes)


def test_public_poses_of_some_queries(case: Case) -> None:
    root, source, names, card = case
    lines = (root / PUBLIC).read_text().splitlines()
    (root / PUBLIC).write_text("\n".join(lines[:2]))
    (found,) = cmu.read(root, card)
    assert len(found.query_names) == 5 and len(found.ground_truth["slice2"]) == 2
    check_truth(found, source, names)
    shutil.rmtree(root / "slice2/camera-poses")
    assert cmu.read(root, card)[0].ground_truth == {}


def test_a_slice_without_test_list(case: Case) -> None:
    root, source, names, card = case
    (root / TESTS).unlink()
    (found,) = cmu.read(root, card)
    assert len(found.query_names) == 5
    check_truth(found, source, names)
    assert any("no list of test images" in note for note in found.notes)
    shutil.rmtree(root / "slice2/camera-poses")
    with pytest.raises(FormatError, match=r"has neither test-images-slice2.txt nor poses"):
        cmu.read(root, card)


def test_slices_are_parts_in_natural_order(case: Case) -> None:
    root, _, _, card = case
    shutil.copytree(root / "slice2", root / "slice10")
    shutil.copytree(root / "slice2", root / "slices")
    for path in (root / "slice10").glob("*slice2.txt"):
        path.rename(path.with_name(path.name.replace("slice2", "slice10")))
    assert [part.name for part in cmu.read(root, card)] == ["slice2", "slice10"]
    assert [list(part.queries) for part in cmu.read(root, card)] == [["slice2"], ["slice10"]]


def test_other_cameras_are_resampled(tmp_path: Path) -> None:
    fisheye = Camera("OPENCV_FISHEYE", *SIZE, np.array([40, 40, 32, 24, 0.1, 0, 0, 0]))
    source = tiny_dataset(tmp_path / "tiny", (RADIAL, PINHOLE, fisheye))
    cmu.write(source, tmp_path / "root")
    (found,) = cmu.read(tmp_path / "root", loose_card("cmu"))
    for camera in found.queries["slice2"].values():
        assert camera.model == "OPENCV"
    camera = list(found.queries["slice2"].values())[2]
    check_alike(camera, RADIAL)


@pytest.mark.parametrize("name", ["img_00001_c7_1us.jpg", "a.jpg", "img_1_c0_1us.png"])
def test_images_of_unknown_cameras(case: Case, name: str) -> None:
    root, _, _, card = case
    with (root / TESTS).open("a") as file:
        file.write(f"{name}\n")
    with pytest.raises(FormatError, match=name):
        cmu.read(root, card)


def test_missing_files_are_named(case: Case) -> None:
    root, _, _, card = case
    optional = ("test-images", "camera-poses", "points3D")
    for path in sorted(root.rglob("*")):
        if path.is_dir() or any(part in str(path) for part in optional):
            continue
        content = path.read_bytes()
        path.unlink()
        with pytest.raises(FormatError) as caught:
            cmu.read(root, card)
        assert str(root) in str(caught.value)
        path.write_bytes(content)
    (root / "slice2").rename(root / "other")
    with pytest.raises(FormatError, match="has no folder slice2 to slice25"):
        cmu.read(root, card)


@pytest.mark.parametrize("name", ["intrinsics.txt", POSES, TESTS, PUBLIC])
def test_damaged_files(case: Case, name: str) -> None:
    root, _, _, card = case
    check_changes(root / name, lambda: cmu.read(root, card))
