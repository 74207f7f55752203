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
from hloc_lite.geometry.rotations import exp_so3
from hloc_lite.types import Bool, Camera, Float64, Rigid3

MAX_ITERATIONS = 50
STEP_TOLERANCE = 1e-9
"""Relative decrease of the cost below which the minimum is reached: what is left of the way is a
thousandth of a standard deviation of the pose, and a third of the steps is saved."""
FIRST_DAMPING = 1e-5
"""Relative to each parameter's own curvature: starts are near, and a larger one costs a step."""
NEAR = 0.2
"""Relative decrease of the cost below which the mean curvature of the loss is a better guide than
that of re-weighted least squares, whose steps never go too far."""
SANDWICH_POINTS = 100
"""Inliers at which both covariances count alike. With it 5 to 7 % of true poses lie beyond the 95 %
bound at 50 to 1000 inliers of normal or heavy-tailed noise, 8 to 9 % at 16 to 30 (of 6 in theory),
14 % at 30 of two kinds of noise; the sandwich alone gave 29 % at 30 inliers, 55 % at 16."""


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
    precisions: Float64 | None = None,
    refine_focal: bool = False,
    tolerance: float = STEP_TOLERANCE,
    with_covariance: bool = True,
) -> Refined:
    """Minimize the weighted Cauchy loss of the reprojection errors by Levenberg-Marquardt.

    The loss is w loss_px^2 log(1 + r^2 / loss_px^2), solved by iterative re-weighting, and near the
    minimum by its mean curvature, which takes fewer steps. The covariance is that of an M-estimator
    (Huber 1967, 1981): it takes the noise from the residuals themselves, whatever their size
    relative to the loss.

    Args:
        points2D: (K, 2) pixels of the inliers.
        points3D: (K, 3) world.
        camera: intrinsics; with ``refine_focal`` only the start for its focal length.
        cam_from_world: start.
        loss_px: scale of the loss, pixels.
        weights: (K,) > 0; None: all alike. Only their proportions matter.
        precisions: (K,) > 0, of the pixels: errors are multiplied by them, so that ``loss_px`` and
            the noise are those of a precision of 1; None: all are 1.
        refine_focal: estimate one factor of all focal lengths as well.
        tolerance: relative decrease of the cost at which to stop.
        with_covariance: False leaves it out, and saves its time.
    """
    num_params = 7 if refine_focal else 6
    weights = np.ones(len(points2D)) if weights is None else weights / weights.mean()

    def fit(pose: Rigid3, camera: Camera) -> _Fit:
        return _Fit.of(pose, camera, points2D, points3D, loss_px, weights, precisions)

    best, damping, near = fit(cam_from_world, camera), FIRST_DAMPING, False
    jacobian = _jacobian(best, num_params)
    for _ in range(MAX_ITERATIONS):
        step = _step(jacobian, best, weights, damping, near=near)
        trial = fit(*_moved(best.pose, best.camera, step))
        if not trial.cost < best.cost:
            damping *= 10
            if damping > 1e8:
                break
            continue
        near = best.cost - trial.cost <= NEAR * best.cost
        converged = best.cost - trial.cost <= tolerance * best.cost
        best, damping = trial, max(damping / 10, 1e-10)
        if converged and not with_covariance:
            break
        jacobian = _jacobian(best, num_params)
        if converged:
            break
    covariance = _covariance(jacobian, best, loss_px, weights) if with_covariance else None
    return Refined(best.pose, best.camera, covariance)


def reprojection_errors(
    points2D: Float64, points3D: Float64, camera: Camera, cam_from_world: Rigid3
) -> Float64:
    """(K,) pixels between each point's projection and its pixel; NaN where it cannot be seen."""
    with np.errstate(invalid="ignore"):
        projected = img_from_cam(camera, cam_from_world.apply(points3D))
        dx, dy = pixel_differences(camera, projected, points2D).T
        return np.asarray(np.sqrt(dx * dx + dy * dy))


def inlier_mask(
    points2D: Float64,
    points3D: Float64,
    camera: Camera,
    cam_from_world: Rigid3,
    bound_px: float | Float64,
) -> Bool:
    """(K,) whether each point projects within ``bound_px`` (one, or (K,)) of its pixel, in front of
    the camera."""
    return reprojection_errors(points2D, points3D, camera, cam_from_world) <= bound_px


@dataclass(frozen=True, eq=False)
class _Fit:
    """A pose and camera, and how well the points agree with them."""

    pose: Rigid3
    camera: Camera
    points_in_cam: Float64
    """(K, 3)"""
    projected: Float64
    """(K, 2)"""
    residuals: Float64
    """(2, K), times the precisions."""
    precisions: Float64 | None
    robust: Float64
    """(K,) weights 1 / (1 + r^2 / loss_px^2) of iterative re-weighting."""
    cost: float

    @classmethod
    def of(
        cls,
        pose: Rigid3,
        camera: Camera,
        points2D: Float64,
        points3D: Float64,
        loss_px: float,
        weights: Float64,
        precisions: Float64 | None,
    ) -> _Fit:
        points_in_cam = pose.apply(points3D)
        projected = img_from_cam(camera, points_in_cam)
        residuals = np.ascontiguousarray(pixel_differences(camera, projected, points2D).T)
        if precisions is not None:
            residuals *= precisions
        dx, dy = residuals
        relative = (dx * dx + dy * dy) / loss_px**2
        cost = float(loss_px**2 * (np.log1p(relative) @ weights))
        cost = cost if np.isfinite(cost) else np.inf  # a point behind the camera
        robust = 1 / (1 + relative)
        return cls(pose, camera, points_in_cam, projected, residuals, precisions, robust, cost)


