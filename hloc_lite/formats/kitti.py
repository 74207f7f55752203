"""KITTI odometry (Geiger et al., CVPR 2012): poses, times and calibrations of a sequence.

``poses/00.txt`` has one line of 12 numbers per frame, the first three rows of world_from_cam of
camera 0, row-major. ``sequences/00/times.txt`` has seconds, one per frame. ``calib.txt`` has lines
``P0: 12 numbers`` to ``P3``: the projection of a point in rectified camera 0 to the pixels of a
camera. Frames are ``image_0/000000.png``. Source: the data set's development kit.

No original file was available to test this module. The image size is in none of the files.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hloc_lite.errors import FormatError
from hloc_lite.formats.pose_rows import NumberRows, poses_from_matrices
from hloc_lite.formats.pose_text import content_lines, finite_numbers, number_text
from hloc_lite.formats.trajectories import Trajectory, nanoseconds, seconds_text
from hloc_lite.geometry.plausible_intrinsics import check_given_camera
from hloc_lite.io.files import write_text_atomic
from hloc_lite.types import Camera, Float64, Rigid3

KEYS = ("P0", "P1", "P2", "P3")


@dataclass(frozen=True, eq=False)
class KittiCamera:
    """Rectified camera of a sequence."""

    camera: Camera
    cam_from_cam0: Rigid3
    """Extrinsics, metres: a translation only, as the cameras are rectified."""


def read_kitti_poses(path: Path, times_path: Path | None = None) -> dict[int, Rigid3]:
    """Read a trajectory, one line of 12 numbers per frame.

    Args:
        path: poses of camera 0.
        times_path: ``times.txt`` with the seconds of the frames.

    Returns:
        Nanoseconds -> world_from_cam of camera 0; without times, frame number from 0 -> pose.

    Raises:
        FormatError: a bad line (with its number), or not as many times as poses.
    """
    rows = NumberRows(path, 12)
    for number, line in content_lines(path):
        where, words = f"{path}, line {number}", line.split()
        if len(words) != 12:
            raise FormatError(f"{where}: expected 12 numbers, got {len(words)}")
        rows.add(number, words)
    poses = poses_from_matrices(rows.table.reshape(-1, 3, 4), rows.where)
    if times_path is None:
        return dict(enumerate(poses))
    times = read_kitti_times(times_path)
    if len(times) != len(poses):
        raise FormatError(f"{path} has {len(poses)} poses, but {times_path} {len(times)} times")
    return dict(zip(times, poses, strict=True))


def write_kitti_poses(path: Path, poses: Sequence[Rigid3]) -> None:
    """Write world_from_cam of camera 0, one line per frame."""
    lines = (f"{number_text(pose.matrix[:3].ravel())}\n" for pose in poses)
    write_text_atomic(path, "".join(lines))


def read_kitti_times(path: Path) -> tuple[int, ...]:
    """Read the seconds of the frames as nanoseconds.

    Raises:
        FormatError: a bad line, or times that do not increase.
    """
    times: list[int] = []
    for number, line in content_lines(path):
        where = f"{path}, line {number}"
        times.append(nanoseconds(line, where))
        if len(times) > 1 and times[-1] <= times[-2]:
            raise FormatError(f"{where}: expected a later time than {seconds_text(times[-2])}")
    return tuple(times)


def write_kitti_times(path: Path, trajectory: Trajectory) -> None:
    """Write the times of a trajectory in seconds."""
    write_text_atomic(path, "".join(f"{seconds_text(time)}\n" for time in trajectory))


def read_kitti_calib(path: Path, image_size: tuple[int, int]) -> dict[str, KittiCamera]:
    """Read the cameras of ``calib.txt``; lines other than ``P0`` to ``P3`` are ignored.

    Args:
        path: calibration file.
        image_size: (width, height) of the images of the sequence, pixels.

    Returns:
        ``P0`` to ``P3``, as far as they are given -> camera.

    Raises:
        FormatError: no such line, a line listed twice, or no projection of a rectified camera.
    """
    cameras: dict[str, KittiCamera] = {}
    for number, line in content_lines(path):
        where, (key, _, text) = f"{path}, line {number}", line.partition(":")
        if key not in KEYS:
            continue
        if key in cameras:
            raise FormatError(f"{where}: {key} is listed twice")
        values = finite_numbers(text.split(), where)
        if len(values) != 12:
            raise FormatError(f"{where}: expected 12 numbers, got {len(values)}")
        cameras[key] = _camera(np.reshape(values, (3, 4)), image_size, where)
    if not cameras:
        raise FormatError(f"{path}: expected lines 'P0: 12 numbers' to 'P3'")
    return cameras


def write_kitti_calib(path: Path, cameras: Mapping[str, KittiCamera]) -> None:
    """Write cameras in the format of ``read_kitti_calib``.

    Raises:
        FormatError: another name or model, or a camera that is turned against camera 0.
    """
    lines = []
    for key, each in cameras.items():
        if key not in KEYS or each.camera.model != "PINHOLE":
            raise FormatError(f"calib.txt holds PINHOLE cameras P0 to P3, not {key} {each.camera}")
        if not np.allclose(each.cam_from_cam0.rotation, np.eye(3), rtol=0, atol=1e-9):
            raise FormatError(f"{key}: calib.txt holds rectified cameras, this one is turned")
        fx, fy, cx, cy = each.camera.params - [0, 0, 0.5, 0.5]
        matrix = np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]])
        columns = np.column_stack([matrix, matrix @ each.cam_from_cam0.translation])
        lines.append(f"{key}: {number_text(columns.ravel())}\n")
    write_text_atomic(path, "".join(lines))


def _camera(matrix: Float64, image_size: tuple[int, int], where: str) -> KittiCamera:
    fx, fy, cx, cy = matrix[0, 0], matrix[1, 1], matrix[0, 2], matrix[1, 2]
    if not np.array_equal(matrix[:, :3], [[fx, 0, cx], [0, fy, cy], [0, 0, 1]]):
        raise FormatError(f"{where}: expected fx 0 cx . 0 fy cy . 0 0 1 ., got {matrix.tolist()}")
    try:
        camera = check_given_camera(Camera("PINHOLE", *image_size, _add_half_pixel(fx, fy, cx, cy)))
    except FormatError as error:
        raise FormatError(f"{where}: {error}") from None
    translation = np.asarray(np.linalg.solve(matrix[:, :3], matrix[:, 3]), np.float64)
    if not np.isfinite(translation).all():
        raise FormatError(f"{where}: the fourth column is too large")
    return KittiCamera(camera, Rigid3(np.eye(3), translation))


def _add_half_pixel(fx: float, fy: float, cx: float, cy: float) -> Float64:
    """PINHOLE parameters whose principal point counts from the corner of the first pixel.

    The file's counts from the centre of that pixel, as OpenCV's calibrations do.
    """
    return np.array([fx, fy, cx + 0.5, cy + 0.5])
