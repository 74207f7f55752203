"""4Seasons (Wenzel et al., GCPR 2020): stereo recordings of a car, and its relocalization files.

A recording is a folder with ``undistorted_images/cam{0,1}/TIMESTAMP.png``, ``poses.txt``, and
``Calibration`` (or ``calib``) with ``undistorted_calib_{0,1}.txt`` and
``undistorted_calib_stereo.txt``.

* ``poses.txt``: lines ``timestamp, tx, ty, tz, qx, qy, qz, qw`` with commas or spaces,
  world_from_cam of camera 0 (left), metres.
* calibration: line 1 ``Pinhole fx fy cx cy 0``, line 2 ``WIDTH HEIGHT``.
* relocalization and result files: lines ``ref_timestamp query_timestamp``, and with a pose
  ``tx ty tz qx qy qz qw`` after them, query_from_reference of camera 0.

Sources: the data set's page, pmwenzel/4seasons-dataset, and hloc's pipeline for it. No original
file was available to test this module.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hloc_lite.errors import FormatError, ShapeError, counted
from hloc_lite.formats.pose_directions import direction_notes
from hloc_lite.formats.pose_text import (
    content_lines,
    finite_numbers,
    matrix_text,
    number_text,
    pose_from_matrix,
    pose_from_quat,
    whole_number,
)
from hloc_lite.formats.posed_images import PosedImages, posed_model
from hloc_lite.formats.seven_scenes import matrix_numbers
from hloc_lite.geometry.plausible_intrinsics import check_given_camera
from hloc_lite.geometry.rotations import quat_wxyz_from_rotation
from hloc_lite.io.files import write_text_atomic
from hloc_lite.io.regular_files import is_file
from hloc_lite.types import Camera, Float64, Rigid3

IMAGE_FOLDER = "undistorted_images"
_CALIBRATION_FOLDERS = ("Calibration", "calib", "calibration")
_TIMESTAMP = re.compile(r"\d{1,19}", re.ASCII)


@dataclass(frozen=True, eq=False)
class Relocalization:
    """Line of a relocalization file: a pair of recordings' frames and, if known, their pose."""

    reference: str
    """Timestamp of the reference frame, digits as in its file name."""
    query: str
    """Timestamp of the query frame."""
    query_from_reference: Rigid3 | None = None
    """Relative pose of camera 0, metres."""


def read_four_seasons(recording: Path, *, stereo: bool = True) -> PosedImages:
    """Read the posed images of a recording; names are ``cam0/TIMESTAMP.png``.

    Args:
        recording: folder with ``poses.txt`` and the calibration.
        stereo: also return the images of the right camera, ``cam1``.

    Raises:
        FormatError: a missing or bad file.
    """
    folder = calibration_folder(recording)
    by_camera = {"cam0": read_four_seasons_calib(folder / "undistorted_calib_0.txt")}
    from_cam0 = {"cam0": Rigid3.identity()}
    if stereo:
        by_camera["cam1"] = read_four_seasons_calib(folder / "undistorted_calib_1.txt")
        from_cam0["cam1"] = read_four_seasons_stereo(folder / "undistorted_calib_stereo.txt")
    trajectory = read_four_seasons_poses(recording / "poses.txt")
    poses = {
        f"{key}/{timestamp}.png": from_cam0[key].compose(world_from_cam.inverse())
        for key in by_camera
        for timestamp, world_from_cam in trajectory.items()
    }
    cameras = {name: by_camera[name.split("/")[0]] for name in poses}
    images = recording / IMAGE_FOLDER
    notes = direction_notes(
        [trajectory[key] for key in sorted(trajectory, key=int)], str(recording / "poses.txt")
    )
    if images.is_dir():
        absent = sum(not is_file(images / name) for name in poses)
        if absent:
            notes += (f"{counted(absent, 'posed image')} not found in {images}",)
    return PosedImages(
        model=posed_model(cameras, poses), cameras=cameras, image_folder=images, is_metric=True,
        notes=notes,
    )  # fmt: skip


