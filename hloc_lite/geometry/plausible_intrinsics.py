"""Intrinsics that no photo has, and the mistake that likely made them.

Checked where a user gives intrinsics. Models and stored maps are only checked by ``check_camera``.
"""

from __future__ import annotations

import math

from hloc_lite.errors import FormatError
from hloc_lite.geometry.camera_models import (
    check_camera,
    focal_and_center,
    get_camera_model,
    lens_and_distortion,
)
from hloc_lite.geometry.lenses import Perspective
from hloc_lite.types import Camera

MIN_PERSPECTIVE_RATIO = 0.15
"""Least focal length over the longer side with a perspective lens: 147 degrees. The widest such
lenses made see 122 degrees (0.28). Focal lengths in mm come out at 0.001 to 0.1."""
MIN_OTHER_RATIO = 0.03
"""Same for fisheyes and other wide lenses: a full circle of 360 degrees on a fifth of the side."""
MAX_RATIO = 30.0
"""Largest focal length over the longer side: 1.9 degrees. A telephoto lens of 800 mm on a small
sensor has 30; EXIF with more is not believed either."""
SWAP_TOLERANCE = 0.03
"""Distance from the exchanged image centre, over the longer side, at which cx and cy count as
exchanged. The principal points of lenses lie within 1 to 2 % of the centre; a HoloLens' 2.01 %."""


def check_given_camera(camera: Camera) -> Camera:
    """Return the camera itself if a photo may have its intrinsics.

    Raises:
        FormatError: as ``check_camera``; besides, a focal length that is too short for the lens or
            longer than any, or a principal point that is outside the image, at 0, or at the
            exchanged centre.
    """
    check_camera(camera)
    if get_camera_model(camera).num_focals == 0:
        return camera
    _check_focal(camera)
    width, height = camera.width, camera.height
    _, (cx, cy) = focal_and_center(camera)
    if cx == 0 and cy == 0:
        raise FormatError(
            f"principal point (0, 0): it is the image corner, counted from the top left. Give cx "
            f"and cy in pixels, about {width / 2:g} {height / 2:g} for this image"
        )
    if not (0 <= cx <= width and 0 <= cy <= height):
        hint = "are cx and cy exchanged?" if 0 <= cx <= height and 0 <= cy <= width else (
            "do the intrinsics belong to another image size?"
        )  # fmt: skip
        raise FormatError(
            f"principal point ({cx:g}, {cy:g}) is outside the image of {width} x {height}: {hint}"
        )
    side = max(width, height)
    from_swapped = math.hypot(cx - height / 2, cy - width / 2)
    if from_swapped <= SWAP_TOLERANCE * side < 0.25 * abs(width - height):
        raise FormatError(
            f"principal point ({cx:g}, {cy:g}) is the centre of an image of {height} x {width}, "
            f"but this one has {width} x {height}: cx and cy are exchanged, or the intrinsics "
            f"belong to the photo turned by 90 degrees"
        )
    return camera


def _check_focal(camera: Camera) -> None:
    focals, _ = focal_and_center(camera)
    side, focal = max(camera.width, camera.height), float(min(focals))
    lens, _ = lens_and_distortion(camera)
    is_perspective = isinstance(lens, Perspective)
    least = MIN_PERSPECTIVE_RATIO if is_perspective else MIN_OTHER_RATIO
    if float(max(focals)) > MAX_RATIO * side:
        raise FormatError(
            f"focal length {float(max(focals)):g} px is {float(max(focals)) / side:.3g} times the "
            f"longer side of {side} px, more than photos have ({MAX_RATIO:g} times): do the "
            f"intrinsics belong to another image size?"
        )
    if focal >= least * side:
        return
    angle_deg = math.degrees(2 * math.atan(0.5 * side / focal))
    seen = f", a view of {angle_deg:.0f} degrees" if is_perspective else ""
    raise FormatError(
        f"focal length {focal:g} px is {focal / side:.2g} of the longer side of {side} px{seen}: "
        f"{camera.model} needs {least:g} or more. It is likely in mm: multiply it by the image "
        f"width in pixels over the width of the sensor in mm (35 mm equivalent: over 36)"
    )
