"""Pose together with free intrinsics: focal length, principal point and radial distortion.

Fitted to see if other intrinsics than those given explain the matches better, and to know how much
an error of the intrinsics moves the pose.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from hloc_lite.config import PoseConfig
from hloc_lite.geometry.cameras import (
    CAMERA_MODELS,
    get_camera_model,
    img_from_cam,
    pixel_differences,
    projection_jacobian,
)
from hloc_lite.geometry.rotations import exp_so3
from hloc_lite.pose.inlier_model import bounds_px, robust_sigma_px
from hloc_lite.pose.refine import reprojection_errors
from hloc_lite.pose.robust_least_squares import fill_rotation_rows
from hloc_lite.types import Camera, Correspondences, Float64, PoseEstimate, Rigid3

NUM_INTRINSICS = 4
"""Log of the focal lengths' common factor; principal point x, y over the longer side; k1."""
FOCAL, CENTER, RADIAL = 0, slice(1, 3), 3
"""Places of these among the four."""
WITH_RADIAL = {
    "SIMPLE_PINHOLE": "SIMPLE_RADIAL",
    "PINHOLE": "OPENCV",
    "SIMPLE_FISHEYE": "SIMPLE_RADIAL_FISHEYE",
    "FISHEYE": "OPENCV_FISHEYE",
}
"""Models without distortion, and the model that adds radial distortion to each."""
RADIAL_MODELS = (
    "SIMPLE_RADIAL", "RADIAL", "OPENCV", "FULL_OPENCV", "OPENCV_FISHEYE", "SIMPLE_RADIAL_FISHEYE",
    "RADIAL_FISHEYE", "THIN_PRISM_FISHEYE",
)  # fmt: skip
"""Models whose first parameter after the principal point is k1."""
STEP = 1e-5
"""Step of the numerical derivatives by intrinsics, in their own units."""
ROUNDS = (4.0, 2.0, 1.0, 1.0)
"""Inlier bounds of each round of a fit, in bounds of RANSAC: other intrinsics bring in matches that
lie outside at first."""
MAX_STEPS = 12
MIN_POINTS = 12
"""Fewer points do not determine a pose and four intrinsics."""


@dataclass(frozen=True, eq=False)
class IntrinsicsFit:
    """Pose and intrinsics that fit together."""

    cam_from_world: Rigid3
    camera: Camera
    num_inliers: int


def with_intrinsics(camera: Camera, change: Float64) -> Camera:
    """Camera with changed intrinsics.

    Args:
        change: (4,) in the units of ``NUM_INTRINSICS``; k1 of models that have none is ignored.
    """
    model, params = get_camera_model(camera), camera.params.copy()
    params[: model.num_focals] *= np.exp(change[0])
    side = max(camera.width, camera.height)
    params[model.num_focals : model.num_focals + 2] += change[1:3] * side
    if camera.model in RADIAL_MODELS:
        params[model.extra_start] += change[3]
    return replace(camera, params=params)


def with_radial(camera: Camera) -> Camera:
    """Return the same camera in a model that has radial distortion, where there is one."""
    name = WITH_RADIAL.get(camera.model)
    if name is None:
        return camera
    params = np.zeros(CAMERA_MODELS[name].num_params)
    params[: len(camera.params)] = camera.params
    return replace(camera, model=name, params=params)


def with_principal_point(camera: Camera, point: tuple[float, float]) -> Camera:
    """Camera with another principal point, pixels."""
    first, params = get_camera_model(camera).num_focals, camera.params.copy()
    params[first : first + 2] = point
    return replace(camera, params=params)


def fit_intrinsics(
    correspondences: Correspondences,
    camera: Camera,
    pose: Rigid3,
    config: PoseConfig,
    prior_sigmas: Float64,
    center: Camera | None = None,
) -> IntrinsicsFit | None:
    """Fit pose and intrinsics to the inliers of a pose, which are found anew in each round.

    Args:
        correspondences: usable ones only (``usable_mask``).
        camera: initial intrinsics, of a model with radial distortion (``with_radial``).
        prior_sigmas: (4,) standard deviations of the intrinsics about those of ``center``, in the
            units of ``NUM_INTRINSICS``.
        center: None for ``camera``.

    Returns:
        None if too few inliers are left.
    """
    points2D, points3D = correspondences.points2D, correspondences.points3D
    bounds = bounds_px(correspondences, camera, config)
    change = np.zeros(NUM_INTRINSICS)
    start = change if center is None else _difference(camera, center)
    for factor in ROUNDS:
        current = with_intrinsics(camera, change)
        errors = reprojection_errors(points2D, points3D, current, pose)
        mask = errors <= factor * bounds
        if np.count_nonzero(mask) < max(MIN_POINTS, config.min_inliers):
            return None
        ones = np.ones(np.count_nonzero(mask))
        loss_px = config.refine_loss_sigmas * robust_sigma_px(errors[mask], ones)
        problem = _Problem(points2D[mask], points3D[mask], camera, loss_px, start, prior_sigmas)
        pose, change = problem.minimize(pose, change)
    fitted = with_intrinsics(camera, change)
    errors = reprojection_errors(points2D, points3D, fitted, pose)
    return IntrinsicsFit(pose, fitted, int(np.count_nonzero(errors <= bounds)))


