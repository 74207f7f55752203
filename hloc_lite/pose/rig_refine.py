"""Non-linear refinement of a rig's pose on the pixels of all its cameras, and its covariance."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from hloc_lite.geometry.cameras import img_from_cam, pixel_differences, projection_jacobian
from hloc_lite.geometry.rotations import exp_so3
from hloc_lite.pose.refine import MAX_ITERATIONS, SANDWICH_POINTS, STEP_TOLERANCE
from hloc_lite.types import Bool, Float64, Rig, RigCamera, Rigid3

NEAR = 0.2
"""Relative decrease of the cost below which the loss's mean curvature replaces re-weighting."""


@dataclass(frozen=True, eq=False)
class RigObservations:
    """What all cameras of a rig see, camera after camera."""

    rig: Rig
    counts: tuple[int, ...]
    """For each camera K_c, of K in all."""
    points2D: Float64
    """(K, 2) pixels."""
    points3D: Float64
    """(K, 3) world."""
    scales: tuple[float, ...]
    """For each camera the factor of its pixels, so that errors of all mean the same."""

    def subset(self, mask: Bool) -> RigObservations:
        """Those that a (K,) mask selects."""
        ends = np.cumsum(self.counts)[:-1]
        counts = tuple(int(np.count_nonzero(part)) for part in np.split(mask, ends))
        return RigObservations(
            self.rig, counts, self.points2D[mask], self.points3D[mask], self.scales
        )

    def residuals(self, rig_from_world: Rigid3) -> Float64:
        """(2, K) scaled pixels, projected minus measured; NaN where a point cannot be seen."""
        in_rig = rig_from_world.apply(self.points3D)
        residuals = np.empty((2, len(in_rig)))
        for each, scale, rows in self._cameras():
            projected = img_from_cam(each.camera, each.cam_from_rig.apply(in_rig[rows]))
            off = pixel_differences(each.camera, projected, self.points2D[rows])
            residuals[:, rows] = scale * off.T
        return residuals

    def jacobian(self, rig_from_world: Rigid3) -> Float64:
        """(6, 2, K) derivative of the residuals by a left perturbation in the rig frame."""
        in_rig = rig_from_world.apply(self.points3D)
        jacobian = np.empty((6, 2, len(in_rig)))
        for each, scale, rows in self._cameras():
            by_cam = projection_jacobian(each.camera, each.cam_from_rig.apply(in_rig[rows]))
            by_rig = by_cam @ (scale * each.cam_from_rig.rotation)
            jacobian[3:, :, rows] = by_rig.transpose(2, 1, 0)
        (x, y, z), (a, b, c) = np.ascontiguousarray(in_rig.T), jacobian[3:]
        # the first three are a rotation: (omega cross X) through the derivative by X
        jacobian[0] = y * c - z * b
        jacobian[1] = z * a - x * c
        jacobian[2] = x * b - y * a
        return jacobian

    def _cameras(self) -> Iterator[tuple[RigCamera, float, slice]]:
        """Each camera, its scale, and its rows; without those that see nothing."""
        first = 0
        for each, scale, count in zip(self.rig.cameras, self.scales, self.counts, strict=True):
            if count:
                yield each, scale, slice(first, first + count)
            first += count


def refine_rig(
    observations: RigObservations,
    rig_from_world: Rigid3,
    loss_px: float,
    weights: Float64,
    *,
    tolerance: float = STEP_TOLERANCE,
    with_covariance: bool = True,
) -> tuple[Rigid3, Float64 | None]:
    """Minimize the weighted Cauchy loss of the reprojection errors of all cameras, as
    ``refine_pose`` does for one.

    Args:
        observations: of the inliers.
        rig_from_world: start.
        loss_px: scale of the loss, in scaled pixels.
        weights: (K,) > 0, camera after camera. Only their proportions matter.
        tolerance: relative decrease of the cost at which to stop.
        with_covariance: False leaves it out, and saves its time.

    Returns:
        rig_from_world, and its (6, 6) covariance as in ``RigPoseEstimate``; None if the points
        leave it open.
    """
    weights = weights / weights.mean()
    pose, damping, near = rig_from_world, 1e-5, False
    residuals = observations.residuals(pose)
    cost = _cost(residuals, loss_px, weights)
    jacobian = observations.jacobian(pose)
    for _ in range(MAX_ITERATIONS):
        step = _step(jacobian, residuals, loss_px, weights, damping, near=near)
        trial = Rigid3(exp_so3(step[:3]), step[3:]).compose(pose)
        trial_residuals = observations.residuals(trial)
        trial_cost = _cost(trial_residuals, loss_px, weights)
        if not trial_cost < cost:
            damping *= 10
            if damping > 1e8:
                break
            continue
        near = cost - trial_cost <= NEAR * cost
        converged = cost - trial_cost <= tolerance * cost
        pose, residuals, cost = trial, trial_residuals, trial_cost
        damping = max(damping / 10, 1e-10)
        if converged and not with_covariance:
            return pose, None
        jacobian = observations.jacobian(pose)
        if converged:
            break
    if not with_covariance:
        return pose, None
    return pose, _covariance(jacobian, residuals, loss_px, weights)


