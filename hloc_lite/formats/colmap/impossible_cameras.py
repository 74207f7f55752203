"""Cameras that structure from motion found and no lens can have; their images leave the model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from hloc_lite.config import ScratchConfig
from hloc_lite.geometry.cameras import bearings, focal_lengths, get_camera_model
from hloc_lite.types import Camera

GRID = 9
"""Rows and columns of the pixels at which a distortion is inverted."""


def impossible_reason(camera: Camera, config: ScratchConfig) -> str | None:
    """Reason why no lens has these intrinsics; None if one may.

    A camera is impossible if a parameter is not finite, if its focal length is outside
    ``min_focal_ratio`` to ``max_focal_ratio`` times the longer side, or if its distortion cannot be
    inverted on half of the image.
    """
    if not np.isfinite(camera.params).all():
        return "its intrinsics came out as not finite"
    if get_camera_model(camera).num_focals == 0:
        return None
    side = max(camera.width, camera.height)
    focals = focal_lengths(camera)
    least, most = config.min_focal_ratio * side, config.max_focal_ratio * side
    if not ((focals >= least) & (focals <= most)).all():
        return (
            f"its focal length came out as {focals.mean():.0f} px, which is "
            f"{focals.mean() / side:.3g} times the longer side of the image"
        )
    xy = [(np.arange(GRID) + 0.5) / GRID * length for length in (camera.width, camera.height)]
    rays = bearings(camera, np.stack(np.meshgrid(*xy), axis=-1))
    if np.isnan(rays).any(axis=-1).mean() > 0.5:
        return "its distortion came out as one that folds the image over"
    return None


def drop_impossible_images(
    reconstruction: Any, initial: Mapping[int, Camera], config: ScratchConfig
) -> dict[str, str]:
    """Remove the images of impossible cameras from a pycolmap reconstruction, in place.

    Args:
        reconstruction: ``pycolmap.Reconstruction``.
        initial: cameras before the reconstruction, by id; they replace the impossible ones.

    Returns:
        Name -> reason of each removed image.
    """
    reasons: dict[int, str] = {}
    for camera_id, native in reconstruction.cameras.items():
        start = initial[camera_id]
        found = Camera(start.model, start.width, start.height, np.array(native.params))
        reason = impossible_reason(found, config)
        if reason is not None:
            reasons[camera_id] = reason
            native.params = start.params
    removed = {}
    for image_id in sorted(reconstruction.reg_image_ids()):
        image = reconstruction.image(image_id)
        if image.camera_id in reasons:
            removed[str(image.name)] = reasons[image.camera_id]
            reconstruction.deregister_frame(image.frame_id)
    return removed
