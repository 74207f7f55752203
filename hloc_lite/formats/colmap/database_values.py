"""Values of COLMAP databases, and how its tables store them.

Schema: https://colmap.github.io/database.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from hloc_lite.errors import FormatError
from hloc_lite.formats.colmap.sqlite import matrix
from hloc_lite.formats.pose_text import pose_from_quat
from hloc_lite.io.number_range import MAX_NUMBER, in_range
from hloc_lite.types import Camera, Float32, Float64, Int32, Rigid3

PAIR_FACTOR = 2**31 - 1
"""COLMAP's pair id is the smaller image id times this, plus the larger."""
KINDS = (
    "UNDEFINED", "DEGENERATE", "CALIBRATED", "UNCALIBRATED", "PLANAR", "PANORAMIC",
    "PLANAR_OR_PANORAMIC", "WATERMARK", "MULTIPLE", "CALIBRATED_RIG",
)  # fmt: skip
"""COLMAP's two-view configurations by number (src/colmap/scene/two_view_geometry.h)."""
SYSTEMS = {-1: "UNDEFINED", 0: "WGS84", 1: "CARTESIAN"}
FEATURE_TYPES = {0: "SIFT", 1: "ALIKED_N16ROT", 2: "ALIKED_N32", 3: "LOMA_B", 4: "LOMA_B128"}
"""COLMAP's types of features by number; SIFT is the only one before COLMAP 4."""
FLOAT_DESCRIPTORS = frozenset({1, 2, 3, 4})
"""Feature types whose descriptors are single precision, stored as bytes: ALIKED and LoMa."""


@dataclass(frozen=True, eq=False, kw_only=True)
class DatabaseImages:
    """Images of a database with their intrinsics; it has no poses."""

    cameras: Mapping[str, Camera]
    """Image name -> intrinsics, in the order of the image ids."""
    image_ids: Mapping[str, int]
    """Image name -> COLMAP's id."""
    camera_ids: Mapping[str, int]
    """Image name -> COLMAP's id of its camera; images may share one."""


@dataclass(frozen=True, eq=False)
class DatabaseKeypoints:
    """Keypoints of an image in a database."""

    keypoints: Float32
    """(N, 2) x, y in pixels; (0.5, 0.5) is the centre of the first pixel."""
    scales: Float32 | None
    """(N,) sizes; None if the database has only positions."""
    orientations_rad: Float32 | None
    """(N,) orientations; None if the database has only positions."""


@dataclass(frozen=True, eq=False, kw_only=True)
class DatabaseTwoView:
    """Verified matches of two images, in the order in which they were asked for."""

    inliers: Int32
    """(K, 2) keypoint indices."""
    kind: str
    """COLMAP's two-view configuration: CALIBRATED, UNCALIBRATED, PLANAR, ... or DEGENERATE."""
    fundamental: Float64 | None = None
    """(3, 3) with x1' F x0 = 0 in pixels; None if not stored."""
    essential: Float64 | None = None
    """(3, 3) with x1' E x0 = 0 of rays; None if not stored."""
    homography: Float64 | None = None
    """(3, 3) with x1 ~ H x0 in pixels; None if not stored."""
    cam1_from_cam0: Rigid3 | None = None
    """Relative pose, translation of any length; None if not stored."""


@dataclass(frozen=True, eq=False)
class PositionPrior:
    """Approximate position of a camera, often from GPS."""

    position: Float64
    """(3,): latitude, longitude (degrees) and height (m) in WGS84, else x, y, z."""
    system: str
    """WGS84, CARTESIAN or UNDEFINED."""


def shapes(values: Float32) -> tuple[Float32 | None, Float32 | None]:
    """Scales and orientations of keypoints with 4 (as such) or 6 (affine shape) columns."""
    if values.shape[1] == 2:
        return None, None
    if values.shape[1] == 4:
        return values[:, 2].copy(), values[:, 3].copy()
    a11, a12, a21, a22 = values[:, 2:].T
    scales = (np.hypot(a11, a21) + np.hypot(a12, a22)) / 2
    return scales, np.arctan2(a21, a11)


def square(blob: Any, where: str) -> Float64 | None:
    """(3, 3) matrix, row by row; None if it is not stored, which COLMAP may write as zeros."""
    if blob is None or blob == b"":
        return None
    found = matrix((3, 3, blob), "<f8", where)
    if not in_range(found):
        raise FormatError(f"{where}: a matrix needs finite numbers of at most {MAX_NUMBER:g}")
    return found if found.any() else None


def inverse(homography: Float64 | None) -> Float64 | None:
    """Inverse of a (3, 3) homography; None if there is none, or it is singular."""
    if homography is None or np.linalg.matrix_rank(homography) < 3:
        return None
    return np.asarray(np.linalg.inv(homography), np.float64)


def relative_pose(quat: Any, translation: Any, where: str) -> Rigid3 | None:
    """Pose of a quaternion wxyz and a translation; None if not stored, or if it is unset."""
    if quat in (None, b"") or translation in (None, b""):
        return None
    wxyz = matrix((1, 4, quat), "<f8", where)[0]
    t = matrix((1, 3, translation), "<f8", where)[0]
    if not wxyz.any():
        return None
    return pose_from_quat(wxyz, t, where)
