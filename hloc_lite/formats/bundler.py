"""Bundler's ``bundle.out`` (v0.3) with its image list.

Public description: section "Output format" of the Bundler v0.3 manual. A point projects as

    P = R X + t,  p = -P / P.z,  pixel = f (1 + k1 |p|^2 + k2 |p|^4) p

with x right, y up, z backward, counted from the image centre. COLMAP's camera axes are (x, -y, -z),
so that its u is p.x and its v is -p.y; |p| stays the same. Its RADIAL model, with f at the image
centre, k1 and k2, is therefore exactly Bundler's.

Half pixels: Bundler subtracts (width - 1) / 2 from keypoints whose first pixel's centre is 0. That
is COLMAP's pixel minus half the width: only the origin and the direction of y change.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from hloc_lite.errors import FormatError, ShapeError, counted
from hloc_lite.formats.image_lookup import ImageLookup
from hloc_lite.formats.pose_rows import poses_from_matrices
from hloc_lite.formats.pose_text import number_text
from hloc_lite.formats.posed_images import PosedImages
from hloc_lite.formats.track_lists import (
    NumberList,
    Tracks,
    content_lines,
    parse_count,
    parse_numbers,
    parse_tracks,
)
from hloc_lite.formats.tracked_models import (
    FileImage,
    PixelReading,
    check_centered,
    choose_pixels,
    model_tracks,
    track_lines,
    tracked_model,
)
from hloc_lite.geometry.frames import camera_axes
from hloc_lite.geometry.plausible_intrinsics import check_given_camera
from hloc_lite.io.files import text_lines, write_text_atomic
from hloc_lite.scene import SfmModel
from hloc_lite.types import Camera, Float64, Rigid3

HEADER = "# Bundle file v0.3"
_CAMERA_NUMBERS = 15
"""f k1 k2, nine of the rotation, three of the translation."""
_FOCAL_GUESS = re.compile(r"\s+0\s+[0-9.eE+-]+$")
"""Numbers that Bundler's own list has behind a name: 0 and a focal length from EXIF."""


def read_bundler(
    path: Path,
    list_path: Path,
    *,
    cameras: Mapping[str, Camera] | None = None,
    image_folder: Path | None = None,
    suffixes: Mapping[str, str] | None = None,
) -> PosedImages:
    """Read a Bundler model with its points.

    Images that are not registered (f = 0), whose size is unknown, or whose focal length does not
    fit are left out, with a note. Keypoints are the measurements of points.

    Args:
        path: bundle file.
        list_path: image names, one per line, in the order of the cameras.
        cameras: image name -> intrinsics; only their image sizes are used.
        image_folder: folder of the images; gives sizes, and names whose suffix differs.
        suffixes: suffix in the list -> suffix of the images, such as ``{".png": ".jpg"}``.

    Raises:
        FormatError: another layout, a file that is cut off, a list of another length, no image of
            known size, a name listed twice, or measurements outside of the images.
    """
    numbers, num_images, num_points = _parse(path)
    names = _read_list(list_path, num_images)
    lookup = ImageLookup(cameras=cameras or {}, folder=image_folder, suffixes=suffixes or {})
    images, notes = _images(numbers, names, lookup, path)
    tracks = parse_tracks(numbers, _CAMERA_NUMBERS * num_images, num_points, num_images)
    del numbers  # as large as the tracks
    centers = np.array(
        [(i.camera.width / 2, i.camera.height / 2) if i.camera else (0, 0) for i in images]
    ).reshape(-1, 2)
    upward = PixelReading("upward", centers, (1.0, -1.0))
    downward = PixelReading("downward, unlike Bundler's", centers)
    pixels, complaint = choose_pixels(images, tracks, [upward, downward], str(path))
    if pixels is not upward:
        notes.append(f"y of the measurements is counted {pixels.words}")
    if complaint:
        notes.append(complaint)
    given = {image.name: image.camera for image in images if image.camera is not None}
    return PosedImages(
        model=tracked_model(images, tracks, pixels),
        cameras={**(cameras or {}), **given},
        image_folder=image_folder,
        notes=tuple(notes),
    )


def write_bundler(path: Path, list_path: Path, model: SfmModel) -> None:
    """Write a model and its image list.

    Raises:
        FormatError: a camera model other than SIMPLE_PINHOLE, SIMPLE_RADIAL and RADIAL, a principal
            point that is not the image centre, or a name that the list cannot hold.
    """
    lines = [HEADER, f"{len(model.images)} {model.num_points}"]
    flip = camera_axes("opengl")
    for image in model.images:
        camera = model.cameras[image.camera_id]
        check_centered(camera, ("SIMPLE_PINHOLE", "SIMPLE_RADIAL", "RADIAL"), "Bundler")
        _check_name(image.name)
        focal, k1, k2 = [camera.params[0], *camera.params[3:], 0.0, 0.0][:3]
        rows = [
            [focal, k1, k2],
            *(flip @ image.cam_from_world.rotation),
            flip @ image.cam_from_world.translation,
        ]
        lines += [number_text(row) for row in rows]
    tracks = model_tracks(model, once_per_image=False)
    cameras = [model.cameras[image.camera_id] for image in model.images]
    centers = np.array([(c.width / 2, c.height / 2) for c in cameras]).reshape(-1, 2)
    upward = (tracks.xy - centers[tracks.image_rows]) * (1, -1)
    flipped = Tracks(
        tracks.xyz, tracks.rgb, tracks.point_rows, tracks.image_rows, tracks.features, upward
    )
    for xyz, rgb, track in zip(model.xyz, model.rgb.tolist(), track_lines(flipped), strict=True):
        lines += [number_text(xyz), " ".join(map(str, rgb)), track]
    write_text_atomic(list_path, "".join(f"{image.name}\n" for image in model.images))
    write_text_atomic(path, "\n".join(lines) + "\n")


