"""Lists of poses, one image per line: told apart by their columns, and read as posed images.

``name qw qx qy qz tx ty tz`` is the form of hloc and of visuallocalization.net. Pseudo ground truth
adds the focal length. RIO10's lists and that of SILDa have the same columns as hloc's, but
world_from_cam; they are told by the form of their names and by their file name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

from hloc_lite.errors import FormatError, counted
from hloc_lite.formats.given_intrinsics import given_cameras
from hloc_lite.formats.hloc_lists import read_poses
from hloc_lite.formats.image_lookup import ImageLookup, clean_name
from hloc_lite.formats.pose_directions import direction_notes
from hloc_lite.formats.pose_text import content_lines, image_name
from hloc_lite.formats.posed_images import PosedImages, posed_model
from hloc_lite.formats.pseudo_truth import read_pseudo_truth
from hloc_lite.formats.rio10 import read_rio10_poses, rio10_truth
from hloc_lite.geometry.rotations import check_unit_quaternion
from hloc_lite.io.image_names import natural_key
from hloc_lite.types import Camera, Rigid3

SILDA_FILE = "silda-train-poses.txt"
RIO10_INTRINSICS = "intrinsics.txt"
"""File beside a list of RIO10, or above its recordings."""
_PUBLISHED_NAME = re.compile(r"frame-\d{6}\.color\.(png|jpg)$")
"""End of the names in the pseudo ground truth of 7-Scenes and 12-Scenes, which is in metres."""
_RIO10_LINE = re.compile(r"seq\d{2}_\d{2}/frame-\d{6}\s")


def count_pose_columns(lines: list[str]) -> int:
    """Number of columns after the names in lines of a list of poses; 0 if they are none.

    Args:
        lines: first lines of a file, without comments. All of them must have a unit quaternion
            behind the name.

    Returns:
        7, or 8 with a focal length. 0 also for RIO10, whose poses are the inverses, and for
        trajectories, whose positions may have length 1 like a quaternion.
    """
    if is_rio10_list(lines) or is_trajectory(lines):
        return 0
    counts = {_count_numbers(line) for line in lines}
    columns = min(counts, default=0)
    if columns not in (7, 8) or not all(_has_quaternion(line, columns) for line in lines):
        return 0
    return columns


def is_rio10_list(lines: list[str]) -> bool:
    """Return True for lines of a list of RIO10."""
    return bool(lines) and all(_RIO10_LINE.match(line) for line in lines)


def is_trajectory(lines: list[str]) -> bool:
    """Return True for lines of poses by time, ``timestamp tx ty tz qx qy qz qw``.

    Where the positions have length 1, the columns could also be ``name qw qx qy qz tx ty tz``. Then
    it is a trajectory if the first numbers increase, which no names of photos with suffixes do.
    """
    rows = [line.replace(",", " ").split() for line in lines]
    fits = bool(rows) and all(
        len(row) == 8 and _count_numbers(" ".join(["x", *row])) == 8 and _is_unit(row[4:])
        for row in rows
    )
    if not fits or not all(_is_unit(row[1:5]) for row in rows):
        return fits
    times = [float(row[0]) for row in rows]
    return all(time < later for time, later in pairwise(times))


def read_pose_list(path: Path, cameras: Mapping[str, Camera] | None) -> PosedImages:
    """Read a list of cam_from_world with given intrinsics; images without them are left out.

    Raises:
        FormatError: a bad line, a name that leads out of the image folder, or no intrinsics.
    """
    return _with_intrinsics(path, read_poses(path), cameras)


def read_silda_list(path: Path, cameras: Mapping[str, Camera] | None) -> PosedImages:
    """Read SILDa's list of world_from_cam with given intrinsics.

    Raises:
        FormatError: see ``read_pose_list``.
    """
    file = path / SILDA_FILE if path.is_dir() else path
    poses = {name: pose.inverse() for name, pose in read_poses(file).items()}
    return _with_intrinsics(file, poses, cameras)


def read_rio10_list(path: Path, cameras: Mapping[str, Camera] | None) -> PosedImages:
    """Read a list of RIO10 with given intrinsics, else those of ``intrinsics.txt`` beside it.

    Raises:
        FormatError: a bad line, or no intrinsics.
    """
    beside = path.with_name(RIO10_INTRINSICS)
    if cameras is None and beside.is_file():
        return rio10_truth(path, beside)
    return _with_intrinsics(path, read_rio10_poses(path), cameras)


def read_pseudo_truth_list(path: Path, image_folder: Path | None) -> PosedImages:
    """Read poses and focal lengths; the image size is that of the photos.

    Raises:
        FormatError: a bad line, none of the photos is in the folder, or they differ in size.
    """
    names = [
        clean_name(line.rsplit(maxsplit=8)[0], f"{path}, line {number}")
        for number, line in content_lines(path)
    ]
    lookup = ImageLookup(folder=image_folder)
    sizes = {size for name in names if (size := lookup.find_size(name)) is not None}
    if len(sizes) != 1:
        found = f"{len(sizes)} different sizes" if sizes else f"none of them in {image_folder}"
        raise FormatError(
            f"{path} has focal lengths, but no image sizes: expected photos of one size, such as "
            f"{names[0]!r}, found {found}. Give the image folder that the names are relative to"
            if names
            else f"{path} lists no poses"
        )
    width, height = sizes.pop()
    posed = read_pseudo_truth(path, (width, height))
    is_published = all(_PUBLISHED_NAME.search(name) for name in names)
    note = f"the last column is taken for the focal length in photos of {width} x {height} pixels"
    return replace(posed, is_metric=is_published, notes=(*posed.notes, note))


def _with_intrinsics(
    path: Path, poses: Mapping[str, Rigid3], given: Mapping[str, Camera] | None
) -> PosedImages:
    for name in poses:
        image_name(name, str(path))
    cameras = given_cameras(poses, given, str(path))
    in_order = [poses[name].inverse() for name in sorted(poses, key=natural_key)]
    notes = direction_notes(
        in_order, "poses", other="world_from_cam, or the last columns camera centres"
    )
    missing = len(poses) - len(cameras)
    if missing:
        notes += (f"{counted(missing, 'image')} without intrinsics: left out",)
    model = posed_model(cameras, {name: poses[name] for name in cameras})
    return PosedImages(model=model, cameras=cameras, notes=notes)


def _count_numbers(line: str) -> int:
    """Number of numbers at the end of a line, behind the first word."""
    count = 0
    for word in reversed(line.split()[1:]):
        try:
            float(word)
        except ValueError:
            break
        count += 1
    return count


def _has_quaternion(line: str, columns: int) -> bool:
    return _is_unit(line.split()[-columns:][:4])


def _is_unit(words: list[str]) -> bool:
    try:
        check_unit_quaternion([float(word) for word in words])
    except FormatError:
        return False
    return True