def read_four_seasons_poses(path: Path) -> dict[str, Rigid3]:
    """Read ``poses.txt``.

    Returns:
        Timestamp (digits) -> world_from_cam of camera 0, in the order of the file.

    Raises:
        FormatError: a bad line (with its number), or a timestamp listed twice.
    """
    poses: dict[str, Rigid3] = {}
    for number, line in content_lines(path):
        where, words = f"{path}, line {number}", line.replace(",", " ").split()
        if len(words) != 8:
            raise FormatError(
                f"{where}: expected 'timestamp, tx, ty, tz, qx, qy, qz, qw', got {line[:80]!r}"
            )
        timestamp = _timestamp(words[0], where)
        if timestamp in poses:
            raise FormatError(f"{where}: {timestamp} is listed twice")
        poses[timestamp] = _pose(words[1:], where)
    return poses


def write_four_seasons_poses(path: Path, poses: Mapping[str, Rigid3]) -> None:
    """Write world_from_cam by timestamp in the format of ``read_four_seasons_poses``."""
    lines = (
        f"{_timestamp(key, str(path))}, {_pose_text(pose, ', ')}\n" for key, pose in poses.items()
    )
    write_text_atomic(path, "".join(lines))


def read_four_seasons_calib(path: Path) -> Camera:
    """Read the intrinsics of undistorted images as a PINHOLE camera.

    Raises:
        FormatError: another layout, a distortion other than 0, or impossible intrinsics.
    """
    lines = list(content_lines(path))
    words = lines[0][1].split() if lines else []
    sizes = lines[1][1].split() if len(lines) > 1 else []
    if len(words) not in (5, 6) or words[0] != "Pinhole" or len(sizes) != 2:
        raise FormatError(f"{path}: expected 'Pinhole fx fy cx cy 0' and a line 'WIDTH HEIGHT'")
    values = finite_numbers(words[1:], f"{path}, line {lines[0][0]}")
    if any(values[4:]):
        raise FormatError(f"{path}: expected no distortion, got {words[5]}")
    size = [whole_number(word, f"{path}, line {lines[1][0]}", least=1) for word in sizes]
    try:
        params = _add_half_pixel(np.array(values[:4]), 0.5)
        return check_given_camera(Camera("PINHOLE", size[0], size[1], params))
    except (FormatError, ShapeError) as error:
        raise FormatError(f"{path}: {error}") from None


def write_four_seasons_calib(path: Path, camera: Camera) -> None:
    """Write intrinsics in the format of ``read_four_seasons_calib``.

    Raises:
        FormatError: not a PINHOLE camera.
    """
    if camera.model != "PINHOLE":
        raise FormatError(f"undistorted images have PINHOLE cameras, not {camera.model}")
    params = number_text(_add_half_pixel(camera.params, -0.5))
    write_text_atomic(path, f"Pinhole {params} 0\n{camera.width} {camera.height}\n")


def read_four_seasons_stereo(path: Path) -> Rigid3:
    """Read the 4 x 4 matrix between the cameras as cam1_from_cam0.

    The data set's text and hloc disagree on its direction. The right camera lies to the right, so
    the sign of the baseline decides.

    Raises:
        FormatError: another layout, or a baseline that is not along x.
    """
    pose = pose_from_matrix(matrix_numbers(path), str(path))
    x, y, z = pose.translation
    if abs(x) <= 2 * max(abs(y), abs(z)):
        raise FormatError(f"{path}: expected a baseline along x, got {pose.translation}")
    return pose if x < 0 else pose.inverse()


def write_four_seasons_stereo(path: Path, cam1_from_cam0: Rigid3) -> None:
    """Write the matrix between the cameras, cam1_from_cam0."""
    write_text_atomic(path, matrix_text(cam1_from_cam0))


