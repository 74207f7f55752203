"""Which points, and which balls around points, a camera may see."""

from __future__ import annotations

import numpy as np

from hloc_lite.geometry.camera_models import lens_and_distortion
from hloc_lite.geometry.cameras import bearings, cam_from_img
from hloc_lite.geometry.lenses import Perspective
from hloc_lite.types import Bool, Camera, Float32, Float64


def spheres_in_view(camera: Camera, centers_in_cam: Float64, radii: Float64) -> Bool:
    """(K,) False for balls of which no point can lie in the image.

    Args:
        centers_in_cam: (K, 3) in the camera frame.
        radii: (K,) in the same unit.
    """
    distances = np.linalg.norm(centers_in_cam, axis=1)
    border = _border(camera, 0.0)
    cosines = bearings(camera, border)[:, 2]
    if np.isnan(cosines).any():  # the image ends beyond the model's range
        return np.ones(len(radii), bool)
    around_eye = distances <= radii
    with np.errstate(divide="ignore", invalid="ignore"):
        off_axis = np.arccos(np.clip(centers_in_cam[:, 2] / distances, -1, 1))
        reach = np.arccos(cosines.min()) + np.arcsin(np.minimum(radii / distances, 1))
    seen = off_axis <= reach
    if cosines.min() > 0:  # the image lies between four planes through the eye
        rays = cam_from_img(camera, border)
        for axis in (0, 1):
            for sign, most in ((1, rays[:, axis].max()), (-1, -rays[:, axis].min())):
                outside = sign * centers_in_cam[:, axis] - most * centers_in_cam[:, 2]
                seen &= outside <= radii * np.hypot(1, most)
    return np.asarray(seen | around_eye)


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