def _robust(residuals: Float64, loss_px: float) -> Float64:
    return 1 / (1 + (residuals**2).sum(axis=0) / loss_px**2)


def _cost(residuals: Float64, loss_px: float, weights: Float64) -> float:
    cost = float(loss_px**2 * (np.log1p((residuals**2).sum(axis=0) / loss_px**2) @ weights))
    return cost if np.isfinite(cost) else np.inf  # a point behind its camera


def _gram(jacobian: Float64, weights: Float64) -> Float64:
    """(6, 6) sum of (K,) weights times J^T J."""
    return np.asarray((jacobian * weights).reshape(6, -1) @ jacobian.reshape(6, -1).T)


def _step(
    jacobian: Float64,
    residuals: Float64,
    loss_px: float,
    weights: Float64,
    damping: float,
    *,
    near: bool,
) -> Float64:
    """(6,) damped step; none where the points leave it open."""
    robust = _robust(residuals, loss_px)
    gradient = jacobian.reshape(6, -1) @ (weights * robust * residuals).ravel()
    # the mean of the loss's curvature along the residual and across it
    normal = _gram(jacobian, weights * (robust**2 if near else robust))
    np.fill_diagonal(normal, np.maximum(np.diag(normal), 1e-12) * (1 + damping))
    try:
        return np.asarray(np.linalg.solve(normal, -gradient))
    except np.linalg.LinAlgError:
        return np.zeros(6)


def _covariance(
    jacobian: Float64, residuals: Float64, loss_px: float, weights: Float64
) -> Float64 | None:
    """As ``refine`` mixes them: Huber's for one noise of all points (1981, 7.6), and the sandwich
    of an M-estimator (Huber 1967), which needs many."""
    freedom = residuals.size - 6
    if freedom <= 0 or not np.isfinite(residuals).all() or not np.isfinite(jacobian).all():
        return None
    scale = np.sqrt(np.maximum((jacobian**2).sum(axis=(1, 2)), 1e-300))
    jacobian = jacobian / scale[:, None, None]
    robust = _robust(residuals, loss_px)
    influence = robust * residuals
    by_point = (jacobian * influence).sum(axis=1)
    normal = _gram(jacobian, weights)
    # derivative of the influence by the residual: robust - 2 influence influence^T / loss^2
    bread = _gram(jacobian, weights * robust) - 2 / loss_px**2 * (weights * by_point) @ by_point.T
    for matrix in (normal, bread):
        eigenvalues = np.linalg.eigvalsh(matrix)
        if eigenvalues[0] < 1e-12 * eigenvalues[-1]:
            return None
    inflation = residuals.size / freedom
    inverse = np.linalg.inv(bread)
    sandwich = inverse @ (weights**2 * by_point @ by_point.T * inflation) @ inverse
    slopes = robust**2
    correction = 1 + 6 / residuals.size * slopes.var() / slopes.mean() ** 2
    noise = (influence**2).mean() * inflation * (correction / slopes.mean()) ** 2
    inverse = np.linalg.inv(normal)
    uniform = noise * inverse @ _gram(jacobian, weights**2) @ inverse
    points = weights.sum() ** 2 / (weights**2).sum()
    share = points / (points + SANDWICH_POINTS)
    covariance = (share * sandwich + (1 - share) * uniform) / np.outer(scale, scale)
    return np.asarray(0.5 * (covariance + covariance.T))
