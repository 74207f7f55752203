"""Errors of the cameras of a map from scratch, after its alignment with the truth.

A camera is right within 5 % of the mean camera spread and 2 degrees.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from hloc_lite.geometry.robust_similarity import fit_similarity_robust
from hloc_lite.geometry.rotations import pose_errors
from hloc_lite.geometry.similarity import fit_similarity
from hloc_lite.types import Rigid3

MAX_ERROR_PERCENT, MAX_ANGLE_DEG = 5.0, 2.0
Poses = Mapping[str, Rigid3]
"""Image name -> cam_from_world."""
Errors = Mapping[str, tuple[float, float]]
"""Image name -> position error in percent of the mean camera spread, and angle in degrees."""


def camera_errors(poses: Poses, true: Poses) -> Errors:
    """Error of each registered camera that has a true pose, after a robust similarity alignment.

    Position errors are infinite if no similarity aligns them, or there are fewer than three.
    """
    names = [name for name in poses if name in true]
    centers = np.array([pose.center for pose in true.values()])
    spread = float(np.linalg.norm(centers - centers.mean(axis=0), axis=1).mean())
    if len(names) < 3:
        return {name: (float("inf"), 180.0) for name in names}
    found = fit_similarity_robust(
        np.array([poses[name].center for name in names]),
        np.array([true[name].center for name in names]),
        fit_similarity, 3, 2000, 1e-4 * spread,
    )  # fmt: skip
    if found is None:
        return {name: (float("inf"), 180.0) for name in names}
    errors = {}
    for name in names:
        distance, angle = pose_errors(found[0].pose_in_a(poses[name]), true[name])
        errors[name] = (100 * distance / spread, angle)
    return errors


def wrong_cameras(errors: Errors) -> set[str]:
    """Names of the cameras that are not right."""
    return {
        n for n, (e, a) in errors.items() if not (e <= MAX_ERROR_PERCENT and a <= MAX_ANGLE_DEG)
    }
