"""Camera intrinsics in a request: a COLMAP camera line, or OpenCV's parameters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hloc_lite.errors import HlocLiteError
from hloc_lite.formats.hloc_lists import parse_camera
from hloc_lite.geometry.camera_models import CAMERA_MODELS
from hloc_lite.geometry.distortion_check import check_distortion
from hloc_lite.geometry.plausible_intrinsics import check_given_camera
from hloc_lite.serve.problems import Problem
from hloc_lite.types import Camera, Photo

MODELS = {0: "PINHOLE", 2: "OPENCV", 4: "OPENCV", 5: "FULL_OPENCV", 8: "FULL_OPENCV"}
"""COLMAP model by the number of OpenCV coefficients (k1 k2 p1 p2 k3 k4 k5 k6)."""


@dataclass(frozen=True)
class Intrinsics:
    """OpenCV's intrinsics: focal lengths and principal point in pixels, and distortion.

    Pixel coordinates are COLMAP's: the centre of the top-left pixel is (0.5, 0.5).
    """

    fx: float
    fy: float
    cx: float | None
    """None for the image centre; likewise ``cy``."""
    cy: float | None
    distortion: tuple[float, ...]
    size: tuple[int, int] | None
    """(width, height) in pixels that the intrinsics refer to; None for the photo's size."""

    def camera_for(self, photo: Photo) -> Camera:
        """Return the COLMAP camera of a photo. Raises FormatError."""
        width, height = self.size or (photo.width, photo.height)
        cx = width / 2 if self.cx is None else self.cx
        cy = height / 2 if self.cy is None else self.cy
        model = MODELS[len(self.distortion)]
        params = np.zeros(CAMERA_MODELS[model].num_params)
        params[:4] = self.fx, self.fy, cx, cy
        params[4 : 4 + len(self.distortion)] = self.distortion
        return check_distortion(check_given_camera(Camera(model, width, height, params)))


def parse_intrinsics(
    camera: str | None,
    focal: tuple[float | None, float | None],
    center: tuple[float | None, float | None],
    distortion: Sequence[float],
    size: tuple[int | None, int | None],
) -> Camera | Intrinsics | None:
    """Return the intrinsics given in a request, or None if there are none.

    Raises:
        Problem: contradicting, incomplete or invalid values (422).
    """
    others = [value for value in (*focal, *center, *size) if value is not None]
    if camera is not None:
        if others or distortion:
            raise _bad("give either camera or fx fy cx cy (with distortion), not both")
        try:
            return check_distortion(parse_camera(camera, "camera"))
        except HlocLiteError as error:
            raise _bad(str(error)) from None
    (fx, fy), (cx, cy), (width, height) = focal, center, size
    if fx is None:
        if others or distortion:
            raise _bad("fy, cx, cy, distortion, width and height need fx")
        return None
    if (cx is None) != (cy is None):
        raise _bad("cx and cy must be given together")
    if (width is None) != (height is None):
        raise _bad("width and height must be given together")
    if len(distortion) not in MODELS:
        raise _bad(
            f"distortion takes 2, 4, 5 or 8 of OpenCV's coefficients (k1 k2 p1 p2 k3 k4 k5 k6), "
            f"got {len(distortion)}"
        )
    given_size = None if width is None or height is None else (width, height)
    return Intrinsics(fx, fx if fy is None else fy, cx, cy, tuple(distortion), given_size)


def _bad(reason: str) -> Problem:
    return Problem(422, "bad_intrinsics", reason)
