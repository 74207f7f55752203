"""NVM files of VisualSFM: cameras, points and measurements of one or several models.

Public description: http://ccwu.me/vsfm/doc.html#nvm. The positions are camera centres, the
quaternions are wxyz, world to camera. The radial term undistorts measurements; COLMAP's distorts
projections. Its sign is turned, as COLMAP and kapture do, which is exact to first order.

Names may contain spaces: a camera's ten numbers are counted from the end of its line. VisualSFM
writes a quotation mark for a space.

Half pixels: VisualSFM counts measurements from the image centre, at half the width and height, as
COLMAP's principal point is. COLMAP writes its own pixels. So nothing is shifted but the origin,
and which of the two a file has is found by the range of its numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from hloc_lite.errors import FormatError, ShapeError, counted
from hloc_lite.formats.image_lookup import ImageLookup
from hloc_lite.formats.nvm_text import (
    NvmCamera,
    NvmModel,
    parse_calibration,
    parse_models,
    parse_points,
)
from hloc_lite.formats.pose_text import number_text
from hloc_lite.formats.posed_images import PosedImages
from hloc_lite.formats.track_lists import Tracks
from hloc_lite.formats.tracked_models import (
    FileImage,
    PixelReading,
    check_centered,
    choose_pixels,
    model_tracks,
    track_lines,
    tracked_model,
)
from hloc_lite.geometry.cameras import focal_lengths
from hloc_lite.geometry.plausible_intrinsics import check_given_camera
from hloc_lite.geometry.rotations import quat_wxyz_from_rotation
from hloc_lite.io.files import text_lines, write_text_atomic
from hloc_lite.scene import SfmModel
from hloc_lite.types import Camera, Float64

MAX_FOCAL_DIFFERENCE = 0.02
"""Relative difference of given focal lengths from the file's above which a note tells it."""


def read_nvm(
    path: Path,
    *,
    cameras: Mapping[str, Camera] | None = None,
    image_folder: Path | None = None,
    suffixes: Mapping[str, str] | None = None,
    model_index: int | None = None,
) -> PosedImages:
    """Read one model of an NVM file, with its points.

    Keypoints are the measurements of points; other features are in VisualSFM's own files. An image
    without size or with impossible intrinsics is left out, with a note.

    Args:
        path: NVM file.
        cameras: image name -> intrinsics, used instead of the file's, see ``given_cameras``.
        image_folder: folder of the images; gives sizes, and names whose suffix differs.
        suffixes: suffix in the file -> suffix of the images, such as ``{".png": ".jpg"}``.
        model_index: position of the model in the file, from 0; None for the one with most images.

    Raises:
        FormatError: another layout, a file that is cut off, no image of known size, a name listed
            twice, numbers that are not finite, or measurements outside of the images.
    """
    calibration = parse_calibration(text_lines(path), str(path))
    models = parse_models(text_lines(path), str(path))
    model, notes = _choose_model(models, model_index, path)
    lookup = ImageLookup(cameras=cameras or {}, folder=image_folder, suffixes=suffixes or {})
    images, camera_notes = _images(model.cameras, lookup, calibration, path)
    tracks = parse_points(model, text_lines(path), str(path))
    candidates = _candidates(images, calibration)
    pixels, complaint = choose_pixels(images, tracks, candidates, str(path))
    notes += camera_notes
    if len(tracks.point_rows):
        notes.append(f"measurements are counted {pixels.words}")
    if complaint:
        notes.append(complaint)
    given = {image.name: image.camera for image in images if image.camera is not None}
    return PosedImages(
        model=tracked_model(images, tracks, pixels),
        cameras={**(cameras or {}), **given},
        image_folder=image_folder,
        notes=tuple(notes),
    )


def write_nvm(path: Path, model: SfmModel) -> None:
    """Write a model as VisualSFM would, with measurements counted from the image centre.

    Of several measurements of a point in one image, VisualSFM allows one: the first is kept.

    Raises:
        FormatError: a camera model other than SIMPLE_PINHOLE and SIMPLE_RADIAL, a principal point
            that is not the image centre, or a name that the file cannot hold.
    """
    lines = ["NVM_V3", "", str(len(model.images))]
    for image in model.images:
        camera = model.cameras[image.camera_id]
        check_centered(camera, ("SIMPLE_PINHOLE", "SIMPLE_RADIAL"), "NVM")
        pose = image.cam_from_world
        radial = -float(camera.params[3]) if camera.model == "SIMPLE_RADIAL" else 0.0
        values = [
            camera.params[0], *quat_wxyz_from_rotation(pose.rotation), *pose.center, radial,
        ]  # fmt: skip
        lines.append(f"{_written_name(image.name)} {number_text(values)} 0")
    tracks = _centred(model)
    lines += ["", str(model.num_points)]
    heads = zip(model.xyz.tolist(), model.rgb.tolist(), track_lines(tracks), strict=True)
    lines += [f"{x!r} {y!r} {z!r} {r} {g} {b} {track}" for (x, y, z), (r, g, b), track in heads]
    write_text_atomic(path, "\n".join([*lines, "", "0", ""]))


