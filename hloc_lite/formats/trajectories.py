"""Trajectories: poses by time, and how they become poses of images; the text format of TUM RGB-D.

A ``Trajectory`` maps times in whole nanoseconds to world_from_body, where the body is the camera
unless the format says otherwise. Nanoseconds are whole numbers, since floats cannot hold them.

TUM's files have lines ``timestamp tx ty tz qx qy qz qw`` with seconds, world_from_cam and '#'
comments; its image lists ``rgb.txt`` have lines ``timestamp filename``. Source: the page on file
formats of the TUM RGB-D benchmark. No original file was available to test this module.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Mapping
from pathlib import Path

from hloc_lite.errors import FormatError, counted
from hloc_lite.formats.hloc_lists import check_names
from hloc_lite.formats.pose_directions import direction_notes
from hloc_lite.formats.pose_rows import NumberRows, poses_from_quats
from hloc_lite.formats.pose_text import (
    content_lines,
    finite_numbers,
    image_name,
    number_text,
)
from hloc_lite.formats.posed_images import PosedImages, posed_model
from hloc_lite.geometry.rotations import quat_wxyz_from_rotation
from hloc_lite.io.files import write_text_atomic
from hloc_lite.types import Camera, Rigid3

Trajectory = Mapping[int, Rigid3]
"""Time in nanoseconds -> world_from_body, or frame number -> pose where a format has no times."""

NS_PER_SECOND = 10**9
MAX_SECONDS = 9 * 10**9
"""Larger times are refused, as they do not fit 64-bit nanoseconds: they are not in seconds."""
_DECIMAL_SECONDS = re.compile(r"([+-]?)(\d{1,20})(?:\.(\d{0,100}))?", re.ASCII)


def posed_by_time(
    trajectory: Trajectory,
    image_times: Mapping[str, int],
    cameras: Mapping[str, Camera],
    *,
    tolerance: int,
    cam_from_body: Rigid3 | None = None,
    image_folder: Path | None = None,
) -> PosedImages:
    """Give each image the pose of the nearest time.

    Args:
        trajectory: time -> world_from_body.
        image_times: image name -> time, in the unit and clock of the trajectory.
        cameras: intrinsics of at least these images.
        tolerance: largest difference of the times, in the unit of the trajectory: nanoseconds, or
            frames. Of two times that are equally near, the earlier one counts.
        cam_from_body: extrinsics; None if the body is the camera.
        image_folder: folder that the names are relative to.

    Returns:
        Posed images. Images without a pose near them have only intrinsics, and a note counts them.

    Raises:
        FormatError: an image without intrinsics, or no image that has a pose.
    """
    missing = [name for name in image_times if name not in cameras]
    if missing:
        raise FormatError(
            f"no intrinsics of {counted(len(missing), 'image')}, first {missing[0]!r}"
        )
    times = sorted(trajectory)
    from_body = Rigid3.identity() if cam_from_body is None else cam_from_body
    poses: dict[str, Rigid3] = {}
    for name, time in image_times.items():
        nearest = _nearest(times, time)
        if nearest is not None and abs(nearest - time) <= tolerance:
            poses[name] = from_body.compose(trajectory[nearest].inverse())
    if not poses and image_times:
        raise FormatError(_no_overlap(times, image_times, tolerance))
    notes = direction_notes([trajectory[time] for time in times], "trajectory")
    left_out = len(image_times) - len(poses)
    if left_out:
        notes += (
            f"{counted(left_out, 'image')} without a pose within the tolerance of {tolerance}",
        )
    return PosedImages(
        model=posed_model(cameras, poses),
        cameras={name: cameras[name] for name in image_times},
        image_folder=image_folder,
        is_metric=True,
        notes=notes,
    )


def read_tum(path: Path) -> dict[int, Rigid3]:
    """Read a trajectory of TUM's format; columns may also be separated by commas.

    Returns:
        Nanoseconds -> world_from_cam, in the order of the file.

    Raises:
        FormatError: a bad line (with its number), or a time listed twice.
    """
    times: dict[int, None] = {}
    rows = NumberRows(path, 7)
    for number, line in content_lines(path):
        where, words = f"{path}, line {number}", line.replace(",", " ").split()
        if len(words) != 8:
            raise FormatError(
                f"{where}: expected 'timestamp tx ty tz qx qy qz qw', got {line[:80]!r}"
            )
        add_time(times, nanoseconds(words[0], where), where)
        rows.add(number, words[1:])
    poses = poses_from_quats(rows.table[:, [6, 3, 4, 5]], rows.table[:, :3], rows.where)
    return dict(zip(times, poses, strict=True))


def write_tum(path: Path, trajectory: Trajectory) -> None:
    """Write a trajectory in TUM's format, times to the nanosecond, poses in full precision."""
    lines = []
    for time, pose in trajectory.items():
        w, x, y, z = quat_wxyz_from_rotation(pose.rotation)
        lines.append(f"{seconds_text(time)} {number_text([*pose.translation, x, y, z, w])}\n")
    write_text_atomic(path, "".join(lines))


