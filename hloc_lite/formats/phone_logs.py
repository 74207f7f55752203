"""Recordings of phone apps with ARKit poses: Stray Scanner and 3D Scanner App; read only.

Stray Scanner (source: strayrobots/scanner and the answers of its author): a folder with
``rgb.mp4``, ``odometry.csv``, ``camera_matrix.csv``, ``depth/000000.png`` and
``confidence/000000.png``. Lines of ``odometry.csv`` are ``timestamp, frame, x, y, z, qx, qy, qz,
qw``, since 2026 with ``fx, fy, cx, cy`` and two more columns; the first versions had no header and
only the seven numbers of the pose. Poses are world_from_cam with camera axes x right, y down, z
forward.

3D Scanner App (source: programs of its users; it has no public description): files
``frame_00000.json`` with ``cameraPoseARFrame`` (16 numbers by rows, world_from_cam in ARKit's axes:
x right, y up, z backward) and ``intrinsics`` (9 numbers by rows), and ``frame_00000.jpg`` for some.

The world is ARKit's in both: metres, y up. Principal points count from the image corner, as Apple
documents ``ARCamera.intrinsics``. Images are as the sensor has them, mostly landscape. No real
recording of either app was available to test this module.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hloc_lite.errors import FormatError, ShapeError, counted
from hloc_lite.formats.pose_text import (
    content_lines,
    finite_numbers,
    pose_from_matrix,
    pose_from_quat,
    whole_number,
)
from hloc_lite.formats.posed_images import PosedImages, posed_model
from hloc_lite.geometry.frames import camera_axes
from hloc_lite.geometry.plausible_intrinsics import check_given_camera
from hloc_lite.io.files import read_json
from hloc_lite.io.images import open_image, short_reason
from hloc_lite.io.regular_files import is_file
from hloc_lite.types import Camera, Float64, Rigid3

_POSE_COLUMNS = ("x", "y", "z", "qx", "qy", "qz", "qw")
_CAMERA_COLUMNS = ("fx", "fy", "cx", "cy")
_ORIENTATION = 0x0112
"""EXIF tag of the orientation; 1 is upright."""


@dataclass(frozen=True, eq=False)
class StrayFrame:
    """Line of ``odometry.csv``."""

    frame: int
    """Number of the frame, as in the names of depth images."""
    seconds: float | None
    """Time since the phone was started; None in files without times."""
    world_from_cam: Rigid3
    params: Float64 | None
    """(4,) fx, fy, cx, cy in pixels of the video; None if only ``camera_matrix.csv`` has them."""


def read_stray_scanner(folder: Path, image_size: tuple[int, int]) -> PosedImages:
    """Read the poses and intrinsics of the frames of a video; names are ``000000.jpg``.

    The video is not read. Extract its frames under these names without turning them, for example
    with ``ffmpeg -noautorotate -i rgb.mp4 -start_number 0 -fps_mode passthrough %06d.jpg``.
    ``recording_folders.read_stray_folder`` takes the names of ``hloc-lite video``.

    Args:
        folder: recording of Stray Scanner.
        image_size: (width, height) of the video, pixels; iPhones record 1920 x 1440.

    Raises:
        FormatError: a missing or bad file, or intrinsics that do not fit the image size.
    """
    frames = read_stray_odometry(folder / "odometry.csv")
    shared = read_stray_matrix(folder / "camera_matrix.csv")
    cameras: dict[str, Camera] = {}
    for each in frames:
        where = f"{folder / 'odometry.csv'}, frame {each.frame}"
        params = shared if each.params is None else each.params
        cameras[stray_name(each.frame)] = _pinhole(params, image_size, where)
    poses = {stray_name(each.frame): each.world_from_cam.inverse() for each in frames}
    shared_by = sum(each.params is None for each in frames)
    note = (
        f"{counted(shared_by, 'frame')} share the intrinsics of the last one; the phone refocuses, "
        f"so that the focal length may be off by 1 to 2 %"
    )
    return PosedImages(
        model=posed_model(cameras, poses), cameras=cameras, is_metric=True,
        notes=(note,) if shared_by else (),
    )  # fmt: skip


def stray_name(frame: int) -> str:
    """Image name of a frame of ``rgb.mp4``."""
    return f"{frame:06d}.jpg"


def read_stray_odometry(path: Path) -> tuple[StrayFrame, ...]:
    """Read ``odometry.csv``, with columns found by the header; without one, seven per line.

    Raises:
        FormatError: a bad line (with its number), a missing column, or a frame listed twice.
    """
    lines = list(content_lines(path))
    if not lines:
        raise FormatError(f"{path} is empty")
    rows = [(number, [cell.strip() for cell in line.split(",")]) for number, line in lines]
    header = rows[0][1]
    if "qw" in header:
        rows = rows[1:]
    elif len(header) == len(_POSE_COLUMNS):
        header = list(_POSE_COLUMNS)
    missing = set(_POSE_COLUMNS) - set(header)
    if missing or len(set(filter(None, header))) != len([name for name in header if name]):
        raise FormatError(
            f"{path}, line {lines[0][0]}: expected columns timestamp, frame, x, y, z, qx, qy, qz, "
            f"qw, got {lines[0][1][:160]!r}"
        )
    frames: dict[int, StrayFrame] = {}
    for index, (number, cells) in enumerate(rows):
        where = f"{path}, line {number}"
        if len(cells) != len(header):
            raise FormatError(f"{where}: expected {len(header)} columns, got {len(cells)}")
        each = _stray_frame(dict(zip(header, cells, strict=True)), index, where)
        if each.frame in frames:
            raise FormatError(f"{where}: frame {each.frame} is listed twice")
        frames[each.frame] = each
    return tuple(frames.values())


def read_stray_matrix(path: Path) -> Float64:
    """Read ``camera_matrix.csv``, three lines of three numbers.

    Returns:
        (4,) fx, fy, cx, cy in pixels.

    Raises:
        FormatError: another layout.
    """
    rows = [line.split(",") for _, line in content_lines(path)]
    cells = [cell.strip() for row in rows for cell in row]
    if [len(row) for row in rows] != [3, 3, 3]:
        raise FormatError(f"{path}: expected 3 lines of 3 numbers, got {len(cells)} numbers")
    return _focals_center(finite_numbers(cells, str(path)), str(path))


def read_scanner_app(folder: Path) -> PosedImages:
    """Read the images of a recording of 3D Scanner App; names are ``frame_00000.jpg``.

    Frames without a photo, which are most, are left out and counted in a note.

    Raises:
        FormatError: no frames, a bad file, or a photo that is stored turned (EXIF), which the
            poses do not follow.
    """
    files = sorted(folder.glob("frame_*.json"))
    if not files:
        raise FormatError(f"{folder}: expected files frame_00000.json, found none")
    cameras: dict[str, Camera] = {}
    poses: dict[str, Rigid3] = {}
    for path in files:
        photo = path.with_suffix(".jpg")
        if not is_file(photo):
            continue
        params, world_from_cam = read_scanner_app_frame(path)
        cameras[photo.name] = _pinhole(params, _upright_size(photo), str(path))
        poses[photo.name] = world_from_cam.inverse()
    left_out = len(files) - len(poses)
    return PosedImages(
        model=posed_model(cameras, poses),
        cameras=cameras,
        image_folder=folder,
        is_metric=True,
        notes=(f"{counted(left_out, 'frame')} without a photo left out",) if left_out else (),
    )


def read_scanner_app_frame(path: Path) -> tuple[Float64, Rigid3]:
    """Read the JSON file of a frame.

    Returns:
        (4,) fx, fy, cx, cy in pixels, and world_from_cam with camera axes x right, y down,
        z forward.

    Raises:
        FormatError: not JSON, missing keys, or another number of numbers.
    """
    value = read_json(path)
    if not isinstance(value, dict):
        raise FormatError(f"{path}: expected an object with cameraPoseARFrame and intrinsics")
    matrix = _json_numbers(value, "intrinsics", 9, path)
    params = _focals_center(matrix, f"{path}, intrinsics")
    where = f"{path}, cameraPoseARFrame"
    pose = pose_from_matrix(_json_numbers(value, "cameraPoseARFrame", 16, path), where)
    return params, Rigid3(pose.rotation @ camera_axes("opengl"), pose.translation)


def _stray_frame(cells: Mapping[str, str], index: int, where: str) -> StrayFrame:
    x, y, z, qx, qy, qz, qw = finite_numbers([cells[key] for key in _POSE_COLUMNS], where)
    pose = pose_from_quat([qw, qx, qy, qz], [x, y, z], where)
    frame = whole_number(cells["frame"], where, most=999_999) if "frame" in cells else index
    times = finite_numbers([cells["timestamp"]], where) if "timestamp" in cells else [None]
    given = [cells.get(key, "") for key in _CAMERA_COLUMNS]
    params = np.array(finite_numbers(given, where)) if all(given) else None
    return StrayFrame(frame, times[0], pose, params)


def _focals_center(matrix: Sequence[float], where: str) -> Float64:
    """(4,) fx, fy, cx, cy of nine numbers by rows; FormatError for another form of matrix."""
    fx, skew, cx, zero0, fy, cy, zero1, zero2, one = matrix
    if (skew, zero0, zero1, zero2, one) != (0, 0, 0, 0, 1):
        by_columns = cx == 0 and cy == 0 and zero1 != 0
        hint = ": the numbers are stored by columns" if by_columns else ""
        raise FormatError(f"{where}: expected fx 0 cx 0 fy cy 0 0 1, got {list(matrix)}{hint}")
    return np.array([fx, fy, cx, cy])


def _pinhole(params: Float64, image_size: tuple[int, int], where: str) -> Camera:
    try:
        return check_given_camera(Camera("PINHOLE", *image_size, params))
    except (FormatError, ShapeError) as error:
        raise FormatError(f"{where}: {error}") from None


def _json_numbers(value: Mapping[str, object], key: str, count: int, path: Path) -> list[float]:
    numbers = value.get(key)
    is_list = isinstance(numbers, list) and all(
        isinstance(each, int | float) and not isinstance(each, bool) for each in numbers
    )
    if not isinstance(numbers, list) or not is_list or len(numbers) != count:
        raise FormatError(f"{path}: expected {count} numbers under {key!r}")
    try:
        return finite_numbers([str(float(each)) for each in numbers], f"{path}, {key}")
    except OverflowError:
        raise FormatError(f"{path}, {key}: a number is too large") from None


def _upright_size(photo: Path) -> tuple[int, int]:
    try:
        with open_image(photo, with_pixels=False) as image:
            orientation = image.getexif().get(_ORIENTATION, 1)
            size = (image.width, image.height)
    except Exception as error:  # Pillow's decoders raise many kinds of errors on broken files
        raise FormatError(f"cannot read {photo}: {short_reason(error)}") from None
    if orientation != 1:
        raise FormatError(
            f"{photo} is turned by its EXIF data, which the pose does not follow: remove the tag"
        )
    return size
