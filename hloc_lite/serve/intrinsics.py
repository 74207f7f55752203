"""Intrinsics as they are sent: COLMAP's line, or OpenCV's numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hloc_lite.errors import HlocLiteError
from hloc_lite.formats.hloc_lists import parse_camera
from hloc_lite.geometry.camera_models import CAMERA_MODELS
from hloc_lite.geometry.cameras import check_camera
from hloc_lite.serve.problems import Problem
from hloc_lite.types import Camera, Photo

DISTORTIONS = {0: "PINHOLE", 2: "OPENCV", 4: "OPENCV", 5: "FULL_OPENCV", 8: "FULL_OPENCV"}
"""Number of OpenCV's coefficients k1 k2 p1 p2 k3 k4 k5 k6 -> COLMAP's model."""


@dataclass(frozen=True)
class Intrinsics:
    """Focal lengths and principal point in pixels, with OpenCV's distortion."""

    fx: float
    fy: float
    cx: float | None
    """None: the image's centre. Pixels as COLMAP's: the first one's centre is at 0.5."""
    cy: float | None
    distortion: tuple[float, ...]
    size: tuple[int, int] | None
    """(width, height) that they are for; None: the image's own."""

    def camera(self, photo: Photo) -> Camera:
        """COLMAP's camera of a photo."""
        width, height = self.size or (photo.width, photo.height)
        cx = width / 2 if self.cx is None else self.cx
        cy = height / 2 if self.cy is None else self.cy
        model = DISTORTIONS[len(self.distortion)]
        params = np.zeros(CAMERA_MODELS[model].num_params)
        params[:4] = self.fx, self.fy, cx, cy
        params[4 : 4 + len(self.distortion)] = self.distortion
        return check_camera(Camera(model, width, height, params))


def intrinsics_of(
    camera: str | None,
    focal: tuple[float | None, float | None],
    center: tuple[float | None, float | None],
    distortion: Sequence[float],
    size: tuple[int | None, int | None],
) -> Camera | Intrinsics | None:
    """What a request says of its camera; None if it says nothing.

    Raises:
        Problem: contradicting, incomplete or impossible values (422).
    """
    others = [value for value in (*focal, *center, *size) if value is not None]
    if camera is not None:
        if others or distortion:
            raise _bad("give either camera or fx fy cx cy (with distortion), not both")
        try:
            return parse_camera(camera, "camera")
        except HlocLiteError as error:
            raise _bad(str(error)) from None
    fx, fy = focal
    if fx is None:
        if others or distortion:
            raise _bad("fy, cx, cy, distortion, width and height need fx")
        return None
    if (center[0] is None) != (center[1] is None):
        raise _bad("cx and cy go together")
    if (size[0] is None) != (size[1] is None):
        raise _bad("width and height go together")
    if len(distortion) not in DISTORTIONS:
        raise _bad(
            f"distortion takes 2, 4, 5 or 8 of OpenCV's coefficients (k1 k2 p1 p2 k3 k4 k5 k6), "
            f"got {len(distortion)}"
        )
    given = None if size[0] is None or size[1] is None else (size[0], size[1])
    fy = fx if fy is None else fy
    return Intrinsics(fx, fy, center[0], center[1], tuple(distortion), given)


def _bad(reason: str) -> Problem:
    return Problem(422, "bad_intrinsics", reason)