def read_tum_images(path: Path) -> dict[str, int]:
    """Read an image list, ``timestamp filename`` per line.

    Returns:
        Image name -> nanoseconds.

    Raises:
        FormatError: a bad line (with its number), a name listed twice, or one that leads out of the
            folder.
    """
    times: dict[str, int] = {}
    for number, line in content_lines(path):
        where, words = f"{path}, line {number}", line.split(maxsplit=1)
        if len(words) != 2:
            raise FormatError(f"{where}: expected 'timestamp filename', got {line[:80]!r}")
        name = image_name(words[1], where)
        if name in times:
            raise FormatError(f"{where}: {name!r} is listed twice")
        times[name] = nanoseconds(words[0], where)
    return times


def write_tum_images(path: Path, times: Mapping[str, int]) -> None:
    """Write an image list in the format of ``read_tum_images``.

    Raises:
        FormatError: a name that such a file cannot store.
    """
    check_names(times)
    lines = (f"{seconds_text(time)} {name}\n" for name, time in times.items())
    write_text_atomic(path, "".join(lines))


def nanoseconds(word: str, where: str) -> int:
    """Parse seconds exactly; digits below a nanosecond are cut off.

    Raises:
        FormatError: no number, or too large for seconds.
    """
    match = _DECIMAL_SECONDS.fullmatch(word)
    if match is not None:
        fraction = f"{match[3] or '':0<9}"[:9]
        time = int(match[2]) * NS_PER_SECOND + int(fraction)
        time = -time if match[1] == "-" else time
    else:  # such as 1.3e+09: exact to about 0.2 microseconds
        (seconds,) = finite_numbers([word], where)
        time = round(min(max(seconds, -1e20), 1e20) * NS_PER_SECOND)
    if abs(time) > MAX_SECONDS * NS_PER_SECOND:
        raise FormatError(
            f"{where}: {word[:40]} is no time in seconds: is it in nanoseconds or microseconds?"
        )
    return time


def seconds_text(time: int) -> str:
    """Seconds with nine decimals, exactly."""
    sign = "-" if time < 0 else ""
    whole, rest = divmod(abs(time), NS_PER_SECOND)
    return f"{sign}{whole}.{rest:09d}"


def add_time(times: dict[int, None], time: int, where: str) -> None:
    """Add a time of a trajectory that is being read.

    Raises:
        FormatError: it was there before.
    """
    if time in times:
        raise FormatError(f"{where}: the time {time} (nanoseconds) is listed twice")
    times[time] = None


def _nearest(times: list[int], time: int) -> int | None:
    """Nearest of ascending times; of two that are equally near the earlier one."""
    after = bisect_left(times, time)
    around = times[max(after - 1, 0) : after + 1]
    return min(around, key=lambda each: (abs(each - time), each)) if around else None


def _no_overlap(times: list[int], image_times: Mapping[str, int], tolerance: int) -> str:
    spans = [
        f"{min(each)} to {max(each)}" if each else "none"
        for each in (times, list(image_times.values()))
    ]
    return (
        f"no image has a pose within the tolerance of {tolerance}: times of poses {spans[0]}, of "
        f"images {spans[1]}; are both in the same unit and from the same clock?"
    )