def pose_by_intrinsics(
    correspondences: Correspondences, estimate: PoseEstimate, estimated: tuple[int, ...] = ()
) -> Float64 | None:
    """(6, 4) derivative of the refined pose by its intrinsics, in the units of ``NUM_INTRINSICS``.

    Args:
        estimated: intrinsics that are estimated with the pose, of which there is no derivative (0).

    Returns:
        None where the inliers do not determine the pose.
    """
    inliers = correspondences.subset(estimate.inlier_mask)
    camera = with_radial(estimate.camera)
    jacobian, residuals = _jacobian(
        inliers.points2D, inliers.points3D, camera, estimate.cam_from_world
    )
    ones = np.ones(len(inliers))
    scale = 3 * robust_sigma_px(np.linalg.norm(residuals, axis=0), ones)
    robust = 1 / (1 + np.square(residuals).sum(0) / scale**2)
    rows = (jacobian * np.sqrt(robust)).reshape(len(jacobian), -1)
    norms = np.sqrt(np.maximum(np.square(rows).sum(1), np.finfo(float).tiny))
    rows = rows / norms[:, None]
    normal = rows @ rows.T
    solved = [*range(6), *(6 + each for each in estimated)]
    given = [each for each in range(6, 6 + NUM_INTRINSICS) if each not in solved]
    own = normal[np.ix_(solved, solved)]
    if not np.isfinite(normal).all() or np.linalg.eigvalsh(own)[0] < 1e-12:
        return None
    moved = np.zeros((6, NUM_INTRINSICS))
    by_given = -np.linalg.solve(own, normal[np.ix_(solved, given)])[:6]
    moved[:, [each - 6 for each in given]] = by_given * norms[given] / norms[:6, None]
    return moved


@dataclass(frozen=True, eq=False)
class _Problem:
    """Robust least squares of a pose and four intrinsics with a normal prior."""

    points2D: Float64
    points3D: Float64
    camera: Camera
    loss_px: float
    start: Float64
    """(4,) intrinsics of ``camera`` relative to the mean of the prior."""
    prior_sigmas: Float64

    def minimize(self, pose: Rigid3, change: Float64) -> tuple[Rigid3, Float64]:
        """Levenberg-Marquardt from a pose and a (4,) change of the intrinsics."""
        damping, cost = 1e-4, self._cost(pose, change)
        for _ in range(MAX_STEPS):
            step = self._step(pose, change, damping)
            moved = Rigid3(exp_so3(step[:3]), step[3:6]).compose(pose)
            changed = change + step[6:]
            trial = self._cost(moved, changed)
            if not trial < cost:
                damping *= 10
                if damping > 1e4:
                    break
                continue
            is_converged = cost - trial < 1e-4 * cost
            pose, change, cost, damping = moved, changed, trial, max(damping / 10, 1e-9)
            if is_converged:
                break
        return pose, change

    def _cost(self, pose: Rigid3, change: Float64) -> float:
        camera = with_intrinsics(self.camera, change)
        errors = reprojection_errors(self.points2D, self.points3D, camera, pose)
        loss = np.log1p(np.square(errors / self.loss_px)).sum()
        prior = 0.5 * np.square((self.start + change) / self.prior_sigmas).sum()
        noise = self.loss_px**2 / 2.385**2
        cost = float(0.5 * self.loss_px**2 * loss / noise + prior)
        return cost if np.isfinite(cost) else np.inf

    def _step(self, pose: Rigid3, change: Float64, damping: float) -> Float64:
        camera = with_intrinsics(self.camera, change)
        jacobian, residuals = _jacobian(self.points2D, self.points3D, camera, pose)
        robust = 1 / (1 + np.square(residuals).sum(0) / self.loss_px**2)
        noise = self.loss_px**2 / 2.385**2
        rows = (jacobian * robust).reshape(len(jacobian), -1)
        normal = rows @ jacobian.reshape(len(jacobian), -1).T / noise
        gradient = rows @ residuals.ravel() / noise
        normal[6:, 6:] += np.diag(1 / self.prior_sigmas**2)
        gradient[6:] += (self.start + change) / self.prior_sigmas**2
        scale = np.sqrt(np.maximum(np.diag(normal), np.finfo(float).tiny))
        scaled = normal / np.outer(scale, scale) + damping * np.eye(len(normal))
        try:
            step = -np.linalg.solve(scaled, gradient / scale) / scale
        except np.linalg.LinAlgError:
            return np.zeros(len(normal))
        step[6:] = np.clip(step[6:], -0.3, 0.3)
        return np.asarray(step) if np.isfinite(step).all() else np.zeros(len(normal))


def _jacobian(
    points2D: Float64, points3D: Float64, camera: Camera, pose: Rigid3
) -> tuple[Float64, Float64]:
    """(10, 2, K) derivative of the residuals by pose and intrinsics, and (2, K) residuals."""
    in_cam = pose.apply(points3D)
    projected = img_from_cam(camera, in_cam)
    jacobian = np.empty((6 + NUM_INTRINSICS, 2, len(points2D)))
    jacobian[3:6] = projection_jacobian(camera, in_cam).transpose(2, 1, 0)
    fill_rotation_rows(jacobian, np.ascontiguousarray(in_cam.T))
    for index in range(NUM_INTRINSICS):
        change = np.zeros(NUM_INTRINSICS)
        change[index] = STEP
        other = img_from_cam(with_intrinsics(camera, change), in_cam)
        jacobian[6 + index] = ((other - projected) / STEP).T
    residuals = np.ascontiguousarray(pixel_differences(camera, projected, points2D).T)
    return jacobian, residuals


def _difference(camera: Camera, center: Camera) -> Float64:
    """(4,) intrinsics of a camera relative to another one of the same model."""
    model, other = get_camera_model(camera), get_camera_model(center)
    side = max(camera.width, camera.height)
    first, second = camera.params, center.params
    points = first[model.num_focals :][:2] - second[other.num_focals :][:2]
    k1 = 0.0
    if camera.model in RADIAL_MODELS and center.model in RADIAL_MODELS:
        k1 = first[model.extra_start] - second[other.extra_start]
    return np.array([np.log(first[0] / second[0]), *(points / side), k1])
