"""EuRoC MAV (Burri et al., IJRR 2016): trajectories, image lists and sensor files of ASL's format.

A recording is a folder ``mav0`` with a folder of each sensor. The trajectory,
``state_groundtruth_estimate0/data.csv``, has lines ``ns, p_x, p_y, p_z, q_w, q_x, q_y, q_z, ...``:
world_from_body in metres, where the body is the IMU. ``cam0/data.csv`` has lines ``ns,filename``,
and ``cam0/sensor.yaml`` the extrinsics ``T_BS`` (body from sensor) and the intrinsics. Lines that
start with '#' name the columns. Source: the data set's page and paper.

No original file was available to test this module. Of YAML only the few lines above are read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from hloc_lite.errors import FormatError, ShapeError
from hloc_lite.formats.pose_rows import NumberRows, poses_from_quats
from hloc_lite.formats.pose_text import (
    content_lines,
    finite_numbers,
    image_name,
    number_text,
    pose_from_matrix,
    whole_number,
)
from hloc_lite.formats.trajectories import Trajectory, add_time
from hloc_lite.geometry.plausible_intrinsics import check_given_camera
from hloc_lite.geometry.rotations import quat_wxyz_from_rotation
from hloc_lite.io.files import read_text, write_text_atomic
from hloc_lite.types import Camera, Float64, Rigid3

MAX_NS = 9 * 10**18
"""Largest time in nanoseconds, a limit of 64-bit numbers."""
_POSE_HEADER = (
    "#timestamp, p_RS_R_x [m], p_RS_R_y [m], p_RS_R_z [m], q_RS_w [], q_RS_x [], q_RS_y [], "
    "q_RS_z []\n"
)
_IMAGE_HEADER = "#timestamp [ns],filename\n"
_AXES = ("w", "x", "y", "z")
_COMMENT = re.compile(r"(?:^|(?<=\s))#.*", re.MULTILINE)
_EXTRINSICS = re.compile(
    r"^T_BS:[ \t]*\n(?:[ \t]+(?:cols|rows):[ \t]*4[ \t]*\n){0,2}"
    r"[ \t]+data:[ \t]*\[([^\[\]]{1,4000})\]",
    re.MULTILINE,
)
_LIST = r"^{key}:[ \t]*\[([^\[\]]{{1,1000}})\]"
_WORD = r"^{key}:[ \t]*([\w-]{{1,40}})[ \t]*$"


def read_euroc(path: Path) -> dict[int, Rigid3]:
    """Read a trajectory from ``data.csv``; columns after the quaternion are ignored.

    Returns:
        Nanoseconds -> world_from_body, in the order of the file.

    Raises:
        FormatError: a bad line (with its number), a header with another order of columns, or a time
            listed twice.
    """
    _check_header(path)
    times: dict[int, None] = {}
    rows = NumberRows(path, 7)
    for number, line in content_lines(path):
        where, words = f"{path}, line {number}", [word.strip() for word in line.split(",")]
        if len(words) < 8:
            raise FormatError(
                f"{where}: expected 'ns, px, py, pz, qw, qx, qy, qz, ...', got {line[:80]!r}"
            )
        add_time(times, whole_number(words[0], where, most=MAX_NS), where)
        rows.add(number, words[1:8])
    poses = poses_from_quats(rows.table[:, 3:], rows.table[:, :3], rows.where)
    return dict(zip(times, poses, strict=True))


def write_euroc(path: Path, trajectory: Trajectory) -> None:
    """Write a trajectory of world_from_body in the format of ``read_euroc``."""
    lines = [_POSE_HEADER]
    for time, pose in trajectory.items():
        values = [*pose.translation, *quat_wxyz_from_rotation(pose.rotation)]
        lines.append(f"{time},{number_text(values, ',')}\n")
    write_text_atomic(path, "".join(lines))


def read_euroc_images(path: Path) -> dict[str, int]:
    """Read the ``data.csv`` of a camera, ``ns,filename`` per line.

    Returns:
        Image name, relative to the folder ``data`` beside the file -> nanoseconds.

    Raises:
        FormatError: a bad line (with its number), or a name listed twice.
    """
    times: dict[str, int] = {}
    for number, line in content_lines(path):
        where, words = f"{path}, line {number}", [word.strip() for word in line.split(",", 1)]
        if len(words) != 2 or not words[1]:
            raise FormatError(f"{where}: expected 'ns,filename', got {line[:80]!r}")
        name = image_name(words[1], where)
        if name in times:
            raise FormatError(f"{where}: {name!r} is listed twice")
        times[name] = whole_number(words[0], where, most=MAX_NS)
    return times


def write_euroc_images(path: Path, times: Mapping[str, int]) -> None:
    """Write a camera's image list in the format of ``read_euroc_images``.

    Raises:
        FormatError: a name that such a file cannot store.
    """
    for name in times:
        if not name or name != name.strip() or set(name) & set("\n\r\0"):
            raise FormatError(f"data.csv cannot hold the name {name!r}")
    lines = (f"{time},{name}\n" for name, time in times.items())
    write_text_atomic(path, _IMAGE_HEADER + "".join(lines))


def read_euroc_extrinsics(path: Path) -> Rigid3:
    """Read ``T_BS`` of ``sensor.yaml`` as cam_from_body, its inverse.

    Raises:
        FormatError: no such block of 16 numbers, or no rigid transform.
    """
    match = _EXTRINSICS.search(_yaml_text(path))
    if match is None:
        raise FormatError(f"{path}: expected a block 'T_BS:' with 'data: [16 numbers]'")
    values = _numbers(match[1], 16, f"{path}, T_BS")
    return pose_from_matrix(values, f"{path}, T_BS").inverse()


def read_euroc_camera(path: Path) -> Camera:
    """Read the intrinsics of ``sensor.yaml`` as an OPENCV camera.

    Raises:
        FormatError: a missing line, or other models than pinhole and radial-tangential.
    """
    text = _yaml_text(path)
    models = [_found(text, _WORD, key, path) for key in ("camera_model", "distortion_model")]
    if models != ["pinhole", "radial-tangential"]:
        raise FormatError(f"{path}: expected pinhole with radial-tangential, got {models}")
    focals_center = _numbers(_found(text, _LIST, "intrinsics", path), 4, f"{path}, intrinsics")
    distortion = _numbers(
        _found(text, _LIST, "distortion_coefficients", path), 4, f"{path}, distortion_coefficients"
    )
    where = f"{path}, resolution"
    words = _found(text, _LIST, "resolution", path).split(",")
    size = [whole_number(word.strip(), where, least=1) for word in words]
    if len(size) != 2:
        raise FormatError(f"{where}: expected 2 numbers, got {len(size)}")
    params = _add_half_pixel(np.array([*focals_center, *distortion]))
    try:
        return check_given_camera(Camera("OPENCV", size[0], size[1], params))
    except (FormatError, ShapeError) as error:
        raise FormatError(f"{path}: {error}") from None


def _add_half_pixel(params: Float64) -> Float64:
    """Camera parameters whose principal point counts from the corner of the first pixel.

    The file's counts from the centre of that pixel, as OpenCV's calibrations do.
    """
    shifted = params.copy()
    shifted[2:4] += 0.5
    return shifted


def _check_header(path: Path) -> None:
    """Refuse a header whose columns 4 to 7 are not the quaternion, w first."""
    first = read_text(path).split("\n", 1)[0]
    names = [name.split("[")[0].strip() for name in first.split(",")]
    if not first.startswith("#") or len(names) < 8:
        return
    axes = tuple(name[-1:].lower() for name in names[4:8])
    if axes != _AXES:
        raise FormatError(
            f"{path}, line 1: expected columns time, p x y z, q w x y z, got {first[:160]!r}"
        )


def _yaml_text(path: Path) -> str:
    return _COMMENT.sub("", read_text(path))


def _found(text: str, pattern: str, key: str, path: Path) -> str:
    matches = re.findall(pattern.format(key=key), text, re.MULTILINE)
    if len(matches) != 1:
        raise FormatError(f"{path}: expected one line '{key}: ...', found {len(matches)}")
    return str(matches[0])


def _numbers(text: str, count: int, where: str) -> list[float]:
    words = [word.strip() for word in text.strip().removesuffix(",").split(",")]
    if len(words) != count:
        raise FormatError(f"{where}: expected {count} numbers, got {len(words)}")
    return finite_numbers(words, where)
