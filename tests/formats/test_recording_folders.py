"""Folders of recordings: names, times, extrinsics and sizes come together; files made by hand."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hloc_lite.errors import FormatError
from hloc_lite.formats.recognition import read_posed_images
from hloc_lite.formats.recording_folders import (
    read_euroc_folder,
    read_kitti_folder,
    read_rio10_folder,
    read_stray_folder,
    read_tum_folder,
)
from hloc_lite.types import Camera
from tests.formats.pose_scenes import poses_of

CAMERA = Camera("PINHOLE", 640, 480, np.array([500.0, 500, 320, 240]))
QUARTER = f"0 0 {0.5**0.5} {0.5**0.5}"
"""xyzw of a turn by 90 degrees about z."""


def tree(folder: Path, content: Mapping[str, str]) -> Path:
    for name, text in content.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def photos(folder: Path, names: list[str], size: tuple[int, int] = (640, 480)) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", size).save(folder / name)


def test_tum(tmp_path: Path) -> None:
    tree(tmp_path, {
        "groundtruth.txt": f"# comment\n100.00 1 2 3 {QUARTER}\n100.10 4 5 6 0 0 0 1\n",
        "rgb.txt": "100.019 rgb/a.png\n100.05 rgb/b.png\n100.115 rgb/c.png\n",
    })  # fmt: skip
    posed = read_tum_folder(tmp_path, {"*": CAMERA})
    poses = poses_of(posed)
    assert set(poses) == {"rgb/a.png", "rgb/c.png"} and set(posed.cameras) == {
        "rgb/a.png", "rgb/b.png", "rgb/c.png",
    }  # fmt: skip
    np.testing.assert_allclose(poses["rgb/a.png"].center, [1, 2, 3], atol=1e-15)
    # world_from_cam turns the camera's x axis to the world's y axis
    np.testing.assert_allclose(poses["rgb/a.png"].rotation @ [0, 1, 0], [1, 0, 0], atol=1e-15)
    assert posed.is_metric and "1 image without a pose" in posed.notes[0]
    few = read_tum_folder(tmp_path, {"a.png": CAMERA})
    assert list(few.cameras) == ["rgb/a.png"] and "2 images without intrinsics" in few.notes[-1]


def test_euroc(tmp_path: Path) -> None:
    """The IMU is at (1, 2, 3), unturned; the cameras are turned and beside it."""
    sensor = (
        "T_BS:\n  cols: 4\n  rows: 4\n  data: [0, -1, 0, {x}, 1, 0, 0, 0.5, 0, 0, 1, 0, 0, 0, 0, 1]"
        "\ncamera_model: pinhole\nintrinsics: [458, 457, 367, 248]\nresolution: [752, 480]\n"
        "distortion_model: radial-tangential\ndistortion_coefficients: [-0.2, 0.07, 0.0, 0.0]\n"
    )
    files = {
        "state_groundtruth_estimate0/data.csv": "#t\n1000000000, 1, 2, 3, 1, 0, 0, 0\n",
        "cam0/sensor.yaml": sensor.format(x=0.1),
        "cam0/data.csv": "#t,f\n1000000000,1.png\n2000000000,2.png\n",
        "cam1/sensor.yaml": sensor.format(x=-0.1),
        "cam1/data.csv": "1000000000,1.png\n",
    }
    tree(tmp_path / "mav0", files)
    posed = read_euroc_folder(tmp_path)
    poses = poses_of(posed)
    assert set(poses) == {"cam0/data/1.png", "cam1/data/1.png"}
    np.testing.assert_allclose(poses["cam0/data/1.png"].center, [1.1, 2.5, 3], atol=1e-12)
    np.testing.assert_allclose(poses["cam1/data/1.png"].center, [0.9, 2.5, 3], atol=1e-12)
    # the camera's x axis is the body's y axis
    np.testing.assert_allclose(poses["cam0/data/1.png"].rotation @ [0, 1, 0], [1, 0, 0], atol=1e-12)
    assert posed.cameras["cam0/data/2.png"].params[2] == 367.5
    assert posed.image_folder == tmp_path / "mav0"
    assert read_posed_images(tmp_path / "mav0").kind == "EuRoC MAV"
    for file in ("cam0", "cam1"):
        (tmp_path / "mav0" / file / "data.csv").unlink()
    with pytest.raises(FormatError, match=r"expected cam0/data\.csv"):
        read_euroc_folder(tmp_path)


def kitti(root: Path) -> Path:
    """Two frames; camera 2 is 0.06 m to the right of camera 0, camera 3 a baseline further."""
    lines = [f"P{camera}: 700 0 320 {offset} 0 700 240 0 0 0 1 0\n" for camera, offset in
             ((0, 0), (2, -42), (3, -420))]  # fmt: skip
    tree(root, {
        "poses/00.txt": "1 0 0 0 0 1 0 0 0 0 1 0\n1 0 0 5 0 1 0 0 0 0 1 1\n",
        "sequences/00/calib.txt": "".join(lines),
        "sequences/00/times.txt": "0\n0.1\n",
    })  # fmt: skip
    photos(root / "sequences" / "00", [f"image_{c}/00000{n}.png" for c in (2, 3) for n in (0, 1)])
    return root / "sequences" / "00"


def test_kitti(tmp_path: Path) -> None:
    sequence = kitti(tmp_path)
    posed = read_kitti_folder(sequence)
    poses = poses_of(posed)
    assert len(poses) == 4 and not posed.notes
    np.testing.assert_allclose(poses["image_2/000001.png"].center, [5.06, 0, 1], atol=1e-12)
    np.testing.assert_allclose(poses["image_3/000000.png"].center, [0.6, 0, 0], atol=1e-12)
    camera = posed.cameras["image_2/000000.png"]
    assert (camera.width, camera.height) == (640, 480) and camera.params[2] == 320.5
    same = read_posed_images(tmp_path / "poses" / "00.txt")
    assert same.kind == "KITTI odometry" and poses_of(same.posed).keys() == poses.keys()


def test_kitti_without_poses_and_with_too_few(tmp_path: Path) -> None:
    sequence = kitti(tmp_path)
    photos(sequence, ["image_2/000002.png"])
    with pytest.raises(FormatError, match=r"2 poses, but .*image_2 an image 000002.png"):
        read_kitti_folder(sequence)
    (tmp_path / "poses" / "00.txt").unlink()
    posed = read_kitti_folder(sequence)
    assert not posed.model.images and len(posed.cameras) == 5 and "without poses" in posed.notes[0]
    photos(sequence, ["image_1/000000.png"])
    with pytest.raises(FormatError, match="no line P1 for image_1"):
        read_kitti_folder(sequence)


def test_rio10(tmp_path: Path) -> None:
    matrix = "0 -1 0 1\n1 0 0 2\n0 0 1 3\n0 0 0 1\n"
    tree(tmp_path, {
        "intrinsics.txt": "".join(f"seq01_0{n} 750 751 270 480\n" for n in (1, 2)),
        "seq01_01/frame-000000.pose.txt": matrix, "seq01_02/frame-000000.pose.txt": matrix,
    })  # fmt: skip
    photos(tmp_path, [f"seq01_0{number}/frame-000000.color.jpg" for number in (1, 2)], (540, 960))
    posed = read_rio10_folder(tmp_path)
    (name,) = poses_of(posed)
    assert name == "seq01_01/frame-000000.color.jpg"
    np.testing.assert_allclose(poses_of(posed)[name].center, [1, 2, 3], atol=1e-12)
    assert posed.notes == ("only the training recording seq01_01 is used",)
    (other,) = poses_of(read_rio10_folder(tmp_path / "seq01_02"))
    assert other == "seq01_02/frame-000000.color.jpg"
    photos(tmp_path, ["seq02_01/frame-000000.color.jpg"], (540, 960))
    with pytest.raises(FormatError, match="scenes have no common frame: give one of seq01_01"):
        read_rio10_folder(tmp_path)
    (tmp_path / "intrinsics.txt").unlink()
    with pytest.raises(FormatError, match="is missing"):
        read_rio10_folder(tmp_path / "seq01_01")


def test_stray_scanner_names_follow_the_frames(tmp_path: Path) -> None:
    scan = tree(tmp_path / "scan", {
        "odometry.csv": "timestamp, frame, x, y, z, qx, qy, qz, qw\n"
        "0.0, 000000, 1, 2, 3, 0, 0, 0, 1\n0.1, 000006, 1, 2, 4, 0, 0, 0, 1\n",
        "camera_matrix.csv": "500, 0, 320\n0, 500, 240\n0, 0, 1\n",
    })  # fmt: skip
    photos(tmp_path / "ours", ["frame_000006.jpg"])
    photos(tmp_path / "ffmpeg", ["000006.jpg"])
    ours = read_stray_folder(scan, tmp_path / "ours")
    assert set(poses_of(ours)) == set(ours.cameras) == {"frame_000000.jpg", "frame_000006.jpg"}
    np.testing.assert_allclose(poses_of(ours)["frame_000006.jpg"].center, [1, 2, 4])
    assert set(poses_of(read_stray_folder(scan, tmp_path / "ffmpeg"))) == {
        "000000.jpg", "000006.jpg",
    }  # fmt: skip
    with pytest.raises(FormatError, match=r"cannot read .*rgb.mp4"):
        read_stray_folder(scan, None)
    photos(tmp_path / "turned", ["frame_000000.jpg"], (480, 640))
    with pytest.raises(FormatError, match=r"480 x 640|640 x 480"):
        read_stray_folder(scan, tmp_path / "turned")
