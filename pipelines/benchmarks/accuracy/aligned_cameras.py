"""Errors of the cameras of a map from scratch, after its alignment with the truth.

A camera is right within 5 % of the mean camera spread and 2 degrees. The alignment is that of the
camera centres. Where they are nearly on one line, they leave the turn about that line open, and the
rotations of the cameras decide it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from hloc_lite.geometry.robust_similarity import fit_similarity_robust
from hloc_lite.geometry.rotations import pose_errors
from hloc_lite.geometry.similarity import Similarity3, fit_similarity
from hloc_lite.types import Float64, Rigid3

MAX_ERROR_PERCENT, MAX_ANGLE_DEG = 5.0, 2.0
LEVER = 0.1
"""Weight of rotations in the alignment: 1 rad counts as this share of the camera spread."""
Poses = Mapping[str, Rigid3]
"""Image name -> cam_from_world."""
Errors = Mapping[str, tuple[float, float]]
"""Image name -> position error in percent of the mean camera spread, and angle in degrees."""


def camera_errors(poses: Poses, true: Poses) -> Errors:
    """Error of each registered camera that has a true pose, after a robust similarity alignment.

    Position errors are infinite if no similarity aligns them, or there are fewer than three.
    """
    names = [name for name in poses if name in true]
    centers = _centers(true.values())
    spread = float(np.linalg.norm(centers - centers.mean(axis=0), axis=1).mean())
    if len(names) < 3:
        return {name: (float("inf"), 180.0) for name in names}
    true_from_map = _alignment([poses[n] for n in names], [true[n] for n in names], spread)
    if true_from_map is None:
        return {name: (float("inf"), 180.0) for name in names}
    errors = {}
    for name in names:
        distance, angle = pose_errors(true_from_map.pose_in_a(poses[name]), true[name])
        errors[name] = (100 * distance / spread, angle)
    return errors


def _alignment(
    poses: Sequence[Rigid3], true: Sequence[Rigid3], spread: float
) -> Similarity3 | None:
    """Similarity that aligns the centres of most cameras, and their rotations where it is open."""
    source, target = _centers(poses), _centers(true)
    found = fit_similarity_robust(source, target, fit_similarity, 3, 2000, 1e-4 * spread)
    if found is None:
        return None
    aligned, sigma = found
    weights = 1 + np.square(np.linalg.norm(aligned.apply(source) - target, axis=1) / (2 * sigma))
    lever = LEVER * spread
    return fit_similarity(
        _with_axes(poses, lever / aligned.scale), _with_axes(true, lever), np.repeat(weights**-2, 4)
    )


def _with_axes(poses: Sequence[Rigid3], length: float) -> Float64:
    """(4 N, 3) centres of cameras, and points at this distance along their axes."""
    ends = [
        pose.center + length * np.concatenate([np.zeros((1, 3)), pose.rotation]) for pose in poses
    ]
    return np.concatenate(ends)


def _centers(poses: Iterable[Rigid3]) -> Float64:
    return np.array([pose.center for pose in poses])


def wrong_cameras(errors: Errors) -> set[str]:
    """Names of the cameras that are not right."""
    return {
        n for n, (e, a) in errors.items() if not (e <= MAX_ERROR_PERCENT and a <= MAX_ANGLE_DEG)
    }