def read_relocalizations(path: Path) -> tuple[Relocalization, ...]:
    """Read a relocalization file or results; lines have two timestamps, and a pose or none.

    Raises:
        FormatError: a bad line (with its number), or a pair listed twice.
    """
    pairs: dict[tuple[str, str], Relocalization] = {}
    for number, line in content_lines(path):
        where, words = f"{path}, line {number}", line.replace(",", " ").split()
        if len(words) not in (2, 9):
            raise FormatError(
                f"{where}: expected 'ref_ts q_ts' or 'ref_ts q_ts tx ty tz qx qy qz qw', got "
                f"{line[:80]!r}"
            )
        key = _timestamp(words[0], where), _timestamp(words[1], where)
        if key in pairs:
            raise FormatError(f"{where}: the pair {' '.join(key)} is listed twice")
        pairs[key] = Relocalization(*key, _pose(words[2:], where) if words[2:] else None)
    return tuple(pairs.values())


def write_relocalizations(path: Path, pairs: Iterable[Relocalization]) -> None:
    """Write pairs, with poses where they are known, in the format of ``read_relocalizations``."""
    lines = []
    for each in pairs:
        stamps = f"{_timestamp(each.reference, str(path))} {_timestamp(each.query, str(path))}"
        pose = each.query_from_reference
        lines.append(f"{stamps}\n" if pose is None else f"{stamps} {_pose_text(pose, ' ')}\n")
    write_text_atomic(path, "".join(lines))


def relative_poses(
    pairs: Sequence[Relocalization],
    reference: Mapping[str, Rigid3],
    query: Mapping[str, Rigid3],
) -> tuple[Relocalization, ...]:
    """Results of pairs from absolute poses; pairs whose query has no pose are left out.

    Args:
        pairs: lines of a relocalization file.
        reference: timestamp -> world_from_cam of the reference recording, as in ``poses.txt``.
        query: timestamp -> cam_from_world of the localized queries.

    Raises:
        FormatError: a reference frame without a pose.
    """
    results = []
    for each in pairs:
        if each.reference not in reference:
            raise FormatError(f"poses.txt has no pose of the reference frame {each.reference}")
        if each.query in query:
            pose = query[each.query].compose(reference[each.reference])
            results.append(Relocalization(each.reference, each.query, pose))
    return tuple(results)


def _add_half_pixel(params: Float64, half: float) -> Float64:
    """PINHOLE parameters with the principal point moved by half a pixel.

    In the file it counts from the centre of the first pixel, as in DSO, which made the undistorted
    images. hloc takes the numbers as they are. This was not verified on a real image.
    """
    return np.asarray(params + np.array([0.0, 0.0, half, half]), np.float64)


def calibration_folder(recording: Path) -> Path:
    """Folder of the calibration, in the recording or beside it.

    Raises:
        FormatError: there is none.
    """
    parents = (recording, recording.absolute().parent)
    folders = [parent / name for parent in parents for name in _CALIBRATION_FOLDERS]
    found = [each for each in folders if (each / "undistorted_calib_0.txt").is_file()]
    if not found:
        raise FormatError(
            f"{recording}: expected a folder Calibration or calib with undistorted_calib_0.txt"
        )
    return found[0]


def _timestamp(word: str, where: str) -> str:
    if _TIMESTAMP.fullmatch(word) is None:
        raise FormatError(f"{where}: expected a timestamp of digits, got {word[:80]!r}")
    return word


def _pose(words: Sequence[str], where: str) -> Rigid3:
    values = finite_numbers(words, where)
    x, y, z, w = values[3:]
    return pose_from_quat([w, x, y, z], values[:3], where)


def _pose_text(pose: Rigid3, separator: str) -> str:
    w, x, y, z = quat_wxyz_from_rotation(pose.rotation)
    return number_text([*pose.translation, x, y, z, w], separator)
