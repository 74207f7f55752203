"""Pseudo ground truth: nine columns, estimates with and without errors."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path, PurePosixPath

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hloc_lite.errors import FormatError
from hloc_lite.formats.hloc_lists import pose_line
from hloc_lite.formats.posed_images import PosedImages, posed_model
from hloc_lite.formats.pseudo_truth import (
    SEVEN_SCENES_SIZE,
    TWELVE_SCENES_SIZE,
    read_pseudo_truth,
    read_pseudo_truth_estimates,
    write_pseudo_truth,
    write_pseudo_truth_estimates,
)
from hloc_lite.geometry.rotations import exp_so3, pose_errors
from hloc_lite.io.image_names import leads_out
from hloc_lite.types import Camera, Rigid3

from .pose_scenes import assert_same_pose, check_damaged, poses_of, rigids

NAMES = st.one_of(
    st.text(st.characters(exclude_characters="\n\r\0", exclude_categories=["Cs"]), min_size=1),
    st.lists(st.sampled_from(["Straße", "é 1", "a/b", "IMG 7", "x#y"]), min_size=1).map(" ".join),
).filter(
    lambda name: (
        name == name.strip()
        and not leads_out(name)
        and not name.startswith(("#", "\ufeff"))
        and name == PurePosixPath(name).as_posix()
    )
)
DSLAM = "seq-03/frame-000226.color.png 0.697336 0.086456 0.652879 0.282839 -1.2 -0.1 1.2 525.0\n"
DSAC = (
    "seq-03/frame-000000.color.png 0.981768 0.185750 -0.035666 0.018898 "
    "-0.054234 0.470019 0.939904 0.207333 0.006574\n"
)


def simple(focal: float, size: tuple[int, int] = (640, 480)) -> Camera:
    return Camera("SIMPLE_PINHOLE", *size, np.array([focal, size[0] / 2, size[1] / 2]))


@settings(max_examples=60)
@given(st.dictionaries(NAMES, st.tuples(rigids, st.floats(300, 3000)), max_size=6))
def test_truth_round_trips(scene: dict[str, tuple[Rigid3, float]]) -> None:
    cameras = {name: simple(focal) for name, (_, focal) in scene.items()}
    poses = {name: pose for name, (pose, _) in scene.items()}
    posed = PosedImages(model=posed_model(cameras, poses), cameras=cameras)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "truth.txt"
        write_pseudo_truth(path, posed)
        found = read_pseudo_truth(path, (640, 480))
    assert poses_of(found).keys() == scene.keys() == found.cameras.keys()
    for name, pose in poses_of(found).items():
        assert_same_pose(pose, poses[name])
        np.testing.assert_array_equal(pose.translation, poses[name].translation)
        np.testing.assert_array_equal(found.cameras[name].params, cameras[name].params)


@settings(max_examples=60)
@given(st.dictionaries(NAMES, rigids, max_size=6))
def test_estimates_round_trip(poses: dict[str, Rigid3]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "estimates.txt"
        write_pseudo_truth_estimates(path, poses)
        found = read_pseudo_truth_estimates(path)
    assert list(found) == list(poses)
    for name, pose in found.items():
        assert_same_pose(pose, poses[name])


def test_truth_lines_hold_cam_from_world_and_a_focal_length(tmp_path: Path) -> None:
    path, half = tmp_path / "truth.txt", np.sqrt(0.5)
    path.write_text(f"data/a b.jpg {half} 0 0 {half} 1 2 3 1167.8\n")
    posed = read_pseudo_truth(path, TWELVE_SCENES_SIZE)
    ((name, pose),) = poses_of(posed).items()
    assert name == "data/a b.jpg" and posed.is_metric
    np.testing.assert_allclose(pose.rotation, [[0, -1, 0], [1, 0, 0], [0, 0, 1]], atol=1e-15)
    np.testing.assert_array_equal(pose.translation, [1, 2, 3])
    camera = posed.cameras[name]
    assert (camera.model, camera.width, camera.height) == ("SIMPLE_PINHOLE", 1296, 968)
    np.testing.assert_array_equal(camera.params, [1167.8, 648, 484])


def test_the_errors_in_estimates_of_dsac_are_no_pose(tmp_path: Path) -> None:
    path = tmp_path / "estimates.txt"
    path.write_text(DSAC)
    ((name, pose),) = read_pseudo_truth_estimates(path).items()
    assert name == "seq-03/frame-000000.color.png"
    np.testing.assert_array_equal(pose.translation, [-0.054234, 0.470019, 0.939904])
    # without the two columns the same pose is read
    path.write_text(" ".join(DSAC.split()[:-2]) + "\n")
    assert_same_pose(read_pseudo_truth_estimates(path)[name], pose)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a 1 0 0 0 1 2 3\n", "line 1: expected 'name qw qx qy qz tx ty tz f'"),
        (DSLAM * 2, "line 2: .*twice"),
        (DSLAM.replace("525.0", "0.525"), "line 1: focal length"),
        (DSLAM.replace("525.0", "nan"), "line 1: all numbers must be finite"),
        (DSLAM.replace("0.697336", "0"), "line 1: .*not a unit quaternion"),
        (DSLAM.replace("seq-03", "../seq-03"), "line 1: .*leaves the image folder"),
        (DSLAM.replace("seq-03", "seq\0-03"), "line 1: .*NUL"),
    ],
)
def test_bad_truth_lines_are_named(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "truth.txt").write_text(text)
    with pytest.raises(FormatError, match=message):
        read_pseudo_truth(tmp_path / "truth.txt", SEVEN_SCENES_SIZE)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a 1 0 0 0 1 2\n", "line 1: expected 'name qw qx qy qz tx ty tz'"),
        (DSAC * 2, "line 2: .*twice"),
        (DSAC + DSLAM, "line 2"),
    ],
)
def test_bad_estimate_lines_are_named(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "estimates.txt").write_text(text)
    with pytest.raises(FormatError, match=message):
        read_pseudo_truth_estimates(tmp_path / "estimates.txt")


def test_truth_is_read_as_estimates_without_its_focal_length(tmp_path: Path) -> None:
    (tmp_path / "truth.txt").write_text(DSLAM)
    truth = read_pseudo_truth(tmp_path / "truth.txt", SEVEN_SCENES_SIZE).model.images[0]
    (pose,) = read_pseudo_truth_estimates(tmp_path / "truth.txt").values()
    np.testing.assert_array_equal(pose.rotation, truth.cam_from_world.rotation)
    np.testing.assert_array_equal(pose.translation, truth.cam_from_world.translation)


def test_only_a_focal_length_can_be_written(tmp_path: Path) -> None:
    shifted = Camera("SIMPLE_PINHOLE", 640, 480, np.array([525.0, 319.5, 240]))
    radial = Camera("SIMPLE_RADIAL", 640, 480, np.array([525.0, 320, 240, 0.1]))
    for camera in (shifted, radial):
        cameras = {"a.png": camera}
        model = posed_model(cameras, {"a.png": Rigid3.identity()})
        with pytest.raises(FormatError, match="holds only a focal length"):
            write_pseudo_truth(tmp_path / "x", PosedImages(model=model, cameras=cameras))
    assert not (tmp_path / "x").exists()


def test_damaged_files_raise_only_format_errors(tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    path.write_text(DSLAM + DSLAM.replace("226", "227"))
    check_damaged(path, lambda: read_pseudo_truth(path, SEVEN_SCENES_SIZE))
    path.write_text(DSAC + DSAC.replace("000000", "000001"))
    check_damaged(path, lambda: read_pseudo_truth_estimates(path))


@pytest.mark.parametrize(
    ("truth", "scene", "method", "count", "recall"),
    [
        ("dslam", "heads", "dsac_rgbd", 1000, 99.9),
        ("dslam", "stairs", "hloc", 1000, 49.4),
        ("sfm", "stairs", "as", 1000, 91.9),
        ("sfm", "stairs", "hloc", 1000, 72.0),
    ],
)
def test_published_files_give_the_known_recall(
    truth: str, scene: str, method: str, count: int, recall: float
) -> None:
    folder = Path(os.environ.get("HLOC_LITE_FIELD_DATA", "/nonexistent")) / "pseudo_gt"
    if not folder.is_dir():
        pytest.skip("set HLOC_LITE_FIELD_DATA to a folder with pseudo_gt/")
    path = folder / f"pgt/{truth}/7scenes/{scene}_test.txt"
    poses = poses_of(read_pseudo_truth(path, SEVEN_SCENES_SIZE))
    path = folder / f"estimates/{truth}/7scenes/{scene}_{method}.txt"
    estimates = read_pseudo_truth_estimates(path)
    errors = [pose_errors(estimates[name], poses[name]) for name in estimates]
    assert len(poses) == count
    right = sum(distance <= 0.05 and angle <= 5 for distance, angle in errors)
    assert 100 * right / count == pytest.approx(recall, abs=0.06)


def test_all_published_files_are_read_in_time() -> None:
    folder = Path(os.environ.get("HLOC_LITE_FIELD_DATA", "/nonexistent")) / "pseudo_gt"
    if not folder.is_dir():
        pytest.skip("set HLOC_LITE_FIELD_DATA to a folder with pseudo_gt/")
    for path in folder.glob("pgt/*/12scenes/*.txt"):
        assert len(read_pseudo_truth(path, TWELVE_SCENES_SIZE).model.images) == 357
    assert len(read_pseudo_truth_estimates(folder / "estimates/dslam/7scenes/fire_as.txt")) == 1999


@pytest.mark.parametrize("further", ["", " 525", " 0.1 0.02"])
def test_columns_after_a_pose_are_told_by_all_lines(further: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    poses = {
        f"seq-01/frame-{row:06d}.color.png": Rigid3(
            exp_so3(rng.normal(0, 1, 3)), rng.normal(0, 1, 3)
        )
        for row in range(200)
    }
    poses |= {"a.png": Rigid3(np.eye(3), np.array([1.0, 0, 0]))}
    lines = [pose_line(name, pose) + further for name, pose in poses.items()]
    for part in (lines, lines[-1:], lines[:1], [lines[-1], lines[0]]):
        (tmp_path / "poses.txt").write_text("\n".join(part) + "\n")
        found = read_pseudo_truth_estimates(tmp_path / "poses.txt")
        for name, pose in found.items():
            np.testing.assert_allclose(pose.translation, poses[name].translation, atol=1e-12)


def test_names_without_suffix_have_no_spaces_if_the_columns_leave_a_choice(tmp_path: Path) -> None:
    path = tmp_path / "poses.txt"
    for text in ("a 1 0 0 0 1 0 0", "a 0 1 0 0 0 1 5 7 7", "a 0 0 1 0 0 0 4 .1 .02"):
        path.write_text(text + "\n")
        assert list(read_pseudo_truth_estimates(path)) == ["a"]
    path.write_text("a b 0 1 0 0 0 1 5 7 7\n")
    with pytest.raises(FormatError, match="read in several ways"):
        read_pseudo_truth_estimates(path)
