"""Cameras of images that come without intrinsics: from EXIF, or a guess to be refined."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath

from hloc_lite.config import MappingConfig
from hloc_lite.geometry.cameras import Exif, guess_camera
from hloc_lite.types import Camera

Cameras = tuple[Mapping[int, Camera], Mapping[str, int]]
"""Cameras by id, and the id for each image name."""


def assign_cameras(
    sizes: Mapping[str, tuple[int, int]],
    exifs: Mapping[str, Exif],
    given: Mapping[str, Camera],
    config: MappingConfig,
) -> tuple[dict[int, Camera], dict[str, int]]:
    """Cameras by id, and the id for each image name.

    Images with given intrinsics share a camera if these are equal; the others as
    ``config.cameras`` says.
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
            cameras[id_of[key]] = camera  # what one of them knows beats the guess for another
        camera_of[name] = id_of[key]
    return cameras, camera_of


def _sharing_key(name: str, size: tuple[int, int], exif: Exif, config: MappingConfig) -> object:
    if config.cameras == "single":
        return ("size", size)  # one lens gives one size; another size cannot share intrinsics
    if config.cameras == "per-folder":
        return ("folder", PurePosixPath(name).parent.as_posix(), size)
    identity = tuple(exif.get(part) for part in ("make", "model", "focal_mm"))
    if config.cameras == "auto" and None not in identity:
        # in pixels too: digital zoom keeps the millimetres and the size
        return ("exif", size, identity, exif.get("focal_px"))
    return ("image", name)
