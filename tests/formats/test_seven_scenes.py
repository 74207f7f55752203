"""7-Scenes: split files, depth camera and colour camera, missing files."""

from __future__ import annotations

import tempfile
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hloc_lite.errors import FormatError
from hloc_lite.formats.posed_images import PosedImages, posed_model
from hloc_lite.formats.seven_scenes import (
    PoseOf,
    color_camera,
    color_from_depth,
    depth_camera,
    read_frame_pose,
    read_seven_scenes,
    read_seven_scenes_depth,
    read_split,
    write_seven_scenes,
    write_split,
)
from hloc_lite.types import Camera, Rigid3

from .pose_scenes import assert_same_pose, check_damaged, poses_of, rigids

NAMES = st.builds(
    lambda sequence, frame: f"seq-{sequence:02d}/frame-{frame:06d}.color.png",
    st.integers(1, 99),
    st.integers(0, 999),
)
# a turn by 90 degrees about z: the camera's x axis is the world's y axis
QUARTER = "0.0\t-1.0 0.0 1.5\t\r\n1.0 0.0 0.0 2.5\r\n0.0 0.0 1.0 -3.0\r\n0.0 0.0 0.0 1.0\r\n"


def make_scene(root: Path, pose: str = QUARTER) -> Path:
    (root / "seq-03").mkdir(parents=True)
    (root / "TestSplit.txt").write_text("sequence3\r\n")
    (root / "seq-03/frame-000000.color.png").touch()
    (root / "seq-03/frame-000000.depth.png").touch()
    (root / "seq-03/frame-000000.pose.txt").write_text(pose)
    return root


@settings(max_examples=25)
@given(st.dictionaries(NAMES, rigids, min_size=1, max_size=5), st.sampled_from(["color", "depth"]))
def test_round_trip(poses: dict[str, Rigid3], pose_of: PoseOf) -> None:
    cameras = dict.fromkeys(poses, color_camera())
    posed = PosedImages(model=posed_model(cameras, poses), cameras=cameras)
    with tempfile.TemporaryDirectory() as folder:
        scene = Path(folder)
        write_seven_scenes(scene, "train", posed, pose_of=pose_of)
        for name in poses:
            (scene / name).touch()
        found = read_seven_scenes(scene, "train", pose_of=pose_of)
    assert poses_of(found).keys() == poses.keys() == found.cameras.keys()
    assert found.is_metric
    for name, pose in poses_of(found).items():
        assert_same_pose(pose, poses[name])


def test_pose_files_hold_world_from_cam_of_the_depth_camera(tmp_path: Path) -> None:
    scene = make_scene(tmp_path)
    as_is = read_seven_scenes(scene, "test", pose_of="depth")
    (pose,) = poses_of(as_is).values()
    np.testing.assert_allclose(pose.center, [1.5, 2.5, -3], atol=1e-14)
    np.testing.assert_allclose(pose.rotation @ [0, 1, 0], [1, 0, 0], atol=1e-14)
    assert "depth camera" in as_is.notes[0] and "beside the colour" in as_is.notes[0]
    corrected = read_seven_scenes(scene, "test")
    (color,) = poses_of(corrected).values()
    # the colour camera is 25.5 mm to the right of the depth camera, which is the world's y here
    np.testing.assert_allclose(color.center - pose.center, [0, 0.0255, -0.0022], atol=2e-4)
    assert "colour camera" in corrected.notes[0]
    assert corrected.image_folder == scene


def test_a_point_has_the_same_place_in_both_cameras(tmp_path: Path) -> None:
    scene = make_scene(tmp_path)
    (color,) = poses_of(read_seven_scenes(scene, "test")).values()
    (depth,) = poses_of(read_seven_scenes(scene, "test", pose_of="depth")).values()
    points = np.array([[0.0, 0, 0], [1, 2, 3]])
    np.testing.assert_allclose(
        color.apply(points), color_from_depth().apply(depth.apply(points)), atol=1e-12
    )


def test_the_cameras_have_the_usual_constants() -> None:
    np.testing.assert_array_equal(color_camera().params, [525, 320, 240])
    np.testing.assert_array_equal(depth_camera().params, [585, 320, 240])
    np.testing.assert_allclose(
        color_from_depth().translation, [-0.02556, 0.00010, 0.00203], atol=5e-6
    )
    angle = np.degrees(color_from_depth().scipy_rotation.magnitude())
    assert angle == pytest.approx(0.669, abs=1e-3)


def test_given_intrinsics_are_used(tmp_path: Path) -> None:
    camera = Camera("SIMPLE_PINHOLE", 640, 480, np.array([526.22, 320, 240]))
    posed = read_seven_scenes(make_scene(tmp_path), "test", camera=camera)
    assert set(posed.cameras.values()) == {camera}


def test_images_without_a_pose_keep_their_intrinsics(tmp_path: Path) -> None:
    scene = make_scene(tmp_path)
    (scene / "seq-03/frame-000001.color.png").touch()
    posed = read_seven_scenes(scene, "test")
    assert len(posed.cameras) == 2 and len(posed.model.images) == 1
    assert posed.notes[1] == "1 image without a pose file have no pose"


