"""Contents of COLMAP model files before they are checked against each other."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from hloc_lite.errors import FormatError, ShapeError
from hloc_lite.geometry.cameras import check_camera
from hloc_lite.types import Camera, Float64, Int64, UInt8

NO_POINT_ID = -1
MAX_POINT_ID = 2**63 - 1
MAX_IMAGE_ID = 2**31 - 2
"""Largest image id that COLMAP's database can hold."""


class RawImage(NamedTuple):
    """An entry of the images file."""

    image_id: int
    quat_wxyz: Float64
    translation: Float64
    camera_id: int
    name: str
    xy: Float64
    """(N, 2) pixels."""
    point3D_ids: Int64
    """(N,) ids, ``NO_POINT_ID`` where a keypoint has no 3D point."""


class RawPoints(NamedTuple):
    """The points file without its tracks."""

    ids: Int64
    """(M,)"""
    xyz: Float64
    """(M, 3)"""
    rgb: UInt8
    """(M, 3)"""
    errors_px: Float64
    """(M,) mean reprojection errors, pixels."""


def empty_points() -> RawPoints:
    """Return a model's points if it has none."""
    return RawPoints(
        np.empty(0, np.int64), np.empty((0, 3)), np.empty((0, 3), np.uint8), np.empty(0)
    )


def make_camera(
    camera_id: int, model: str, width: int, height: int, params: Float64, where: str
) -> Camera:
    """Return the checked camera of a file entry.

    Raises:
        FormatError: invalid intrinsics; names ``where`` (the file and line) and the id.
    """
    if not 0 <= camera_id < 2**31:
        raise FormatError(f"{where}: camera {camera_id} is out of range")
    try:
        return check_camera(Camera(model, width, height, params))
    except (FormatError, ShapeError) as error:
        raise FormatError(f"{where}: camera {camera_id}: {error}") from None
