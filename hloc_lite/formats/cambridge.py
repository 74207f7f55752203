"""Cambridge Landmarks: lists of poses, with focal lengths from the scene's ``reconstruction.nvm``.

A list has three header lines, then ``NAME X Y Z W P Q R``: the camera CENTRE in metres and a
quaternion wxyz, world to camera. Public description: the data set's readme and the importers of
ACE. The reconstruction names the same images with suffix ``.jpg``, while the files are ``.png``.
Its focal lengths are for images of 1920 x 1080, its principal point is the image centre.

Half pixels: the centre of an image is at half its width and height, as in COLMAP.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from hloc_lite.errors import FormatError, counted
from hloc_lite.formats.hloc_lists import check_names
from hloc_lite.formats.image_lookup import ImageLookup, clean_name, without_suffix
from hloc_lite.formats.nvm import nvm_camera
from hloc_lite.formats.nvm_text import NvmCamera, centered, parse_models
from hloc_lite.formats.pose_text import number_text, pose_from_quat
from hloc_lite.formats.posed_images import PosedImages, posed_model
from hloc_lite.formats.track_lists import bounded_numbers, content_lines
from hloc_lite.geometry.cameras import rescaled
from hloc_lite.geometry.plausible_intrinsics import check_given_camera
from hloc_lite.geometry.rotations import quat_wxyz_from_rotation
from hloc_lite.io.files import text_lines, write_text_atomic
from hloc_lite.types import Camera, Rigid3

FULL_SIZE = (1920, 1080)
"""(width, height) of the images that the focal lengths are for."""
MAX_POSITION = 10_000.0
"""Metres; positions farther away are failures of the reconstruction, as in ACE's importer."""
MAX_CENTER_DIFFERENCE = 0.5
"""Metres; median distance of the list's positions from the reconstruction's in the same frame."""
_HEADER = "Visual Landmark Dataset V1\nImageFile, Camera Position [X Y Z W P Q R]\n\n"
_NUM_HEADER_LINES = 3


def read_cambridge(
    path: Path,
    *,
    nvm: Path | None = None,
    cameras: Mapping[str, Camera] | None = None,
    image_folder: Path | None = None,
) -> PosedImages:
    """Read ``dataset_train.txt`` or ``dataset_test.txt``.

    The intrinsics are those given; else the reconstruction's, in the size of the image on disk.

    Args:
        path: list of poses.
        nvm: reconstruction; None for ``reconstruction.nvm`` beside the list.
        cameras: image name -> intrinsics, see ``given_cameras``; with those of all images no
            reconstruction is needed.
        image_folder: folder of the images; None for the list's own.

    Raises:
        FormatError: a bad line (with its number), a name listed twice, no intrinsics for an image,
            or an image whose shape is not that of the full size.
    """
    folder = path.parent if image_folder is None else image_folder
    lookup = ImageLookup(cameras=cameras or {}, folder=folder)
    poses, far = _parse_list(path, lookup)
    notes = []
    if far:
        notes.append(
            f"{counted(len(far), 'image')} left out, whose position is farther than "
            f"{MAX_POSITION:g} m, such as {far[0]!r}"
        )
    found = {name: lookup.find_camera(name) for name in poses}
    given = {name: camera for name, camera in found.items() if camera is not None}
    missing = [name for name in poses if name not in given]
    if missing:
        nvm_path = path.parent / "reconstruction.nvm" if nvm is None else nvm
        listed = _reconstruction(nvm_path)
        computed, sized_notes = _cameras(missing, listed, lookup, nvm_path)
        given |= computed
        notes += [*sized_notes, *_center_notes(poses, listed)]
    return PosedImages(
        model=posed_model(given, poses),
        cameras={**(cameras or {}), **given},
        image_folder=folder,
        is_metric=True,
        notes=tuple(notes),
    )


