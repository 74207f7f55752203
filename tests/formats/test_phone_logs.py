"""Recordings of Stray Scanner and 3D Scanner App, written by hand from their descriptions."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from hloc_lite.errors import FormatError
from hloc_lite.formats.phone_logs import (
    read_scanner_app,
    read_scanner_app_frame,
    read_stray_matrix,
    read_stray_odometry,
    read_stray_scanner,
)
from hloc_lite.formats.stray_depth import read_stray_depth

from .pose_scenes import check_damaged, poses_of

SIZE = (1920, 1440)
HALF = float(np.sqrt(0.5))
HEADER = "timestamp, frame, x, y, z, qx, qy, qz, qw"
MATRIX = "1339.3428, 0.0, 959.1318\n0.0, 1339.3428, 725.10126\n0.0, 0.0, 1.0"
ARKIT_POSE = [1, 0, 0, 1.5, 0, 1, 0, -1.25, 0, 0, 1, 6, 0, 0, 0, 1]
INTRINSICS = [1348.93, 0, 961.14, 0, 1348.93, 718.69, 0, 0, 1]


def make_stray(root: Path, odometry: str) -> Path:
    (root / "odometry.csv").write_text(odometry)
    (root / "camera_matrix.csv").write_text(MATRIX)
    return root


def make_app(root: Path, **changes: object) -> Path:
    value = {"cameraPoseARFrame": ARKIT_POSE, "intrinsics": INTRINSICS, "frame_index": 0}
    (root / "frame_00000.json").write_text(json.dumps({**value, **changes}))
    (root / "frame_00001.json").write_text(json.dumps(value))
    Image.new("RGB", SIZE).save(root / "frame_00000.jpg")
    return root


def test_stray_poses_have_opencv_axes(tmp_path: Path) -> None:
    # a half turn about x looks along ARKit's -z: ARKit's identity, in OpenCV's axes
    row = "170340.472500583, 000000, 0.5, 1.5, -2.0, 1.0, 0.0, 0.0, 0.0\n"
    posed = read_stray_scanner(make_stray(tmp_path, f"{HEADER}\n{row}"), SIZE)
    ((name, pose),) = poses_of(posed).items()
    assert name == "000000.jpg" and posed.is_metric
    np.testing.assert_allclose(pose.center, [0.5, 1.5, -2], atol=1e-14)
    np.testing.assert_allclose(pose.rotation, np.diag([1.0, -1, -1]), atol=1e-14)
    # a point in front of an ARKit camera at its origin has a negative z
    np.testing.assert_allclose(pose.apply(np.array([0.5, 1.5, -5])), [0, 0, 3], atol=1e-14)
    np.testing.assert_array_equal(
        posed.cameras[name].params, [1339.3428, 1339.3428, 959.1318, 725.10126]
    )
    assert "1 frame share the intrinsics of the last one" in posed.notes[0]


def test_newer_files_have_intrinsics_of_each_frame(tmp_path: Path) -> None:
    head = f"{HEADER}, fx, fy, cx, cy, distortion_center_x, distortion_center_y"
    rows = (
        "1.5, 000000, 0, 0, 0, 0, 0, 0, 1, 1340, 1341, 960, 721, , \n"
        "2.5, 000001, 0, 0, 0, 0, 0, 0, 1, 1342, 1343, 961, 722, 960.5, 720.5\n"
    )
    folder = make_stray(tmp_path, f"{head}\n{rows}")
    posed = read_stray_scanner(folder, SIZE)
    np.testing.assert_array_equal(posed.cameras["000000.jpg"].params, [1340, 1341, 960, 721])
    np.testing.assert_array_equal(posed.cameras["000001.jpg"].params, [1342, 1343, 961, 722])
    assert posed.notes == ()
    assert [each.seconds for each in read_stray_odometry(folder / "odometry.csv")] == [1.5, 2.5]


def test_the_first_versions_had_only_poses(tmp_path: Path) -> None:
    path = tmp_path / "odometry.csv"
    path.write_text(f"1.0, 2.0, 3.0, 0.0, 0.0, {HALF}, {HALF}\n4, 5, 6, 0, 0, 0, 1\n")
    first, second = read_stray_odometry(path)
    assert (first.frame, second.frame) == (0, 1) and first.seconds is None
    np.testing.assert_array_equal(first.world_from_cam.translation, [1, 2, 3])
    np.testing.assert_allclose(
        first.world_from_cam.rotation, [[0, -1, 0], [1, 0, 0], [0, 0, 1]], atol=1e-15
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("timestamp, frame, x, y, z, qx, qy, qz\n", "line 1: expected columns"),
        ("1, 2, 3\n", "line 1: expected columns"),
        (f"{HEADER}, x\n1, 0, 0, 0, 0, 0, 0, 0, 1, 5\n", "line 1: expected columns"),
        (f"{HEADER}\n1, 0, 0, 0, 0, 0, 0, 1\n", "line 2: expected 9 columns, got 8"),
        (f"{HEADER}\n1, 0, 0, 0, 0, 0, 0, 0, 0\n", "line 2: a quaternion"),
        (f"{HEADER}\n1, 0, nan, 0, 0, 0, 0, 0, 1\n", "line 2: all numbers must be finite"),
        (f"{HEADER}\n1, 1.5, 0, 0, 0, 0, 0, 0, 1\n", "line 2: expected a whole number"),
        (f"{HEADER}\n" + "1, 000, 0, 0, 0, 0, 0, 0, 1\n" * 2, "line 3: frame 0 is listed twice"),
    ],
)
def test_bad_odometry_is_named(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "odometry.csv").write_text(text)
    with pytest.raises(FormatError, match=message):
        read_stray_odometry(tmp_path / "odometry.csv")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1, 0, 2\n0, 1, 2\n", "3 lines of 3"),
        ("1300, 0, 0\n0, 1300, 0\n960, 720, 1\n", "stored by columns"),
        ("1300, 5, 960\n0, 1300, 720\n0, 0, 1\n", "expected fx 0 cx"),
        ("inf, 0, 960\n0, 1300, 720\n0, 0, 1\n", "finite"),
    ],
)
def test_a_bad_camera_matrix_is_named(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "camera_matrix.csv").write_text(text)
    with pytest.raises(FormatError, match=message):
        read_stray_matrix(tmp_path / "camera_matrix.csv")


def test_intrinsics_of_another_image_size_are_refused(tmp_path: Path) -> None:
    folder = make_stray(tmp_path, f"{HEADER}\n1, 0, 0, 0, 0, 0, 0, 0, 1\n")
    with pytest.raises(FormatError, match="frame 0: principal point"):
        read_stray_scanner(folder, (1440, 1920))
    with pytest.raises(FormatError, match="frame 0: principal point"):
        read_stray_scanner(folder, (640, 480))


def test_stray_depth_keeps_sure_pixels(tmp_path: Path) -> None:
    for name in ("depth", "confidence"):
        (tmp_path / name).mkdir()
    depth = np.full((192, 256), 1500, np.uint16)
    depth[0, 0] = 0
    sure = np.full((192, 256), 2, np.uint8)
    sure[1, :2] = 0, 1
    cv2.imwrite(str(tmp_path / "depth/000003.png"), depth)
    cv2.imwrite(str(tmp_path / "confidence/000003.png"), sure)
    found = read_stray_depth(tmp_path, 3, SIZE)
    assert found is not None and found.is_metric and found.image_size == SIZE
    np.testing.assert_allclose(found.depths[:2, :2], [[np.nan, 1.5], [np.nan, 1.5]])
    everything = read_stray_depth(tmp_path, 3, SIZE, min_confidence=0)
    assert everything is not None and everything.depths[1, 0] > 1.49
    assert read_stray_depth(tmp_path, 4, SIZE) is None
    np.save(tmp_path / "depth/000004.npy", np.full((192, 256), 2.5, np.float32))
    with pytest.raises(FormatError, match=r"cannot read .*confidence.000004.png"):
        read_stray_depth(tmp_path, 4, SIZE)
    cv2.imwrite(str(tmp_path / "confidence/000004.png"), sure[:96])
    with pytest.raises(FormatError, match="expected 256 x 192 pixels of 8 bits, got 256 x 96"):
        read_stray_depth(tmp_path, 4, SIZE)
    cv2.imwrite(str(tmp_path / "confidence/000004.png"), sure)
    found = read_stray_depth(tmp_path, 4, SIZE)
    assert found is not None and found.depths[0, 0] == np.float32(2.5)


def test_scanner_app_poses_have_arkit_axes(tmp_path: Path) -> None:
    posed = read_scanner_app(make_app(tmp_path))
    ((name, pose),) = poses_of(posed).items()
    assert name == "frame_00000.jpg" and posed.image_folder == tmp_path and posed.is_metric
    np.testing.assert_allclose(pose.center, [1.5, -1.25, 6], atol=1e-14)
    # ARKit's camera looks along its -z, with y up
    np.testing.assert_allclose(pose.apply(np.array([1.5, -0.25, 3])), [0, -1, 3], atol=1e-14)
    camera = posed.cameras[name]
    assert (camera.model, camera.width, camera.height) == ("PINHOLE", *SIZE)
    np.testing.assert_array_equal(camera.params, [1348.93, 1348.93, 961.14, 718.69])
    assert posed.notes == ("1 frame without a photo left out",)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"cameraPoseARFrame": ARKIT_POSE[:15]}, "expected 16 numbers under 'cameraPoseARFrame'"),
        ({"cameraPoseARFrame": None}, "expected 16 numbers"),
        ({"cameraPoseARFrame": [*ARKIT_POSE[:15], True]}, "expected 16 numbers"),
        ({"cameraPoseARFrame": np.reshape(ARKIT_POSE, (4, 4)).T.ravel().tolist()}, "by columns"),
        ({"cameraPoseARFrame": [2, *ARKIT_POSE[1:]]}, "no rotation"),
        ({"cameraPoseARFrame": [10**400, *ARKIT_POSE[1:]]}, "a number is too large"),
        ({"intrinsics": np.reshape(INTRINSICS, (3, 3)).T.ravel().tolist()}, "by columns"),
        ({"intrinsics": [float("nan"), *INTRINSICS[1:]]}, "finite"),
        ({"intrinsics": [1.5, *INTRINSICS[1:]]}, "focal length"),
    ],
)
def test_bad_frames_are_named(changes: dict[str, object], message: str, tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=rf"frame_00000.json.*{message}"):
        read_scanner_app(make_app(tmp_path, **changes))


def test_missing_and_turned_photos_are_named(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="found none"):
        read_scanner_app(tmp_path)
    folder = make_app(tmp_path)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", SIZE).save(folder / "frame_00000.jpg", exif=exif)
    with pytest.raises(FormatError, match="turned by its EXIF data"):
        read_scanner_app(folder)
    (folder / "frame_00000.jpg").write_bytes(b"no photo")
    with pytest.raises(FormatError, match=r"cannot read .*frame_00000.jpg"):
        read_scanner_app(folder)
    (folder / "frame_00000.json").write_text("[" * 100000)
    with pytest.raises(FormatError, match="is not JSON"):
        read_scanner_app_frame(folder / "frame_00000.json")
    (folder / "frame_00000.json").write_text("[]")
    with pytest.raises(FormatError, match="expected an object"):
        read_scanner_app_frame(folder / "frame_00000.json")


def test_damaged_files_raise_only_format_errors(tmp_path: Path) -> None:
    rows = "".join(f"{i}.5, 00000{i}, 0, 1, 2, 0, 0, 0, 1\n" for i in range(3))
    make_stray(tmp_path, f"{HEADER}\n{rows}")
    for name in ("odometry.csv", "camera_matrix.csv"):
        check_damaged(tmp_path / name, lambda: read_stray_scanner(tmp_path, SIZE))
    path = make_app(tmp_path) / "frame_00000.json"
    check_damaged(path, lambda: read_scanner_app_frame(path))
