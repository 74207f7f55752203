"""Non-linear refinement of a pose on its inliers, and the covariance that goes with it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from hloc_lite.geometry.cameras import (
    focal_lengths,
    img_from_cam,
    model_of,
    pixel_differences,
    principal_point,
    projection_jacobian,
)
from hloc_lite.geometry.rotations import cross_matrices, exp_so3
from hloc_lite.types import Bool, Camera, Float64, Rigid3

MAX_ITERATIONS = 50
STEP_TOLERANCE = 1e-9
"""Relative decrease of the cost below which the minimum is reached: what is left of the way is a
thousandth of a standard deviation of the pose, and a third of the steps is saved."""


SANDWICH_POINTS = 100
"""Inliers at which both covariances count alike. With it 3 to 7 % of true poses lie beyond the 95 %
bound at 16 to 400 inliers of equal noise, up to 11 % with two kinds of noise; the sandwich alone
gave 46 % at 16 inliers."""


@dataclass(frozen=True, eq=False)
class Refined:
    """A refined pose; ``covariance`` as in ``PoseEstimate``, None if the points leave it open."""

    cam_from_world: Rigid3
    camera: Camera
    covariance: Float64 | None


def refine_pose(
    points2D: Float64,
    points3D: Float64,
    camera: Camera,
    cam_from_world: Rigid3,
    loss_px: float,
    *,
    weights: Float64 | None = None,
    refine_focal: bool = False,
) -> Refined:
    """Minimize the weighted Cauchy loss of the reprojection errors by Levenberg-Marquardt.

    The loss is w loss_px^2 log(1 + r^2 / loss_px^2), solved by iterative re-weighting. The
    covariance is that of an M-estimator (Huber 1967, 1981): it takes the noise from the residuals
    themselves, whatever their size relative to the loss.

    Args:
        points2D: (K, 2) pixels of the inliers.
        points3D: (K, 3) world.
        camera: intrinsics; with ``refine_focal`` only the start for its focal length.
        cam_from_world: start.
        loss_px: scale of the loss, pixels.
        weights: (K,) > 0; None: all alike. Only their proportions matter.
        refine_focal: estimate one factor of all focal lengths as well.
    """
    num_params = 7 if refine_focal else 6
    weights = np.ones(len(points2D)) if weights is None else weights / weights.mean()
    best, damping = (cam_from_world, camera), 1e-4
    residuals = _residuals(*best, points2D, points3D)
    cost = _cauchy_cost(residuals, loss_px, weights)
    for _ in range(MAX_ITERATIONS):
        jacobian = _jacobian(*best, points3D, num_params)
        normal, gradient = _normal_equations(jacobian, residuals, loss_px, weights)
        scaled = normal + damping * np.diag(np.maximum(np.diag(normal), 1e-12))
        try:
            step = np.asarray(np.linalg.solve(scaled, -gradient), np.float64)
        except np.linalg.LinAlgError:
            break
        trial = _moved(*best, step)
        trial_residuals = _residuals(*trial, points2D, points3D)
        trial_cost = _cauchy_cost(trial_residuals, loss_px, weights)
        if not trial_cost < cost:
            damping *= 10
            if damping > 1e8:
                break
            continue
        converged = cost - trial_cost <= STEP_TOLERANCE * cost
        best, residuals, cost = trial, trial_residuals, trial_cost
        damping = max(damping / 10, 1e-10)
        if converged:
            break
    jacobian = _jacobian(*best, points3D, num_params)
    return Refined(*best, _covariance(jacobian, residuals, loss_px, weights))


def inlier_mask(
    points2D: Float64,
    points3D: Float64,
    camera: Camera,
    cam_from_world: Rigid3,
    bound_px: float | Float64,
) -> Bool:
    """(K,) whether each point projects within ``bound_px`` (one, or (K,)) of its pixel, in front of
    the camera."""
    with np.errstate(invalid="ignore"):
        errors = np.linalg.norm(_residuals(cam_from_world, camera, points2D, points3D), axis=1)
        return errors <= bound_px


def _residuals(pose: Rigid3, camera: Camera, points2D: Float64, points3D: Float64) -> Float64:
    return pixel_differences(camera, img_from_cam(camera, pose.apply(points3D)), points2D)


def _cauchy_cost(residuals: Float64, loss_px: float, weights: Float64) -> float:
    cost = float(loss_px**2 * (np.log1p((residuals**2).sum(axis=1) / loss_px**2) @ weights))
    return cost if np.isfinite(cost) else np.inf  # a point behind the camera


def _robust_weights(residuals: Float64, loss_px: float) -> Float64:
    return 1.0 / (1.0 + (residuals**2).sum(axis=1) / loss_px**2)


def _jacobian(pose: Rigid3, camera: Camera, points3D: Float64, num_params: int) -> Float64:
    """(K, 2, P) derivative of the residuals by the parameters' step."""
    points_in_cam = pose.apply(points3D)
    by_point = projection_jacobian(camera, points_in_cam)
    jacobian = np.empty((len(points3D), 2, num_params))
    jacobian[:, :, :3] = -by_point @ cross_matrices(points_in_cam)
    jacobian[:, :, 3:6] = by_point
    if num_params == 7:
        jacobian[:, :, 6] = img_from_cam(camera, points_in_cam) - principal_point(camera)
    return jacobian


