"""Which points, and which balls around points, a camera may see."""

from __future__ import annotations

import numpy as np

from hloc_lite.geometry.camera_models import lens_and_distortion
from hloc_lite.geometry.cameras import bearings, cam_from_img
from hloc_lite.geometry.lenses import Perspective
from hloc_lite.types import Bool, Camera, Float32, Float64


def sphere_in_view(camera: Camera, center_in_cam: Float64, radius: float) -> bool:
    """False if no point of a ball can lie in the image.

    Args:
        center_in_cam: (3,) in the camera frame.
        radius: in the same unit.
    """
    distance = float(np.linalg.norm(center_in_cam))
    if distance <= radius:
        return True
    cosines = bearings(camera, _border(camera, 0.0))[:, 2]
    if np.isnan(cosines).any():  # the image ends beyond the model's range
        return True
    off_axis = np.arccos(np.clip(center_in_cam[2] / distance, -1, 1))
    return bool(off_axis <= np.arccos(cosines.min()) + np.arcsin(radius / distance))


def in_field_of_view(camera: Camera, x: Float32, y: Float32, z: Float32, margin: float) -> Bool:
    """(V,) False for points in the camera frame that lie farther than a margin from the image.

    Distortion models would project some of those far outside into it again.
    """
    inside = (z > 0) & (z < np.inf)
    border = np.concatenate([cam_from_img(camera, _border(camera, m)) for m in (0.0, margin)])
    is_perspective = isinstance(lens_and_distortion(camera)[0], Perspective)
    if np.isnan(border).any() and not is_perspective:  # the image ends at 90 degrees or beyond
        return np.asarray(inside)
    low, high = np.nanmin(border, axis=0), np.nanmax(border, axis=0)
    reach = np.float32(np.nanmax((border**2).sum(axis=1)))
    for side, least, most in zip(
        (x, y), low.astype(np.float32), high.astype(np.float32), strict=True
    ):
        inside &= (side >= least * z) & (side <= most * z)
    return np.asarray(inside & (x * x + y * y <= reach * z * z))


def _border(camera: Camera, margin: float) -> Float64:
    """(K, 2) points around the image, at a margin in pixels."""
    steps = np.linspace(0.0, 1.0, 65)
    ends = np.array([0.0, 1.0])
    corners = [np.meshgrid(a, b) for a, b in ((steps, ends), (ends, steps))]
    shares = np.concatenate([np.stack([a.ravel(), b.ravel()], axis=-1) for a, b in corners])
    size = np.array([camera.width, camera.height])
    return np.asarray(shares * (size + 2 * margin) - margin)
