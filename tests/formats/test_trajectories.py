"""Trajectories of TUM, EuRoC and KITTI, and how they become poses of images."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hloc_lite.errors import FormatError
from hloc_lite.formats.euroc import (
    read_euroc,
    read_euroc_camera,
    read_euroc_extrinsics,
    read_euroc_images,
    write_euroc,
    write_euroc_images,
)
from hloc_lite.formats.kitti import (
    KittiCamera,
    read_kitti_calib,
    read_kitti_poses,
    read_kitti_times,
    write_kitti_calib,
    write_kitti_poses,
    write_kitti_times,
)
from hloc_lite.formats.trajectories import (
    nanoseconds,
    posed_by_time,
    read_tum,
    read_tum_images,
    seconds_text,
    write_tum,
    write_tum_images,
)
from hloc_lite.types import Camera, Rigid3

from .pose_scenes import assert_same_pose, check_damaged, poses_of, rigids

HALF = np.sqrt(0.5)
CAMERA = Camera("PINHOLE", 640, 480, np.array([525.0, 525, 320, 240]))
YAML = """#Default imu sensor yaml file
sensor_type: camera
comment: VI-Sensor cam0 (MT9M034)

# Sensor extrinsics wrt. the body-frame.
T_BS:
  cols: 4
  rows: 4
  data: [0.0, -1.0, 0.0, -0.02,
         1.0, 0.0, 0.0, -0.06,
         0.0, 0.0, 1.0, 0.01,
         0.0, 0.0, 0.0, 1.0]