def _normal_equations(
    jacobian: Float64, residuals: Float64, loss_px: float, weights: Float64
) -> tuple[Float64, Float64]:
    weighted = jacobian * (weights * _robust_weights(residuals, loss_px))[:, None, None]
    normal = np.einsum("kri,krj->ij", weighted, jacobian)
    return normal, np.einsum("kri,kr->i", weighted, residuals)


def _moved(pose: Rigid3, camera: Camera, step: Float64) -> tuple[Rigid3, Camera]:
    moved = Rigid3(exp_so3(step[:3]), step[3:6]).compose(pose)
    if len(step) == 6:
        return moved, camera
    params = camera.params.copy()
    factor = np.exp(np.clip(step[6], -0.5, 0.5))  # the 7th parameter is the focal's logarithm
    params[: model_of(camera).num_focals] = focal_lengths(camera)[: model_of(camera).num_focals]
    params[: model_of(camera).num_focals] *= factor
    return moved, replace(camera, params=params)


def _covariance(
    jacobian: Float64, residuals: Float64, loss_px: float, weights: Float64
) -> Float64 | None:
    """Of all parameters: between Huber's for one noise of all points, which a dozen of them can
    tell, and the sandwich, which is right for any noise once there are hundreds."""
    num_params = jacobian.shape[2]
    if residuals.size <= num_params or not np.isfinite(residuals).all():
        return None
    robust = _robust_weights(residuals, loss_px)
    influence = robust[:, None] * residuals
    # derivative of the influence by the residual: falls below the weight as residuals grow
    slope = robust[:, None, None] * np.eye(2)
    slope -= 2 / loss_px**2 * influence[:, :, None] * influence[:, None, :]
    scale = np.sqrt(np.maximum(np.einsum("kri,kri->i", jacobian, jacobian), 1e-300))
    jacobian = jacobian / scale
    weighted = weights[:, None, None] * jacobian
    normal = np.einsum("kri,krj->ij", weighted, jacobian)
    bread = np.einsum("kri,krs,ksj->ij", weighted, slope, jacobian)
    for matrix in (normal, bread):
        eigenvalues = np.linalg.eigvalsh(matrix)
        if eigenvalues[0] < 1e-12 * eigenvalues[-1]:
            return None  # the points leave a direction open (collinear, or one far cluster)
    freedom = residuals.size / (residuals.size - num_params)
    gradients = np.einsum("kri,kr->ki", weighted, influence)
    inverse = np.linalg.inv(bread)
    sandwich = inverse @ (gradients.T @ gradients * freedom) @ inverse
    # Huber 1981, 7.6: mean slope, and what its scatter adds for few points
    slopes = np.trace(slope, axis1=1, axis2=2) / 2
    correction = 1 + num_params / residuals.size * slopes.var() / slopes.mean() ** 2
    noise = (influence**2).mean() * freedom * (correction / slopes.mean()) ** 2
    inverse = np.linalg.inv(normal)
    uniform = noise * inverse @ np.einsum("kri,krj->ij", weighted, weighted) @ inverse
    points = weights.sum() ** 2 / (weights**2).sum()
    share = points / (points + SANDWICH_POINTS)
    covariance = (share * sandwich + (1 - share) * uniform) / np.outer(scale, scale)
    return np.asarray((0.5 * (covariance + covariance.T))[:6, :6])
