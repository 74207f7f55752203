"""Intrinsics of the map images, which images share a camera, and if an adjustment confirms it."""

from __future__ import annotations

import json
import logging
from collections.abc import Collection, Mapping, Sequence
from pathlib import PurePosixPath

import numpy as np

from hloc_lite.config import MappingConfig
from hloc_lite.errors import FormatError, counted
from hloc_lite.geometry.cameras import (
    Exif,
    depends_on_turn,
    focal_lengths,
    guess_camera,
    rescaled,
    same_size_turned,
)
from hloc_lite.io.bank import ArrayReader
from hloc_lite.mapping.run import Run
from hloc_lite.scene import SfmModel
from hloc_lite.types import NO_POINT, Camera

logger = logging.getLogger(__name__)
Cameras = tuple[Mapping[int, Camera], Mapping[str, int]]
"""Camera id -> camera, and image name -> camera id."""


def find_cameras(run: Run, names: Sequence[str], features: ArrayReader) -> Cameras:
    """Find the intrinsics of each image: those of the reference, given ones, or guesses from EXIF.

    Raises:
        FormatError: intrinsics do not fit the size of an image, or are for none of the images.
    """
    sizes = {name: _size(features, name) for name in names}
    exifs = {name: json.loads(bytes(features.read(name, ["exif"])["exif"])) for name in names}
    if run.inputs.reference is not None:
        _warn_of_turned(names, sizes, exifs, "the reference model is")
        return reference_cameras(run.inputs.reference, sizes)
    _check_given(run, names)
    known = run.inputs.cameras or {}
    given = {name: _rescaled(name, known[name], sizes) for name in known if name in sizes}
    off_center = [name for name, camera in given.items() if depends_on_turn(camera)]
    _warn_of_turned(off_center, sizes, exifs, "the given intrinsics are")
    return assign_cameras(sizes, exifs, given, run.config.mapping)


def _warn_of_turned(
    names: Sequence[str],
    sizes: Mapping[str, tuple[int, int]],
    exifs: Mapping[str, Exif],
    what: str,
) -> None:
    """Warn of photos that EXIF turned, and whose size does not tell if they were given so."""
    turned = [name for name in names if same_size_turned(exifs[name], sizes[name])]
    if turned:
        logger.warning(
            "%s, first %r, turned by EXIF: %s taken for the turned photos. If made without EXIF "
            "rotation, as COLMAP does, set images.exif_rotation=false",
            counted(len(turned), "photo"), turned[0], what,
        )  # fmt: skip


def reference_cameras(
    reference: SfmModel, sizes: Mapping[str, tuple[int, int]]
) -> tuple[dict[int, Camera], dict[str, int]]:
    """Cameras of the reference model, rescaled where the images have another size.

    Raises:
        FormatError: the aspect ratio of an image differs from its camera's, or images of one camera
            have different sizes.
    """
    ids = {image.name: image.camera_id for image in reference.images}
    cameras: dict[int, Camera] = {}
    camera_of = {name: ids[name] for name in sizes}
    for name, camera_id in camera_of.items():
        camera = _rescaled(name, reference.cameras[camera_id], sizes)
        known = cameras.setdefault(camera_id, camera)
        if (known.width, known.height) != sizes[name]:
            raise FormatError(
                f"image {name!r} has {sizes[name][0]} x {sizes[name][1]} pixels, others of its "
                f"camera {camera_id} have {known.width} x {known.height}"
            )
    return cameras, camera_of


def _rescaled(name: str, camera: Camera, sizes: Mapping[str, tuple[int, int]]) -> Camera:
    """Camera of an image, rescaled to the size of the image."""
    try:
        return rescaled(camera, *sizes[name])
    except FormatError as error:
        raise FormatError(f"image {name!r}: {error}") from None


def _check_given(run: Run, names: Sequence[str]) -> None:
    """Check that given intrinsics are for at least some of the images."""
    given = run.inputs.cameras or {}
    without = [name for name in names if name not in given]
    if given and len(without) == len(names):
        raise FormatError(
            f"the given intrinsics are for none of the {len(names)} images: they name "
            f"{next(iter(given))!r}, the images are called {names[0]!r}..."
        )
    if given and without:
        logger.warning(
            "no intrinsics were given for %d of %d images (first: %r): EXIF or a guess is used",
            len(without), len(names), without[0],
        )  # fmt: skip