def _parse(path: Path) -> tuple[NumberList, int, int]:
    """All numbers after the header, and the announced counts of images and points."""
    lines = content_lines(text_lines(path))
    _, header = next(lines, (1, ""))
    if header.split() != HEADER.split():
        raise FormatError(f"{path}, line 1: expected {HEADER!r}, got {header[:40]!r}")
    number, line = next(lines, (2, ""))
    where, counts = f"{path}, line {number}", line.split()
    if len(counts) != 2:
        raise FormatError(f"{where}: expected the numbers of cameras and points")
    numbers = parse_numbers(str(path), lines)
    total = len(numbers.values)
    num_images = parse_count(counts[0], where, "cameras", total // _CAMERA_NUMBERS)
    left = total - _CAMERA_NUMBERS * num_images
    return numbers, num_images, parse_count(counts[1], where, "points", left // 7)


def _read_list(path: Path, num_images: int) -> list[tuple[str, str]]:
    """(line without a focal length, where it stands) of each image."""
    lines = list(content_lines(text_lines(path)))
    if len(lines) != num_images:
        raise FormatError(
            f"{path}: expected {counted(num_images, 'name')}, one for each camera of the bundle "
            f"file, got {len(lines)}"
        )
    return [(_FOCAL_GUESS.sub("", line), f"{path}, line {number}") for number, line in lines]


def _images(
    numbers: NumberList, names: Sequence[tuple[str, str]], lookup: ImageLookup, path: Path
) -> tuple[list[FileImage], list[str]]:
    """Images by their position in the file, and notes on those without a camera."""
    images: list[FileImage] = []
    seen: set[str] = set()
    left_out: dict[str, list[str]] = {}
    blocks = numbers.values[: _CAMERA_NUMBERS * len(names)].reshape(-1, _CAMERA_NUMBERS)
    registered = np.flatnonzero(blocks[:, 0] != 0)
    matrices = np.concatenate(
        [blocks[registered, 3:12].reshape(-1, 3, 3), blocks[registered, 12:, None]], axis=2
    )
    stated = poses_from_matrices(
        matrices, lambda row: numbers.where(_CAMERA_NUMBERS * int(registered[row]) + 3)
    )
    given = dict(zip(registered.tolist(), stated, strict=True))
    for row, (block, (written, where)) in enumerate(zip(blocks, names, strict=True)):
        name = lookup.find_name(written, where)
        if name in seen:
            raise FormatError(f"{where}: {name!r} is listed twice")
        seen.add(name)
        if block[0] == 0:
            left_out.setdefault("not registered", []).append(name)
            images.append(FileImage(name, None, Rigid3.identity()))
            continue
        pose, misread = _poses(given[row])
        size = lookup.find_size(name)
        camera = _camera(size, block) if size else None
        if camera is None:
            reason = "the focal length does not fit the size" if size else "its size is unknown"
            left_out.setdefault(reason, []).append(name)
        images.append(FileImage(name, camera, pose, misread))
    if images and all(image.camera is None for image in images):
        reasons = ", ".join(f"{reason}: {len(found)}" for reason, found in left_out.items())
        raise FormatError(
            f"{path}: no image can be used ({reasons}), such as {images[0].name!r}. The file has "
            f"no image sizes: give the image folder or intrinsics"
        )
    notes = [
        f"{counted(len(found), 'image')} left out ({reason}), such as {found[0]!r}"
        for reason, found in left_out.items()
    ]
    return images, notes


def _poses(given: Rigid3) -> tuple[Rigid3, Rigid3]:
    """cam_from_world of a pose in the file; and if its translation were its centre."""
    flip = camera_axes("opengl")
    rotation = flip @ given.rotation
    return (
        Rigid3(rotation, flip @ given.translation),
        Rigid3(rotation, -rotation @ given.translation),
    )


def _camera(size: tuple[int, int], block: Float64) -> Camera | None:
    focal, k1, k2 = block[:3].tolist()
    width, height = size
    try:
        return check_given_camera(
            Camera("RADIAL", width, height, np.array([focal, width / 2, height / 2, k1, k2]))
        )
    except (FormatError, ShapeError):
        return None


def _check_name(name: str) -> None:
    if not name or name != name.strip() or set(name) & set("\n\r\0\\") or _FOCAL_GUESS.search(name):
        raise FormatError(
            f"a Bundler list cannot hold the name {name!r}: names must not be empty, contain line "
            f"breaks or backslashes, begin or end with spaces, or end with 0 and a number. Rename "
            f"the image"
        )