# Camera specific definitions.
rate_hz: 20
resolution: [752, 480]
camera_model: pinhole
intrinsics: [458.654, 457.296, 367.215, 248.375] #fu, fv, cu, cv
distortion_model: radial-tangential
distortion_coefficients: [-0.28340811, 0.07395907, 0.00019359, 1.76187114e-05]
"""
HEADER = (
    "#timestamp, p_RS_R_x [m], p_RS_R_y [m], p_RS_R_z [m], q_RS_w [], q_RS_x [], q_RS_y [], "
    "q_RS_z [], v_RS_R_x [m s^-1]\n"
)
trajectories = st.dictionaries(st.integers(0, 2 * 10**18), rigids, max_size=6)
image_names = st.lists(
    st.sampled_from(["rgb/Straße", "é 1", "a b", "#x", "7"]), min_size=1, max_size=3
).map(" ".join)


@settings(max_examples=30)
@given(trajectories)
def test_trajectories_round_trip(trajectory: dict[int, Rigid3]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        tum, euroc = Path(folder) / "tum.txt", Path(folder) / "data.csv"
        write_tum(tum, trajectory)
        write_euroc(euroc, trajectory)
        for found in (read_tum(tum), read_euroc(euroc)):
            assert list(found) == list(trajectory)
            for time, pose in trajectory.items():
                np.testing.assert_allclose(found[time].rotation, pose.rotation, atol=1e-14)
                np.testing.assert_array_equal(found[time].translation, pose.translation)


@settings(max_examples=30)
@given(st.dictionaries(image_names, st.integers(0, 9 * 10**18), max_size=5))
def test_image_lists_round_trip(times: dict[str, int]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "data.csv"
        write_euroc_images(path, times)
        assert read_euroc_images(path) == times
        plain = {name.replace("#", "x"): time for name, time in times.items()}
        write_tum_images(path, plain)
        assert read_tum_images(path) == plain


@settings(max_examples=30)
@given(st.lists(rigids, max_size=6), st.integers(0, 10**12))
def test_kitti_round_trips(poses: list[Rigid3], start: int) -> None:
    times = {start + 103_000_001 * i: pose for i, pose in enumerate(poses)}
    with tempfile.TemporaryDirectory() as folder:
        path, times_path = Path(folder) / "00.txt", Path(folder) / "times.txt"
        write_kitti_poses(path, poses)
        write_kitti_times(times_path, times)
        by_frame, by_time = read_kitti_poses(path), read_kitti_poses(path, times_path)
    assert list(by_frame) == list(range(len(poses))) and list(by_time) == list(times)
    for found in (by_frame, by_time):
        for pose, wanted in zip(found.values(), poses, strict=True):
            np.testing.assert_allclose(pose.rotation, wanted.rotation, atol=1e-14)
            np.testing.assert_array_equal(pose.translation, wanted.translation)


@given(st.integers(-(10**19), 10**19))
def test_seconds_are_exact(time: int) -> None:
    if abs(time) <= 9 * 10**18:
        assert nanoseconds(seconds_text(time), "here") == time
    else:
        with pytest.raises(FormatError, match="no time in seconds"):
            nanoseconds(seconds_text(time), "here")


def test_texts_of_seconds() -> None:
    assert nanoseconds("1305031102.175304", "") == 1305031102175304000
    assert nanoseconds("12", "") == 12 * 10**9
    assert nanoseconds("0.1234567899", "") == 123456789
    assert nanoseconds("1.5e+01", "") == 15 * 10**9
    for text in ("1403636579763555584", "1e300", "nan", "x", "", "9" * 5000, "1e999999999"):
        with pytest.raises(FormatError, match="line 1"):
            nanoseconds(text, "line 1")


def test_tum_lines_hold_world_from_cam_with_w_last(tmp_path: Path) -> None:
    path = tmp_path / "groundtruth.txt"
    path.write_text(
        f"# ground truth\n# a b\n1305031098.6659 1.3563 0.6305 1.6380 0 0 {HALF} {HALF}\n"
    )
    ((time, pose),) = read_tum(path).items()
    assert time == 1305031098665900000
    np.testing.assert_allclose(pose.rotation, [[0, -1, 0], [1, 0, 0], [0, 0, 1]], atol=1e-15)
    np.testing.assert_array_equal(pose.translation, [1.3563, 0.6305, 1.6380])
    path.write_text(f"1.5,1,2,3,0,0,{HALF},{HALF}\n")
    assert list(read_tum(path)) == [1500000000]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1 0 0 0 0 0 0\n", "line 1: expected 'timestamp tx ty tz"),
        ("1 0 0 0 0 0 0 1\n1.0 0 0 0 0 0 0 1\n", "line 2: the time 1000000000.*twice"),
        ("1 0 0 0 0 0 0 0\n", "line 1: a quaternion needs"),
        ("1 inf 0 0 0 0 0 1\n", "line 1: all numbers must be finite"),
        ("1403636579763555584 0 0 0 0 0 0 1\n", "line 1: .*is it in nanoseconds"),
    ],
)
def test_bad_tum_lines_are_named(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_text(text)
    with pytest.raises(FormatError, match=message):
        read_tum(tmp_path / "t.txt")


def test_tum_image_lists(tmp_path: Path) -> None:
    path = tmp_path / "rgb.txt"
    path.write_text("# color images\n1305031102.175304 rgb/1305031102.175304.png\n2 ./a b.png\n")
    assert read_tum_images(path) == {
        "rgb/1305031102.175304.png": 1305031102175304000,
        "a b.png": 2 * 10**9,
    }
    for text, message in [
        ("1\n", "line 1: expected"),
        ("1 a\n2 ./a\n", "line 2: 'a' is listed twice"),
        ("1 ../a\n", "line 1: .*leaves"),
    ]:
        path.write_text(text)
        with pytest.raises(FormatError, match=message):
            read_tum_images(path)


def test_images_take_the_pose_of_the_nearest_time() -> None:
    poses = {10 * i: Rigid3(np.eye(3), np.array([float(i), 0, 0])) for i in range(3)}
    times = {"a": 1, "b": 5, "c": 16, "d": 24, "e": 26}
    posed = posed_by_time(poses, times, dict.fromkeys(times, CAMERA), tolerance=5)
    centers = {name: pose.center[0] for name, pose in poses_of(posed).items()}
    assert centers == {"a": 0, "b": 0, "c": 2, "d": 2}  # b: the earlier of two
    assert list(posed.cameras) == list(times) and posed.is_metric
    assert posed.notes == ("1 image without a pose within the tolerance of 5",)


def test_extrinsics_move_the_body_to_the_camera() -> None:
    body = Rigid3(np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]]), np.array([1.0, 2, 3]))
    # the camera is 0.1 ahead of the body on its x axis, which is the world's y axis
    cam_from_body = Rigid3(np.eye(3), np.array([-0.1, 0, 0]))
    posed = posed_by_time(
        {7: body}, {"a": 7}, {"a": CAMERA}, tolerance=0, cam_from_body=cam_from_body
    )
    np.testing.assert_allclose(poses_of(posed)["a"].center, [1, 2.1, 3], atol=1e-15)


def test_other_clocks_and_missing_intrinsics_are_named() -> None:
    poses = {10**18: Rigid3.identity()}
    with pytest.raises(FormatError, match=r"times of poses 10+ to 10+, of images 5 to 5.*clock"):
        posed_by_time(poses, {"a": 5}, {"a": CAMERA}, tolerance=10)
    with pytest.raises(FormatError, match="times of poses none"):
        posed_by_time({}, {"a": 5}, {"a": CAMERA}, tolerance=10)
    with pytest.raises(FormatError, match="no intrinsics of 1 image, first 'a'"):
        posed_by_time(poses, {"a": 5}, {}, tolerance=10)
    assert not posed_by_time({}, {}, {}, tolerance=1).model.images


def test_euroc_lines_hold_world_from_body_with_w_first(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    path.write_text(f"{HEADER}1403636579763555584,4.6,-1.7,0.8,{HALF},0,0,{HALF},0.1,0.2\r\n")
    ((time, pose),) = read_euroc(path).items()
    assert time == 1403636579763555584  # not a multiple of 256 ns, as in float64
    np.testing.assert_allclose(pose.rotation, [[0, -1, 0], [1, 0, 0], [0, 0, 1]], atol=1e-15)
    np.testing.assert_array_equal(pose.translation, [4.6, -1.7, 0.8])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1,0,0,0,1,0,0\n", "line 1: expected 'ns, px"),
        ("1.5,0,0,0,1,0,0,0\n", "line 1: expected a whole number"),
        ("99999999999999999999,0,0,0,1,0,0,0\n", "line 1: expected a number from 0"),
        ("1,0,0,0,1,0,0,0\n1,0,0,0,1,0,0,0\n", "line 2: .*twice"),
        ("#t, x, y, z, q_x, q_y, q_z, q_w\n1,0,0,0,1,0,0,0\n", "line 1: expected columns time"),
        ("1,0,0,0,0,0,0,0\n", "line 1: a quaternion"),
    ],
)
def test_bad_euroc_lines_are_named(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_text(text)
    with pytest.raises(FormatError, match=message):
        read_euroc(tmp_path / "data.csv")


def test_the_block_of_extrinsics_is_read(tmp_path: Path) -> None:
    path = tmp_path / "sensor.yaml"
    path.write_text(YAML)
    cam_from_body = read_euroc_extrinsics(path)
    # T_BS is body from sensor: the camera's centre is its last column
    np.testing.assert_allclose(cam_from_body.center, [-0.02, -0.06, 0.01], atol=1e-15)
    np.testing.assert_allclose(cam_from_body.rotation, [[0, 1, 0], [-1, 0, 0], [0, 0, 1]])
    camera = read_euroc_camera(path)
    assert (camera.model, camera.width, camera.height) == ("OPENCV", 752, 480)
    # OpenCV's (0, 0) is the centre of the first pixel
    np.testing.assert_allclose(
        camera.params,
        [458.654, 457.296, 367.715, 248.875, -0.28340811, 0.07395907, 0.00019359, 1.76187114e-05],
    )


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("T_BS:", "T_SB:", "expected a block 'T_BS:'"),
        ("T_BS:", "#T_BS:", "expected a block 'T_BS:'"),
        ("  rows: 4", "  rows: 3", "expected a block 'T_BS:'"),
        ("0.0, 0.0, 0.0, 1.0]", "0.0, 0.0, 1.0]", "expected 16 numbers, got 15"),
        ("-0.02", "x", "could not convert"),
        ("0.0, -1.0,", "0.0, 1.0,", "no rotation"),
    ],
)
def test_bad_extrinsics_are_named(old: str, new: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "sensor.yaml"
    path.write_text(YAML.replace(old, new))
    with pytest.raises(FormatError, match=message):
        read_euroc_extrinsics(path)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("pinhole", "omni", "expected pinhole"),
        ("[752, 480]", "[752.5, 480]", "whole number"),
        ("[752, 480]", "[752]", "expected 2 numbers"),
        ("458.654, ", "", "intrinsics: expected 4 numbers"),
        ("intrinsics:", "other:", "one line 'intrinsics: ...', found 0"),
        ("rate_hz: 20", "resolution: [1, 2]", "one line 'resolution: ...', found 2"),
    ],
)
def test_bad_cameras_are_named(old: str, new: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "sensor.yaml"
    path.write_text(YAML.replace(old, new))
    with pytest.raises(FormatError, match=message):
        read_euroc_camera(path)


def test_kitti_lines_are_the_rows_of_world_from_cam(tmp_path: Path) -> None:
    path = tmp_path / "00.txt"
    path.write_text("1.0e+00 0 0 0 0 1 0 0 0 0 1 0\n0 -1 0 1 1 0 0 2 0 0 1 3\n")
    poses = read_kitti_poses(path)
    np.testing.assert_array_equal(poses[1].rotation, [[0, -1, 0], [1, 0, 0], [0, 0, 1]])
    np.testing.assert_array_equal(poses[1].translation, [1, 2, 3])
    (tmp_path / "times.txt").write_text("0.000000e+00\n1.037359e-01\n")
    assert list(read_kitti_poses(path, tmp_path / "times.txt")) == [0, 103735900]
    (tmp_path / "times.txt").write_text("0.0\n")
    with pytest.raises(FormatError, match=r"has 2 poses, but .* 1 times"):
        read_kitti_poses(path, tmp_path / "times.txt")
    (tmp_path / "times.txt").write_text("1.0\n1.0\n")
    with pytest.raises(FormatError, match="line 2: expected a later time"):
        read_kitti_times(tmp_path / "times.txt")
    path.write_text("1 0 0 0 0 1 0 0 0 0 1\n")
    with pytest.raises(FormatError, match="line 1: expected 12 numbers, got 11"):
        read_kitti_poses(path)


CALIB = (
    "P0: 7.1e+02 0 6.07e+02 0 0 7.1e+02 1.85e+02 0 0 0 1 0\n"
    "P1: 7.1e+02 0 6.07e+02 -3.834e+02 0 7.1e+02 1.85e+02 0 0 0 1 0\n"
    "Tr: 1 0 0 0 0 1 0 0 0 0 1 0\n"
)


def test_the_fourth_column_of_kitti_is_a_baseline_in_pixels(tmp_path: Path) -> None:
    path = tmp_path / "calib.txt"
    path.write_text(CALIB)
    cameras = read_kitti_calib(path, (1241, 376))
    assert list(cameras) == ["P0", "P1"]
    np.testing.assert_array_equal(cameras["P0"].camera.params, [710, 710, 607.5, 185.5])
    # the right camera is 0.54 m to the right
    np.testing.assert_allclose(cameras["P1"].cam_from_cam0.center, [0.54, 0, 0], atol=1e-12)
    write_kitti_calib(path, cameras)
    again = read_kitti_calib(path, (1241, 376))
    for key, each in again.items():
        np.testing.assert_allclose(each.camera.params, cameras[key].camera.params, rtol=1e-15)
        assert_same_pose(each.cam_from_cam0, cameras[key].cam_from_cam0)
    turned = Rigid3(np.diag([1.0, -1, -1]), np.zeros(3))
    with pytest.raises(FormatError, match="this one is turned"):
        write_kitti_calib(path, {"P0": KittiCamera(cameras["P0"].camera, turned)})


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("P1", "P0", "line 2: P0 is listed twice"),
        ("P", "Q", "expected lines 'P0: 12 numbers'"),
        ("0 0 1 0\nP1", "0 0 1\nP1", "line 1: expected 12 numbers, got 11"),
        ("P0: 7.1e+02 0", "P0: 7.1e+02 3", "line 1: expected fx 0 cx"),
        ("P0: 7.1e+02 0", "P0: 0 0", "line 1: focal length"),
        ("6.07e+02", "6.07e+07", "line 1: principal point"),
    ],
)
def test_bad_calibrations_are_named(old: str, new: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "calib.txt"
    path.write_text(CALIB.replace(old, new))
    with pytest.raises(FormatError, match=message):
        read_kitti_calib(path, (1241, 376))


def test_damaged_files_raise_only_format_errors(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("".join(f"{i}.5 1 2 3 0 0 0 1\n" for i in range(4)))
    check_damaged(path, lambda: read_tum(path))
    path.write_text("1.5 a.png\n2.5 b.png\n")
    check_damaged(path, lambda: read_tum_images(path))
    path.write_text(HEADER + "".join(f"{i},1,2,3,1,0,0,0\n" for i in range(4)))
    check_damaged(path, lambda: read_euroc(path))
    path.write_text("#t,name\n15,a.png\n25,b.png\n")
    check_damaged(path, lambda: read_euroc_images(path))
    path.write_text(YAML)
    check_damaged(path, lambda: (read_euroc_extrinsics(path), read_euroc_camera(path)))
    path.write_text("1 0 0 0 0 1 0 0 0 0 1 0\n" * 3)
    check_damaged(path, lambda: read_kitti_poses(path))
    path.write_text(CALIB)
    check_damaged(path, lambda: read_kitti_calib(path, (1241, 376)))