def write_cambridge(path: Path, poses: Mapping[str, Rigid3]) -> None:
    """Write poses as a list of the data set, in full precision.

    Intrinsics are not part of a list: ``write_nvm`` writes them.

    Args:
        path: list.
        poses: image name -> cam_from_world.

    Raises:
        FormatError: a name that the list cannot hold.
    """
    check_names(poses)
    lines = [
        f"{name} {number_text([*pose.center, *quat_wxyz_from_rotation(pose.rotation)])}\n"
        for name, pose in poses.items()
    ]
    write_text_atomic(path, _HEADER + "".join(lines))


def _parse_list(path: Path, lookup: ImageLookup) -> tuple[dict[str, Rigid3], list[str]]:
    """Poses by image name, and the names of those that are too far away."""
    poses: dict[str, Rigid3] = {}
    far = []
    for number, line in content_lines(text_lines(path)):
        where = f"{path}, line {number}"
        parts = line.rsplit(maxsplit=7)
        if number <= _NUM_HEADER_LINES and not _is_pose(parts):
            continue
        if len(parts) != 8:
            raise FormatError(f"{where}: expected 'NAME X Y Z W P Q R', got {line[:80]!r}")
        values = bounded_numbers(parts[1:], where)
        as_translation = pose_from_quat(values[3:], values[:3], where)
        name = lookup.find_name(parts[0], where)
        if name in poses or name in far:
            raise FormatError(f"{where}: {name!r} is listed twice")
        center = as_translation.translation
        if np.linalg.norm(center) > MAX_POSITION:
            far.append(name)
            continue
        poses[name] = centered(as_translation.rotation, center)
    if not poses:
        raise FormatError(
            f"{path}: contains no pose: expected three header lines and 'NAME X Y Z W P Q R'"
        )
    return poses, far


def _is_pose(parts: list[str]) -> bool:
    """True if the last seven words are numbers; header lines have other words."""
    try:
        return len(parts) == 8 and bool([float(word) for word in parts[1:]])
    except ValueError:
        return False


def _reconstruction(path: Path) -> dict[str, NvmCamera]:
    """Cameras of the first model by their name without suffix."""
    models = parse_models(text_lines(path), str(path))
    cameras = models[0].cameras if models else ()
    return {without_suffix(clean_name(each.name, each.where)): each for each in cameras}


def _cameras(
    names: list[str], listed: Mapping[str, NvmCamera], lookup: ImageLookup, nvm: Path
) -> tuple[dict[str, Camera], list[str]]:
    """Intrinsics in the size of each image, and notes on what was assumed."""
    cameras, absent, smaller = {}, [], []
    for name in names:
        line = listed.get(without_suffix(name))
        if line is None:
            raise FormatError(
                f"{nvm}: has no focal length of {name!r}: give another reconstruction, or "
                f"intrinsics (NAME MODEL W H params...)"
            )
        size = lookup.find_size(name)
        if size is None:
            absent.append(name)
        elif size != FULL_SIZE:
            smaller.append(name)
        try:
            full = check_given_camera(nvm_camera(*FULL_SIZE, line.focal_px, line.radial))
            cameras[name] = rescaled(full, *(size or FULL_SIZE))
        except FormatError as error:
            raise FormatError(f"{line.where}: {name!r}: {error}") from None
    full_text = f"{FULL_SIZE[0]} x {FULL_SIZE[1]}"
    notes = []
    if absent:
        notes.append(
            f"{counted(len(absent), 'image')} not found, such as {absent[0]!r}: assumed to have "
            f"{full_text} pixels"
        )
    if smaller:
        notes.append(
            f"{counted(len(smaller), 'image')} of another size than {full_text}, such as "
            f"{smaller[0]!r}: the intrinsics were scaled"
        )
    return cameras, notes


def _center_notes(poses: Mapping[str, Rigid3], listed: Mapping[str, NvmCamera]) -> list[str]:
    """Note if the positions of the list are not the camera centres of the reconstruction."""
    distances = [
        np.linalg.norm(pose.center - listed[without_suffix(name)].cam_from_world.center)
        for name, pose in poses.items()
        if without_suffix(name) in listed
    ]
    if not distances or np.median(distances) <= MAX_CENTER_DIFFERENCE:
        return []
    return [
        f"the positions differ from those of the reconstruction by {np.median(distances):.3g} m "
        f"(median): they may be translations, or of another frame"
    ]
