"""Local optimization of a RANSAC hypothesis: Gauss-Newton on the truncated weighted loss."""

from __future__ import annotations

import numpy as np

from hloc_lite.geometry.rotations import exp_so3
from hloc_lite.pose.linear_errors import LinearErrors
from hloc_lite.types import Float64


def optimize(
    errors: LinearErrors, points3D: Float64, weights: Float64, pose: Float64, max_steps: int
) -> tuple[Float64, float]:
    """A pose of higher weighted MSAC gain near the given one, and its gain.

    Args:
        pose: (12,) as in ``LinearErrors``.
    """
    best = pose
    first, second, depth = (best @ form for form in errors.forms)
    gains = _gains(first, second, depth)
    score = float(gains @ weights)
    for _ in range(max_steps):
        mask = gains > 0
        if mask.sum() < 4:
            break
        step = _step(errors.forms[:, 9:, mask], points3D[mask], weights[mask], best, first[mask], second[mask], depth[mask])
        if step is None:
            break
        trial = moved(best, step)
        first, second, depth = (trial @ form for form in errors.forms)
        gains = _gains(first, second, depth)
        trial_score = float(gains @ weights)
        if not trial_score > score:
            break
        converged = trial_score - score < 1e-4 * score
        best, score = trial, trial_score
        if converged:
            break
    return best, score


def _gains(first: Float64, second: Float64, depth: Float64) -> Float64:
    squared = (first * first + second * second) / np.maximum(depth, 1e-150) ** 2
    return np.maximum(1 - squared, 0)


def _step(functionals, points3D, weights, pose, first, second, depth):
    """Gauss-Newton step (rotation vector, translation) in the camera frame; None if undetermined."""
    rotated = pose[:9].reshape(3, 3) @ points3D.T + pose[9:, None]
    inverse = 1 / depth
    r1, r2 = first * inverse, second * inverse
    root = np.sqrt(weights) * inverse
    rows = []
    for residual, functional in ((r1, functionals[0]), (r2, functionals[1])):
        # d(J X / y.X) = (J - r y) dX / (y.X), dX = omega x X + v
        direction = (functional - residual * functionals[2]) * root
        x, y, z = rotated
        a, b, c = direction
        rows.append(np.stack([y * c - z * b, z * a - x * c, x * b - y * a, a, b, c]))
    jacobian = np.concatenate(rows, axis=1)
    residuals = np.concatenate([r1, r2]) * np.tile(np.sqrt(weights), 2)
    normal = jacobian @ jacobian.T
    gradient = jacobian @ residuals
    scale = np.sqrt(np.maximum(np.diag(normal), 1e-300))
    normal = normal / scale / scale[:, None]
    normal[np.diag_indices(6)] += 1e-10
    try:
        return -np.linalg.solve(normal, gradient / scale) / scale
    except np.linalg.LinAlgError:
        return None


def moved(pose: Float64, step: Float64) -> Float64:
    """(12,) pose after a (6,) left perturbation (rotation vector, translation)."""
    rotation = exp_so3(step[:3])
    return np.concatenate(
        [(rotation @ pose[:9].reshape(3, 3)).ravel(), rotation @ pose[9:] + step[3:]]
    )