def test_numbers_with_three_digit_exponents_are_read(tmp_path: Path) -> None:
    path = tmp_path / "pose.txt"
    path.write_text(
        " 9.9935108e-001\t -1.5576084e-002\t 3.1508941e-002\t -1.2323361e-001\t\n"
        " 9.1375550e-003\t 9.8132908e-001\t 1.9213653e-001\t -1.1206967e+000\t\n"
        " -3.3913399e-002\t -1.9172391e-001\t 9.8086452e-001\t -9.8870575e-001\t\n"
        " 0.0000000e+000\t 0.0000000e+000\t 0.0000000e+000\t 1.0000000e+000\t\n"
    )
    pose = read_frame_pose(path)
    np.testing.assert_allclose(pose.rotation @ pose.rotation.T, np.eye(3), atol=1e-15)
    np.testing.assert_allclose(pose.rotation[0, 0], 0.99935108, atol=1e-4)
    np.testing.assert_array_equal(pose.translation, [-0.12323361, -1.1206967, -0.98870575])


@pytest.mark.parametrize(
    ("pose", "message"),
    [
        ("1 0 0 0\n0 1 0 0\n0 0 1 0\n", "expected 4 lines of 4 numbers, got 3"),
        ("1 0 0\n0 1 0 0\n0 0 1 0\n0 0 0 1\n", "line 1: expected 4 numbers"),
        ("1 0 0 nan\n0 1 0 0\n0 0 1 0\n0 0 0 1\n", "line 1: all numbers must be finite"),
        ("1 0 0 0\n0 1 0 0\n0 0 1 0\n0 0 0 2\n", "last row 0 0 0 1"),
        ("1 0 0 0\n0 1 0 0\n0 0 1 0\n4 5 6 1\n", "stored by columns"),
        ("2 0 0 0\n0 2 0 0\n0 0 2 0\n0 0 0 1\n", "no rotation"),
        ("1 0 0 0\n0 1 0 0\n0 0 -1 0\n0 0 0 1\n", "no rotation"),
        ("1 0 0 1e300\n0 1 0 0\n0 0 1 0\n0 0 0 1\n", "finite coordinates"),
    ],
)
def test_bad_pose_files_are_named(pose: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=rf"frame-000000.pose.txt.*{message}"):
        read_seven_scenes(make_scene(tmp_path, pose), "test")


def test_split_files(tmp_path: Path) -> None:
    path = tmp_path / "TrainSplit.txt"
    path.write_text("sequence1 \nsequence10\n\n")
    assert read_split(path) == ("seq-01", "seq-10")
    write_split(path, ["seq-02", "seq-11"])
    assert path.read_text() == "sequence2\nsequence11\n"
    for text, message in [
        ("sequence1\nseq-02\n", "line 2: expected 'sequence3'"),
        ("sequence1\nsequence01\n", "line 2: .*twice"),
        ("sequence../1\n", "line 1"),
        ("", "empty"),
    ]:
        path.write_text(text)
        with pytest.raises(FormatError, match=message):
            read_split(path)


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    scene = make_scene(tmp_path)
    with pytest.raises(FormatError, match=r"TrainSplit.txt does not exist"):
        read_seven_scenes(scene, "train")
    (scene / "TestSplit.txt").write_text("sequence4\n")
    (scene / "seq-04.zip").touch()
    with pytest.raises(FormatError, match=r"seq-04.*found none: unpack seq-04.zip"):
        read_seven_scenes(scene, "test")
    (scene / "TestSplit.txt").write_text("sequence3\n")
    (scene / "seq-03/frame-000000.color.jpg").touch()
    with pytest.raises(FormatError, match=r"both a \.png and a \.jpg"):
        read_seven_scenes(scene, "test")
    with pytest.raises(FormatError, match="expected train or test"):
        read_seven_scenes(scene, "val")  # type: ignore[arg-type]


def test_other_names_cannot_be_written(tmp_path: Path) -> None:
    cameras = {"../seq-01/frame-000000.color.png": color_camera()}
    posed = PosedImages(
        model=posed_model(cameras, dict.fromkeys(cameras, Rigid3.identity())), cameras=cameras
    )
    with pytest.raises(FormatError, match="7-Scenes names images"):
        write_seven_scenes(tmp_path / "x", "train", posed)
    assert not (tmp_path / "x").exists()


def test_depth_is_in_millimetres_with_two_marks_of_unknown(tmp_path: Path) -> None:
    values = np.zeros((480, 640), np.uint16)
    values[0, :3] = 1500, 65535, 0
    cv2.imwrite(str(tmp_path / "depth.png"), values)
    depth = read_seven_scenes_depth(tmp_path / "depth.png")
    np.testing.assert_allclose(depth.depths[0, :3], [1.5, np.nan, np.nan])
    assert depth.is_metric and depth.image_size == (640, 480)


def test_damaged_files_raise_only_format_errors(tmp_path: Path) -> None:
    scene = make_scene(tmp_path)
    split, pose = scene / "TestSplit.txt", scene / "seq-03/frame-000000.pose.txt"
    check_damaged(split, lambda: read_split(split))
    check_damaged(pose, lambda: read_frame_pose(pose))
