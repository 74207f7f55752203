"""Starts of a fit of intrinsics from other focal lengths than the given one."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from hloc_lite.geometry.cameras import focal_lengths
from hloc_lite.pose.intrinsics_fit import with_intrinsics
from hloc_lite.pose.refine import reprojection_errors
from hloc_lite.types import Camera, Correspondences, Rigid3

OTHER_FOCALS = (0.8, 1.25)
"""Factors of the focal length from which a search starts that found nothing from the given one: a
wrong focal length has inliers of its own, which hold a fit where it is."""
LONG_FOCAL = 4.0
"""Focal length over the longer side (14 degrees of view) from which on a search starts from the
usual one, too: from 20 on a camera is as good as affine, and a fit does not find its way back."""
USUAL_FOCAL = 1.0
"""Focal length over the longer side of a usual lens, of 53 degrees."""


def other_starts(
    camera: Camera, pose: Rigid3, kept: Correspondences
) -> Iterator[tuple[Camera, Rigid3]]:
    """Cameras with other focal lengths, and poses that go with them."""
    ratio = float(focal_lengths(camera)[0]) / max(camera.width, camera.height)
    is_long = ratio > LONG_FOCAL
    for factor in (*OTHER_FOCALS, USUAL_FOCAL / ratio) if is_long else OTHER_FOCALS:
        yield _with_other_focal(camera, pose, kept, factor)


def _with_other_focal(
    camera: Camera, pose: Rigid3, kept: Correspondences, factor: float
) -> tuple[Camera, Rigid3]:
    """Start of a fit from another focal length.

    Args:
        factor: the other focal length over that of ``camera``.

    Returns:
        The camera with it, and ``pose`` moved along the optical axis so that what the quarter of
        the points with the smallest errors shows keeps its size in the image.
    """
    errors = reprojection_errors(kept.points2D, kept.points3D, camera, pose)
    agreeing = kept.points3D[np.argsort(errors)[: max(1, len(errors) // 4)]]
    depth = float(np.median(pose.apply(agreeing)[:, 2]))
    moved = Rigid3(pose.rotation, pose.translation + np.array([0.0, 0.0, (factor - 1) * depth]))
    return with_intrinsics(camera, np.array([math.log(factor), 0.0, 0.0, 0.0])), moved