def assign_cameras(
    sizes: Mapping[str, tuple[int, int]],
    exifs: Mapping[str, Exif],
    given: Mapping[str, Camera],
    config: MappingConfig,
) -> tuple[dict[int, Camera], dict[str, int]]:
    """Assign a camera to each image.

    Images with given intrinsics share a camera if these are equal. The others share as
    ``config.cameras`` says.

    Returns:
        Camera id -> camera, and image name -> camera id.
    """
    cameras: dict[int, Camera] = {}
    camera_of: dict[str, int] = {}
    id_of: dict[object, int] = {}
    for name in sorted(sizes):
        if name in given:
            camera = given[name]
            key: object = (camera.model, camera.width, camera.height, tuple(camera.params))
        else:
            exif = exifs.get(name, {})
            camera = guess_camera(config.camera_model, sizes[name], exif)
            key = _sharing_key(name, sizes[name], exif, config)
        if key not in id_of:
            id_of[key] = len(cameras) + 1
            cameras[id_of[key]] = camera
        elif camera.has_prior_focal and not cameras[id_of[key]].has_prior_focal:
            cameras[id_of[key]] = camera  # known intrinsics replace another image's guess
        camera_of[name] = id_of[key]
    return cameras, camera_of


def with_shared_cameras(cameras: Cameras) -> Cameras:
    """Cameras in which images of equal size share one, if their focal lengths do not differ.

    Guessed focal lengths never differ. Equal ones from EXIF data that do not name the camera may be
    of one camera, or of two.
    """
    by_id, id_of = cameras
    shared: dict[object, int] = {}
    new_id_of = dict(id_of)
    for name, camera_id in id_of.items():
        camera = by_id[camera_id]
        known = tuple(camera.params) if camera.has_prior_focal else None
        key = (camera.model, camera.width, camera.height, known)
        new_id_of[name] = shared.setdefault(key, camera_id)
    used = set(new_id_of.values())
    return {key: camera for key, camera in by_id.items() if key in used}, new_id_of


def _sharing_key(name: str, size: tuple[int, int], exif: Exif, config: MappingConfig) -> object:
    if config.cameras == "single":
        return ("size", size)  # images of different sizes cannot share intrinsics
    if config.cameras == "per-folder":
        return ("folder", PurePosixPath(name).parent.as_posix(), size)
    identity = tuple(exif.get(part) for part in ("make", "model", "focal_mm"))
    if config.cameras == "auto" and None not in identity:
        # focal_px as well: digital zoom changes neither focal_mm nor the image size
        return ("exif", size, identity, exif.get("focal_px"))
    return ("image", name)


def _size(features: ArrayReader, name: str) -> tuple[int, int]:
    width, height = features.read(name, ["image_size"])["image_size"]
    return int(width), int(height)


def focal_change(model: SfmModel, known: Mapping[int, Camera], kept: Collection[int]) -> float:
    """Median over the images with kept cameras of the change of their focal length, as a share."""
    changes = [
        abs(np.log(focal_lengths(model.cameras[key]).mean() / focal_lengths(known[key]).mean()))
        for key in (image.camera_id for image in model.images)
        if key in kept
    ]
    return float(np.median(changes)) if changes else 0.0


def focal_disagreement(shared: SfmModel, free: SfmModel, min_points: int) -> float:
    """Typical difference of focal lengths from the shared one, as a share of it.

    Args:
        shared: model whose images share cameras.
        free: the same model after an adjustment in which each image has its own.
        min_points: points that an image needs to count; fewer do not determine a focal length.

    Returns:
        Median over the images, 0 if none counts.
    """
    differences = []
    for image in free.images:
        before = shared.image_named(image.name)
        if before is None or (image.point3D_idxs != NO_POINT).sum() < min_points:
            continue
        focal = focal_lengths(free.cameras[image.camera_id]).mean()
        differences.append(
            abs(np.log(focal / focal_lengths(shared.cameras[before.camera_id]).mean()))
        )
    return float(np.median(differences)) if differences else 0.0
