"""Local optimization of a RANSAC hypothesis: Gauss-Newton on the truncated weighted loss."""

from __future__ import annotations

import numpy as np

from hloc_lite.geometry.rotations import exp_so3
from hloc_lite.pose.linear_errors import LinearErrors
from hloc_lite.pose.robust_fit import damp, fill_rotation_rows
from hloc_lite.types import Float64

MIN_POINTS = 4
"""Fewer inliers leave the pose as it is: three are met exactly by the minimal solution."""
SHARP = 0.85
"""Mean gain of inliers above which a pose is settled already: their errors are then below a third
of the bounds, and the score has one maximum."""
WIDTHS = (4.0, 2.0)
"""Of the bounds while a pose settles, before they are as narrow as ever."""
CONVERGED = 5e-3
"""Relative gain of the score below which another step is not worth its time: the pose
that wins is refined anyway."""


def optimize(
    errors: LinearErrors, points3D: Float64, weights: Float64, pose: Float64, max_steps: int
) -> tuple[Float64, Float64]:
    """Raise the weighted MSAC gain of a pose: each step solves for its inliers and is kept if it
    helps.

    Args:
        points3D: (K, 3) world.
        weights: (K,).
        pose: (12,) as in ``LinearErrors``.

    Returns:
        The pose, and what each correspondence adds to its score before it is weighted: (K,) in
        [0, 1], 0 for outliers.
    """
    components = errors.components(pose)
    gains = _gains(components)
    score = float(gains @ weights)
    for _ in range(max_steps):
        inliers = np.flatnonzero(gains > 0)
        if len(inliers) < MIN_POINTS:
            break
        # ``take`` leaves rows in one piece, on which the step is a third faster
        step = gauss_newton_step(
            errors.functionals.take(inliers, axis=2),
            components.take(inliers, axis=1),
            transform(pose, points3D.take(inliers, axis=0)),
            weights.take(inliers),
        )
        if step is None:
            break
        trial = moved(pose, step)
        components = errors.components(trial)
        trial_gains = _gains(components)
        trial_score = float(trial_gains @ weights)
        if not trial_score > score:
            break
        converged = trial_score - score < CONVERGED * score
        pose, score, gains = trial, trial_score, trial_gains
        if converged:
            break
    return pose, gains


def settle(
    errors: LinearErrors, points3D: Float64, weights: Float64, pose: Float64, max_steps: int
) -> tuple[Float64, Float64]:
    """The (12,) pose optimized once more from afar, and its gains: with wide bounds at first, then
    narrower ones.

    Where keypoints are as inexact as the bounds are wide, the score has many maxima next to one
    another, and a minimal sample leads to any of them; wide bounds smooth them away. On photos at
    night with XFeat it gains what ten times the samples do, in a twentieth of their time.

    Args:
        points3D: (K, 3) world.
        weights: (K,).
        pose: (12,) as in ``LinearErrors``; kept if it scores better.
    """
    gains = _gains(errors.components(pose))
    start = float(gains @ weights)
    if start > SHARP * float(weights[gains > 0].sum()):
        return pose, gains
    settled = pose
    for width in WIDTHS:
        settled, _ = optimize(errors.widened(width), points3D, weights, settled, max_steps)
    settled, settled_gains = optimize(errors, points3D, weights, settled, max_steps)
    return (settled, settled_gains) if settled_gains @ weights > start else (pose, gains)


def gauss_newton_step(
    functionals: Float64, components: Float64, points_in_cam: Float64, weights: Float64
) -> Float64 | None:
    """(6,) left perturbation (rotation vector, translation) in the camera frame that a linear model
    of the errors asks for; None if the points leave it open.

    Args:
        functionals: (3, 3, K) of ``LinearErrors``.
        components: (3, K) of ``LinearErrors``.
        points_in_cam: (3, K).
        weights: (K,).
    """
    errors = components[:2] / components[2]
    # of e = (J x) / (y x): (J - e y) dx / (y x), and dx = omega cross x + v
    slopes = (functionals[:2] - errors[:, None] * functionals[2]) / components[2]
    jacobian = np.empty((6, *errors.shape))
    jacobian[3:] = slopes.transpose(1, 0, 2)
    fill_rotation_rows(jacobian, points_in_cam)
    weighted = (jacobian * weights).reshape(6, -1)
    normal, gradient = weighted @ jacobian.reshape(6, -1).T, weighted @ errors.ravel()
    # what the points leave open stays as it is
    damp(normal, 1e-10, np.finfo(float).tiny)
    try:
        return np.asarray(-np.linalg.solve(normal, gradient))
    except np.linalg.LinAlgError:
        return None


def transform(pose: Float64, points3D: Float64) -> Float64:
    """(3, K) camera frame of (K, 3) world points under a (12,) pose."""
    return np.asarray(pose[:9].reshape(3, 3) @ points3D.T + pose[9:, None])


def moved(pose: Float64, step: Float64) -> Float64:
    """(12,) pose after a (6,) left perturbation (rotation vector, translation)."""
    rotation = exp_so3(step[:3])
    return np.concatenate(
        [(rotation @ pose[:9].reshape(3, 3)).ravel(), rotation @ pose[9:] + step[3:]]
    )


def _gains(components: Float64) -> Float64:
    first, second, depth = components
    with np.errstate(over="ignore"):
        squared = (first * first + second * second) / np.maximum(depth, 1e-150) ** 2
    return np.maximum(1 - squared, 0)
