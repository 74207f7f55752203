"""Local optimization of a RANSAC hypothesis: Gauss-Newton on the weighted MSAC loss."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from hloc_lite.geometry.rotations import exp_so3
from hloc_lite.pose.batch_reprojection import RansacProblem
from hloc_lite.pose.robust_least_squares import damp, fill_rotation_rows
from hloc_lite.types import Float64

MIN_INLIERS = 4
"""Fewer inliers leave the pose unchanged: the minimal solution fits three exactly."""
SHARP_SCORE = 0.85
"""Mean MSAC score of the inliers above which a pose needs no annealing: their errors are then below
a third of the bounds, and the score has a single maximum."""
BOUND_FACTORS = (4.0, 2.0)
"""Factors of the inlier bounds during annealing, before the bounds themselves."""
CONVERGED = 5e-3
"""Relative increase of the score at which iterations stop; the best pose is refined later."""


def optimize_pose(problem: RansacProblem, pose: Float64, max_steps: int) -> tuple[Float64, Float64]:
    """Increase the weighted MSAC score of a pose by Gauss-Newton steps on its inliers.

    A step is kept if it increases the score.

    Args:
        pose: (12,) as in ``BatchReprojection``.

    Returns:
        The (12,) pose, and the (K,) unweighted MSAC scores in [0, 1], 0 for outliers.
    """
    errors, points3D, score_weights = problem.errors, problem.points3D, problem.score_weights
    values = errors.evaluate(pose)
    msac = _msac_scores(values)
    score = float(msac @ score_weights)
    for _ in range(max_steps):
        inliers = np.flatnonzero(msac > 0)
        if len(inliers) < MIN_INLIERS:
            break
        # ``take`` keeps rows contiguous, which makes the step a third faster
        step = gauss_newton_step(
            errors.point_forms.take(inliers, axis=2),
            values.take(inliers, axis=1),
            transform(pose, points3D.take(inliers, axis=0)),
            score_weights.take(inliers),
        )
        if step is None:
            break
        trial = perturb(pose, step)
        values = errors.evaluate(trial)
        trial_msac = _msac_scores(values)
        trial_score = float(trial_msac @ score_weights)
        if not trial_score > score:
            break
        converged = trial_score - score < CONVERGED * score
        pose, score, msac = trial, trial_score, trial_msac
        if converged:
            break
    return pose, msac


def optimize_with_annealing(
    problem: RansacProblem, pose: Float64, max_steps: int
) -> tuple[Float64, Float64]:
    """Optimize a pose with wide inlier bounds first, then with narrower ones.

    Where keypoint noise is as large as the bounds, the score has many neighbouring maxima, and a
    minimal sample leads to any of them; wide bounds smooth them away. On night photos with XFeat it
    increases the score as much as ten times the samples do, in a twentieth of their time.

    Args:
        pose: (12,) as in ``BatchReprojection``; kept if it has the higher score.

    Returns:
        See ``optimize_pose``.
    """
    score_weights = problem.score_weights
    msac = _msac_scores(problem.errors.evaluate(pose))
    score = float(msac @ score_weights)
    if score > SHARP_SCORE * float(score_weights[msac > 0].sum()):
        return pose, msac
    annealed = pose
    for factor in BOUND_FACTORS:
        wide = replace(problem, errors=problem.errors.with_scaled_bounds(factor))
        annealed, _ = optimize_pose(wide, annealed, max_steps)
    annealed, annealed_msac = optimize_pose(problem, annealed, max_steps)
    return (annealed, annealed_msac) if annealed_msac @ score_weights > score else (pose, msac)


def gauss_newton_step(
    point_forms: Float64, values: Float64, points_in_cam: Float64, weights: Float64
) -> Float64 | None:
    """(6,) Gauss-Newton step, a left perturbation (rotation vector, translation) in the camera
    frame; None if the points do not determine it.

    Args:
        point_forms: (3, 3, K), see ``BatchReprojection``.
        values: (3, K) of ``BatchReprojection.evaluate``.
        points_in_cam: (3, K).
        weights: (K,).
    """
    errors = values[:2] / values[2]
    # of e = (J x) / (y x): (J - e y) dx / (y x), and dx = omega cross x + v
    by_point = (point_forms[:2] - errors[:, None] * point_forms[2]) / values[2]
    jacobian = np.empty((6, *errors.shape))
    jacobian[3:] = by_point.transpose(1, 0, 2)
    fill_rotation_rows(jacobian, points_in_cam)
    weighted = (jacobian * weights).reshape(6, -1)
    normal, gradient = weighted @ jacobian.reshape(6, -1).T, weighted @ errors.ravel()
    # undetermined directions get no step
    damp(normal, 1e-10, np.finfo(float).tiny)
    try:
        return np.asarray(-np.linalg.solve(normal, gradient))
    except np.linalg.LinAlgError:
        return None


def transform(pose: Float64, points3D: Float64) -> Float64:
    """(3, K) points in the camera frame from (K, 3) world points and a (12,) pose."""
    return np.asarray(pose[:9].reshape(3, 3) @ points3D.T + pose[9:, None])


def perturb(pose: Float64, step: Float64) -> Float64:
    """(12,) pose after a (6,) left perturbation (rotation vector, translation)."""
    rotation = exp_so3(step[:3])
    return np.concatenate(
        [(rotation @ pose[:9].reshape(3, 3)).ravel(), rotation @ pose[9:] + step[3:]]
    )


def _msac_scores(values: Float64) -> Float64:
    """(K,) as ``BatchReprojection.msac_scores``, from the values of its forms for one pose."""
    first, second, depth = values
    with np.errstate(over="ignore"):
        squared = (first * first + second * second) / np.maximum(depth, 1e-150) ** 2
    return np.maximum(1 - squared, 0)
