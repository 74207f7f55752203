"""Draws a photo beside the view of the map's surface at its pose, and both blended."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO

import cv2
import numpy as np
from PIL import Image

from hloc_lite.evaluation.figures import data_uri
from hloc_lite.geometry.surface_rendering import ViewableSurface, render_surface, scaled_camera
from hloc_lite.types import LocalizationResult, Photo, Surface, UInt8

SIDE_PX = 400
"""Longer side of each panel: three fit beside each other."""
GAP_PX = 6
NOTHING = np.array([128, 128, 128], np.uint8)
"""Colour where the surface is not seen."""


@dataclass(frozen=True)
class ViewPicture:
    """Photo, synthesized view and blend of a query."""

    uri: str
    """``data:`` URI of the image."""
    width: int
    height: int
    agreement: float | None
    """Agreement of the view with the photo; None if it was not compared."""
    valid_share: float
    """Share of the view that the surface fills."""


def draw_view(
    result: LocalizationResult, photo: Photo, surface: Surface | ViewableSurface
) -> ViewPicture | None:
    """Draw photo, view of the surface at the pose, and both blended; None without a pose."""
    if result.pose is None:
        return None
    camera = result.pose.camera
    scale = min(1.0, SIDE_PX / max(camera.width, camera.height))
    small = scaled_camera(camera, scale)
    view = render_surface(surface, camera, result.pose.cam_from_world, scale=scale)
    size = (small.width, small.height)
    left = np.asarray(cv2.resize(photo.pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
    middle = np.where(view.mask[..., None], view.rgb, NOTHING)
    mean = (left.astype(np.uint16) + view.rgb) // 2
    right = np.where(view.mask[..., None], mean, left).astype(np.uint8)
    canvas = _side_by_side(left, middle, right)
    compared = result.views[0].agreement if result.views else np.nan
    agreement = float(compared) if np.isfinite(compared) else None
    height, width = canvas.shape[:2]
    return ViewPicture(_encode(canvas), width, height, agreement, view.coverage)


def _side_by_side(*panels: UInt8) -> UInt8:
    """(h, w, 4) panels in a row with transparent gaps."""
    gap = np.zeros((len(panels[0]), GAP_PX, 4), np.uint8)
    parts = []
    for panel in panels:
        opaque = np.full(panel.shape[:2], 255, np.uint8)
        parts += [np.dstack([panel, opaque]), gap]
    return np.concatenate(parts[:-1], axis=1)


def _encode(canvas: UInt8) -> str:
    buffer = BytesIO()
    Image.fromarray(canvas).save(buffer, "WEBP", quality=82)
    return data_uri(buffer.getvalue(), "image/webp")