def nvm_camera(
    width: int, height: int, focal_px: float, radial: float, calibration: Float64 | None = None
) -> Camera:
    """Camera of COLMAP's model for an NVM line.

    Args:
        width: pixels.
        height: pixels.
        focal_px: focal length.
        radial: the file's radial term.
        calibration: (4,) fx cx fy cy of the header, or None: principal point at the image centre.
    """
    if calibration is not None:
        fx, cx, fy, cy = calibration
        params = [fx, fy, cx, cy] + ([-radial, 0, 0, 0] if radial else [])
        return Camera("OPENCV" if radial else "PINHOLE", width, height, np.array(params))
    params = [focal_px, width / 2, height / 2] + ([-radial] if radial else [])
    return Camera("SIMPLE_RADIAL" if radial else "SIMPLE_PINHOLE", width, height, np.array(params))


def _choose_model(
    models: Sequence[NvmModel], index: int | None, path: Path
) -> tuple[NvmModel, list[str]]:
    if not models:
        raise FormatError(f"{path}: contains no model")
    if index is None:
        index = max(range(len(models)), key=lambda i: len(models[i].cameras))
    if not 0 <= index < len(models):
        raise FormatError(
            f"{path}: has {counted(len(models), 'model')}, there is no model {index} (from 0)"
        )
    if len(models) == 1:
        return models[0], []
    sizes = ", ".join(str(len(model.cameras)) for model in models)
    return models[index], [
        f"the file has {len(models)} models, of {sizes} images; model {index} (from 0) was read"
    ]


def _images(
    listed: Sequence[NvmCamera], lookup: ImageLookup, calibration: Float64 | None, path: Path
) -> tuple[list[FileImage], list[str]]:
    """Images by their position in the file, and notes on those without a camera."""
    images: list[FileImage] = []
    names: set[str] = set()
    unknown, impossible, other_focal = [], [], []
    for each in listed:
        name = lookup.find_name(each.name, each.where)
        if name in names:
            raise FormatError(f"{each.where}: {name!r} is listed twice")
        names.add(name)
        camera = lookup.find_camera(name)
        size = lookup.find_size(name)
        if camera is None and size is not None:
            try:
                own = nvm_camera(*size, each.focal_px, each.radial, calibration)
                camera = check_given_camera(own)
            except (FormatError, ShapeError):
                impossible.append(name)
        elif camera is None:
            unknown.append(name)
        elif abs(focal_lengths(camera)[0] / each.focal_px - 1) > MAX_FOCAL_DIFFERENCE:
            other_focal.append(name)
        images.append(FileImage(name, camera, each.cam_from_world, each.misread))
    if listed and len(unknown) == len(listed):
        raise FormatError(
            f"{path}: the file has no image sizes, and none of its images was found, such as "
            f"{unknown[0]!r}: give the image folder, or an intrinsics file (NAME MODEL W H "
            f"params...); suffixes are mapped if needed"
        )
    if listed and len(unknown) + len(impossible) == len(listed):
        raise FormatError(
            f"{path}: no image can be used: {counted(len(impossible), 'focal length')} do not fit "
            f"the image size, such as that of {impossible[0]!r}"
        )
    notes = [
        f"{counted(len(found), 'image')} {what}, such as {found[0]!r}"
        for found, what in (
            (unknown, "left out, whose size is unknown"),
            (impossible, "left out, whose focal length does not fit the image size"),
            (other_focal, "of which the given focal length differs from the file's"),
        )
        if found
    ]
    return images, notes


def _candidates(images: Sequence[FileImage], calibration: Float64 | None) -> list[PixelReading]:
    """Possible readings of the measurements, by the point from which they are counted."""
    centers = np.array(
        [(i.camera.width / 2, i.camera.height / 2) if i.camera else (0, 0) for i in images]
    ).reshape(-1, 2)
    found = [PixelReading("from the image centre", centers)]
    if calibration is not None:
        fx, cx, fy, cy = calibration
        principal = np.broadcast_to([cx, cy], centers.shape)
        found.append(PixelReading("from the principal point", principal))
        if fx != fy:
            words = "from the principal point, in units of fx"
            found.append(PixelReading(words, principal, (1.0, fy / fx)))
    return [*found, PixelReading("from the image corner", np.zeros_like(centers))]


def _centred(model: SfmModel) -> Tracks:
    """Tracks with measurements counted from the image centre."""
    tracks = model_tracks(model, once_per_image=True)
    cameras = [model.cameras[image.camera_id] for image in model.images]
    centers = np.array([(c.width / 2, c.height / 2) for c in cameras]).reshape(-1, 2)
    return Tracks(
        tracks.xyz, tracks.rgb, tracks.point_rows, tracks.image_rows, tracks.features,
        tracks.xy - centers[tracks.image_rows],
    )  # fmt: skip


def _written_name(name: str) -> str:
    if not name or name != name.strip() or set(name) & set('\n\r\0"\\'):
        raise FormatError(
            f"an NVM file cannot hold the name {name!r}: names must not be empty, contain line "
            f"breaks, quotation marks or backslashes, or begin or end with spaces. Rename the image"
        )
    return name
