"""Small valid recordings of a moving camera, as their programs write them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from hloc_lite.formats.euroc import write_euroc, write_euroc_images
from hloc_lite.formats.four_seasons import (
    write_four_seasons_calib,
    write_four_seasons_poses,
    write_four_seasons_stereo,
)
from hloc_lite.formats.kitti import (
    KittiCamera,
    write_kitti_calib,
    write_kitti_poses,
    write_kitti_times,
)
from hloc_lite.formats.rio10 import (
    IMAGE_SIZE,
    write_rio10_frames,
    write_rio10_intrinsics,
    write_rio10_poses,
)
from hloc_lite.formats.trajectories import write_tum, write_tum_images
from hloc_lite.geometry.rotations import quat_wxyz_from_rotation
from hloc_lite.types import Camera, Rigid3
from pipelines.benchmarks.robustness.sample_model import (
    NAMES,
    SIZE,
    STEP_NS,
    poses_of,
    sample_model,
    write_photos,
)


def _trajectory() -> dict[int, Rigid3]:
    """Nanoseconds -> world_from_cam of as many frames as there are names."""
    poses = poses_of(sample_model()).values()
    return {number * STEP_NS: pose.inverse() for number, pose in enumerate(poses)}


def write_tum_sample(folder: Path) -> None:
    """Write a sequence of TUM RGB-D into an empty folder."""
    write_tum(folder / "groundtruth.txt", _trajectory())
    write_tum_images(
        folder / "rgb.txt", {f"rgb/{number}.png": time for number, time in enumerate(_trajectory())}
    )


def write_euroc_sample(folder: Path) -> None:
    """Write a recording of EuRoC MAV into an empty folder."""
    root = folder / "mav0"
    write_euroc(root / "state_groundtruth_estimate0" / "data.csv", _trajectory())
    write_euroc_images(root / "cam0" / "data.csv", {f"{time}.png": time for time in _trajectory()})
    (root / "cam0" / "sensor.yaml").write_text(
        "sensor_type: camera\nT_BS:\n  cols: 4\n  rows: 4\n"
        "  data: [0.0, -1.0, 0.0, 0.1, 1.0, 0.0, 0.0, 0.2, 0.0, 0.0, 1.0, 0.3, 0, 0, 0, 1]\n"
        "camera_model: pinhole\nintrinsics: [458.6, 457.2, 367.2, 248.3]\nresolution: [752, 480]\n"
        "distortion_model: radial-tangential\ndistortion_coefficients: [-0.28, 0.07, 0.0, 0.0]\n",
        encoding="utf-8",
    )


def write_kitti_sample(folder: Path) -> None:
    """Write a sequence of KITTI odometry into an empty folder."""
    sequence = folder / "sequences" / "00"
    write_photos(sequence, [f"image_2/{number:06d}.png" for number in range(len(NAMES))])
    write_kitti_poses(folder / "poses" / "00.txt", list(_trajectory().values()))
    write_kitti_times(sequence / "times.txt", _trajectory())
    baseline = Rigid3(np.eye(3), np.array([-0.06, 0.0, 0.0]))
    camera = Camera("PINHOLE", *SIZE, np.array([700.0, 700, 320, 240]))
    write_kitti_calib(sequence / "calib.txt", {"P2": KittiCamera(camera, baseline)})


def write_four_seasons_sample(folder: Path) -> None:
    """Write a recording of 4Seasons into an empty folder."""
    camera = Camera("PINHOLE", 800, 400, np.array([500.0, 500, 400, 200]))
    for number in (0, 1):
        write_four_seasons_calib(folder / "Calibration" / f"undistorted_calib_{number}.txt", camera)
    stereo = Rigid3(np.eye(3), np.array([-0.3, 0.0, 0.0]))
    write_four_seasons_stereo(folder / "Calibration" / "undistorted_calib_stereo.txt", stereo)
    poses = {str(1600000000 + time): pose for time, pose in _trajectory().items()}
    write_four_seasons_poses(folder / "poses.txt", poses)


def write_rio10_sample(folder: Path) -> None:
    """Write a recording of RIO10 into an empty folder."""
    names = [f"seq01_01/frame-{number:06d}.color.jpg" for number in range(2)]
    write_photos(folder, names, IMAGE_SIZE)
    write_rio10_frames(folder, poses_of(sample_model(names)))
    camera = Camera("PINHOLE", *IMAGE_SIZE, np.array([750.0, 750, 270, 480]))
    write_rio10_intrinsics(folder / "intrinsics.txt", {"seq01_01": camera})


def write_rio10_list_sample(folder: Path) -> None:
    """Write a list of poses of RIO10 with its intrinsics into an empty folder."""
    names = [f"seq01_02/frame-{number:06d}.color.jpg" for number in range(2)]
    write_rio10_poses(folder / "GT_RIO10.txt", poses_of(sample_model(names)))
    camera = Camera("PINHOLE", *IMAGE_SIZE, np.array([750.0, 750, 270, 480]))
    write_rio10_intrinsics(folder / "intrinsics.txt", {"seq01_02": camera})


def write_stray_scanner_sample(folder: Path) -> None:
    """Write a recording of Stray Scanner into an empty folder."""
    write_photos(folder, ("frame_000000.jpg", "frame_000001.jpg"))
    lines = ["timestamp, frame, x, y, z, qx, qy, qz, qw"]
    for number, pose in enumerate(list(_trajectory().values())[:2]):
        w, x, y, z = quat_wxyz_from_rotation(pose.rotation)
        values = ", ".join(repr(float(value)) for value in (*pose.translation, x, y, z, w))
        lines.append(f"{number / 60}, {number:06d}, {values}")
    (folder / "odometry.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    matrix = "500.0, 0.0, 320.0\n0.0, 500.0, 240.0\n0.0, 0.0, 1.0\n"
    (folder / "camera_matrix.csv").write_text(matrix, encoding="utf-8")


def write_scanner_app_sample(folder: Path) -> None:
    """Write a recording of 3D Scanner App into an empty folder."""
    for number, pose in enumerate(list(_trajectory().values())[:2]):
        write_photos(folder, [f"frame_{number:05d}.jpg"])
        content = {
            "cameraPoseARFrame": pose.matrix.ravel().tolist(),
            "intrinsics": [500.0, 0, 320, 0, 500, 240, 0, 0, 1],
            "time": 1.5,
        }
        (folder / f"frame_{number:05d}.json").write_text(json.dumps(content), encoding="utf-8")