def _jacobian(fit: _Fit, num_params: int) -> Float64:
    """(P, 2, K) derivative of the residuals by the parameters' step."""
    x, y, z = np.ascontiguousarray(fit.points_in_cam.T)
    by_point = projection_jacobian(fit.camera, fit.points_in_cam).transpose(2, 1, 0)
    jacobian = np.empty((num_params, 2, len(x)))
    jacobian[3:6] = by_point
    a, b, c = jacobian[3:6]
    # the first three are a rotation: (omega cross X) through the derivative by X
    jacobian[0] = y * c - z * b
    jacobian[1] = z * a - x * c
    jacobian[2] = x * b - y * a
    if num_params == 7:
        jacobian[6] = (fit.projected - principal_point(fit.camera)).T
    return jacobian if fit.precisions is None else jacobian * fit.precisions


def _gram(jacobian: Float64, weights: Float64) -> Float64:
    """(P, P) sum over all points of their (K,) weights times J^T J."""
    count = len(jacobian)
    weighted = (jacobian * weights).reshape(count, -1)
    return np.asarray(weighted @ jacobian.reshape(count, -1).T)


def _step(jacobian: Float64, fit: _Fit, weights: Float64, damping: float, *, near: bool) -> Float64:
    """(P,) towards the minimum of the cost's quadratic model."""
    influence = (weights * fit.robust * fit.residuals).ravel()
    gradient = jacobian.reshape(len(jacobian), -1) @ influence
    # the curvature of the loss is 1 - r^2 / loss_px^2 along r, and 1 across, both times the
    # squared robust weight: on average that is the square itself
    normal = _gram(jacobian, weights * (fit.robust**2 if near else fit.robust))
    np.fill_diagonal(normal, np.maximum(np.diag(normal), 1e-12) * (1 + damping))
    try:
        return np.asarray(np.linalg.solve(normal, -gradient), np.float64)
    except np.linalg.LinAlgError:
        return np.zeros(len(gradient))  # helps nothing, and is tried again with more damping


def _moved(pose: Rigid3, camera: Camera, step: Float64) -> tuple[Rigid3, Camera]:
    moved = Rigid3(exp_so3(step[:3]), step[3:6]).compose(pose)
    if len(step) == 6:
        return moved, camera
    params = camera.params.copy()
    factor = np.exp(np.clip(step[6], -0.5, 0.5))  # the 7th parameter is the focal's logarithm
    params[: model_of(camera).num_focals] = focal_lengths(camera)[: model_of(camera).num_focals]
    params[: model_of(camera).num_focals] *= factor
    return moved, replace(camera, params=params)


def _covariance(jacobian: Float64, fit: _Fit, loss_px: float, weights: Float64) -> Float64 | None:
    """Of all parameters: between Huber's for one noise of all points, which a dozen of them can
    tell, and the sandwich, which is right for any noise once there are hundreds."""
    num_params, num_residuals = len(jacobian), fit.residuals.size
    if num_residuals <= num_params or not np.isfinite(fit.cost):
        return None
    influence = fit.robust * fit.residuals
    scale = np.sqrt(np.maximum(np.einsum("prk,prk->p", jacobian, jacobian), 1e-300))
    jacobian = jacobian / scale[:, None, None]
    normal = _gram(jacobian, weights)
    # (P, K) each point's part of the gradient
    gradients = weights * (jacobian[:, 0] * influence[0] + jacobian[:, 1] * influence[1])
    # derivative of the influence by the residual: falls below the weight as residuals grow
    bread = _gram(jacobian, weights * fit.robust)
    bread -= 2 / loss_px**2 * (gradients / weights) @ gradients.T
    for matrix in (normal, bread):
        eigenvalues = np.linalg.eigvalsh(matrix)
        if eigenvalues[0] < 1e-12 * eigenvalues[-1]:
            return None  # the points leave a direction open (collinear, or one far cluster)
    spare = num_residuals - num_params
    freedom = num_residuals / spare
    inverse = np.linalg.inv(bread)
    sandwich = inverse @ (gradients @ gradients.T * freedom) @ inverse
    # Huber 1981, 7.6: mean slope, and what its scatter adds for few points
    slopes = fit.robust**2
    correction = 1 + num_params / num_residuals * slopes.var() / slopes.mean() ** 2
    noise = (influence**2).mean() * freedom * (correction / slopes.mean()) ** 2
    inverse = np.linalg.inv(normal)
    uniform = noise * inverse @ _gram(jacobian, weights**2) @ inverse
    points = weights.sum() ** 2 / (weights**2).sum()
    share = points / (points + SANDWICH_POINTS)
    # the size of the noise is an estimate itself: Student's law, whose covariance is larger
    student = spare / max(spare - 2, 1)
    covariance = student * (share * sandwich + (1 - share) * uniform) / np.outer(scale, scale)
    return np.asarray((0.5 * (covariance + covariance.T))[:6, :6])
