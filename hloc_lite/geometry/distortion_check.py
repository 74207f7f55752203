"""Check of a camera's distortion over its image.

Real lenses map directions to pixels one to one: farther from the optical axis is farther from the
principal point. Distortion with wrong coefficients folds the image back, or stretches it beyond
what lenses do. Poses that fit such intrinsics are wrong and look right.
"""

from __future__ import annotations

import numpy as np

from hloc_lite.errors import FormatError
from hloc_lite.geometry.camera_models import focal_and_center, get_camera_model, lens_and_distortion
from hloc_lite.geometry.cameras import bearings
from hloc_lite.geometry.lenses import Perspective
from hloc_lite.types import Camera, Float64

MAX_STRETCH = 4.0
"""Largest radial stretch at the border of an image, relative to its centre. Among the 10,635
cameras of Aachen Day-Night, estimated by structure from motion, the largest is 2.6."""
MAX_LENS_STRETCH = 16.0
"""Same for lenses that are not perspective, in pixels per radian. A perspective lens of 147
degrees, the widest that is accepted, stretches 12 times."""
MAX_STRETCH_BEHIND = 4.0
"""Same if the image shows what is beside or behind the camera: that of a stereographic fisheye of
240 degrees. Others compress their border."""
_STEP = 1e-4
"""Relative step of the radius for the derivative of the angle."""
_STEPS = 5
"""Pixels per side of the grid, or directions per quarter of the circle, that are looked at."""


def check_distortion(camera: Camera) -> Camera:
    """Return the camera itself if its distortion can be that of a lens.

    Raises:
        FormatError: says where the image folds, or how much it is stretched.
    """
    fault = distortion_fault(camera)
    if fault is not None:
        raise FormatError(fault)
    return camera


def distortion_fault(camera: Camera) -> str | None:
    """Reason why the distortion cannot be that of a lens; None if it can.

    The radius in the image must grow with the angle to the optical axis over the whole image. For
    fisheyes and other wide-angle models it must do so in the largest circle around the principal
    point, because the corners of their images are often black. What is beyond does not matter.
    """
    model = get_camera_model(camera)
    lens, distortion = lens_and_distortion(camera)
    if model.num_focals == 0 or (distortion is None and isinstance(lens, Perspective)):
        return None
    is_perspective = isinstance(lens, Perspective)
    pixels = _grid(camera) if is_perspective else _circle(camera)
    extra = ", ".join(
        f"{name} = {value:g}"
        for name, value in zip(
            model.param_names[model.extra_start :], camera.params[model.extra_start :], strict=True
        )
    )
    which = f"the distortion of {camera.model} ({extra or 'none'})"
    image = f"an image of {camera.width} x {camera.height} px"
    remedy = "check the order and the units of the parameters"
    if not np.isfinite(bearings(camera, pixels)).all():
        focals, center = focal_and_center(camera)
        radius = float(np.sqrt((((pixels - center) / focals) ** 2).sum(axis=-1)).max())
        return (
            f"{which} is not monotonic over {image}: no ray reaches all pixels within "
            f"{radius:.3g} focal lengths of the principal point; {remedy}"
        )
    stretch, limit = _stretch(camera, pixels), MAX_STRETCH
    if stretch <= limit and not is_perspective:
        stretch, limit = _lens_stretch(camera, pixels)
    if stretch > limit:
        return (
            f"{which} stretches the border of {image} {stretch:.3g} times as much as its centre, "
            f"more than any lens ({limit:g} times); {remedy}"
        )
    return None


def _lens_stretch(camera: Camera, pixels: Float64) -> tuple[float, float]:
    """Largest pixels per radian at these pixels over those at the centre, and the limit of it."""
    _, center = focal_and_center(camera)
    outer = bearings(camera, pixels)
    inner = bearings(camera, center + (1 - _STEP) * (pixels - center))
    middle = bearings(camera, center + _STEP * (pixels - center))
    axis = bearings(camera, np.broadcast_to(center, pixels.shape))
    with np.errstate(all="ignore"):
        ratio = _angles(axis, middle) / _angles(inner, outer)
    is_behind = bool((outer[..., 2] <= 0).any())
    limit = MAX_STRETCH_BEHIND if is_behind else MAX_LENS_STRETCH
    return float(np.nanmax(ratio, initial=1.0)), limit


def _angles(first: Float64, second: Float64) -> Float64:
    """Angles between unit vectors, rad; exact for small ones."""
    return 2 * np.arcsin(np.clip(0.5 * np.linalg.norm(first - second, axis=-1), 0, 1))


def _stretch(camera: Camera, pixels: Float64) -> float:
    """Largest growth of the distorted with the undistorted radius at these pixels."""
    _, distortion = lens_and_distortion(camera)
    if distortion is None:
        return 1.0
    focals, center = focal_and_center(camera)
    with np.errstate(all="ignore"):
        u, v = distortion.undistort(*((pixels - center) / focals).T)
        a, b, c, d = distortion.jacobian(u, v)
        length = np.sqrt(u * u + v * v)
        along_u = np.where(length > 0, u / length, 1.0)
        along_v = np.where(length > 0, v / length, 0.0)
    moved_u, moved_v = a * along_u + b * along_v, c * along_u + d * along_v
    return float(np.sqrt(moved_u**2 + moved_v**2).max())


def _grid(camera: Camera) -> Float64:
    """(N, 2) pixels of a grid over the image with its corners."""
    x, y = np.linspace(0, camera.width, _STEPS), np.linspace(0, camera.height, _STEPS)
    return np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)


def _circle(camera: Camera) -> Float64:
    """(N, 2) pixels on the largest circle around the principal point that lies in the image."""
    _, (cx, cy) = focal_and_center(camera)
    radius = max(0.0, min(cx, camera.width - cx, cy, camera.height - cy))
    angles = np.linspace(0, 2 * np.pi, 4 * _STEPS, endpoint=False)
    return np.stack([cx + radius * np.cos(angles), cy + radius * np.sin(angles)], axis=-1)
