"""Non-linear refinement of a pose on the pixels of its inliers."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from hloc_lite.config import PoseConfig
from hloc_lite.geometry.cameras import (
    focal_lengths,
    get_camera_model,
    img_from_cam,
    pixel_differences,
    principal_point,
    projection_jacobian,
)
from hloc_lite.geometry.rotations import exp_so3
from hloc_lite.pose.inlier_model import (
    bounds_px,
    false_inlier_rates,
    inlier_probabilities,
    num_distinct_inliers,
    posterior_odds,
    robust_sigma_px,
)
from hloc_lite.pose.landmark_precision import landmark_precisions
from hloc_lite.pose.robust_least_squares import CauchyLoss, fill_rotation_rows, minimize
from hloc_lite.types import Bool, Camera, Correspondences, Float64, PoseEstimate, Rigid3

MIN_POINTS_FOR_DISTORTION = 60
"""Fewer points do not determine distortion and focal length together."""
DISTORTION_STEP = 1e-4
"""Step of the numerical derivative; projections are linear in the distortion, up to rounding."""
RADIAL_PARAM = 3
"""Index of the radial distortion among the parameters of SIMPLE_RADIAL."""


@dataclass(frozen=True, eq=False)
class RefinedPose:
    """Refined pose; ``covariance`` as in ``PoseEstimate``, None if it is not determined."""

    cam_from_world: Rigid3
    camera: Camera
    covariance: Float64 | None


def refine_on_inliers(
    correspondences: Correspondences,
    camera: Camera,
    pose: Rigid3,
    config: PoseConfig,
    num_trials: int,
    *,
    refine_focal: bool = False,
    precisions: Float64 | None = None,
) -> PoseEstimate | None:
    """Refine RANSAC's pose on its inliers, find these anew, and refine once more.

    Args:
        correspondences: usable ones only (``usable_mask``).
        precisions: (K,) > 0, see ``refine_pose``; None: all equal.

    Returns:
        None if fewer than ``config.min_inliers`` are left.
    """
    points2D, points3D = correspondences.points2D, correspondences.points3D
    weights = correspondences.weights
    bounds = bounds_px(correspondences, camera, config)
    errors = reprojection_errors(points2D, points3D, camera, pose)
    odds = posterior_odds(weights, false_inlier_rates(bounds, camera), config)
    probabilities = inlier_probabilities(odds)
    mask = errors <= bounds
    given, covariance = precisions, None
    for coarse in (True, False):
        if np.count_nonzero(mask) < config.min_inliers:
            return None
        precisions = _joint(given, landmark_precisions(correspondences, camera, pose, config))
        scales = np.ones(len(correspondences)) if precisions is None else precisions
        sigma = robust_sigma_px((scales * errors)[mask], weights[mask])
        refined = refine_pose(
            points2D[mask],
            points3D[mask],
            camera,
            pose,
            config.refine_loss_sigmas * sigma,
            weights=probabilities[mask],
            precisions=None if precisions is None else precisions[mask],
            refine_focal=refine_focal,
            coarse=coarse,
        )
        pose, camera, covariance = refined.cam_from_world, refined.camera, refined.covariance
        errors = reprojection_errors(points2D, points3D, camera, pose)
        mask = errors <= bounds
    if num_distinct_inliers(correspondences, mask) < config.min_inliers:
        return None
    return PoseEstimate(pose, mask, num_trials, covariance, camera)


def _joint(given: Float64 | None, of_landmarks: Float64 | None) -> Float64 | None:
    """Product of precisions, None where all are 1."""
    if given is None or of_landmarks is None:
        return of_landmarks if given is None else given
    return given * of_landmarks


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
    coarse: bool = False,
) -> RefinedPose:
    """Minimize the weighted Cauchy loss of the reprojection errors, see ``minimize``.

    The covariance is that of an M-estimator (Huber 1967, 1981): it takes the noise from the
    residuals themselves, whatever their size relative to the loss.

    Args:
        points2D: (K, 2) pixels of the inliers.
        points3D: (K, 3) world.
        camera: intrinsics; with ``refine_focal``, the focal length is only the initial value.
        cam_from_world: initial pose.
        loss_px: scale of the loss, pixels.
        weights: (K,) > 0, relative to each other; None: all equal.
        precisions: (K,) > 0, factors of the errors: ``loss_px`` and the noise are those of
            precision 1; None: all 1.
        refine_focal: also estimate a common factor of the focal lengths, and for SIMPLE_RADIAL
            cameras with ``MIN_POINTS_FOR_DISTORTION`` points the radial distortion. If that was
            fixed at 0, it would bias focal length and position.
        coarse: see ``minimize``.
    """
    weights = np.ones(len(points2D)) if weights is None else weights / weights.mean()
    data = _RefinementData(
        points2D, points3D, weights, precisions, loss_px,
        (8 if estimates_distortion(camera, len(points2D)) else 7) if refine_focal else 6,
    )  # fmt: skip
    initial = _PoseFit.evaluate(cam_from_world, camera, data)
    fit, covariance = minimize(initial, coarse=coarse)
    return RefinedPose(fit.pose, fit.camera, covariance)


def estimates_distortion(camera: Camera, num_points: int) -> bool:
    """Return True if an unknown radial distortion is estimated with the pose."""
    return camera.model == "SIMPLE_RADIAL" and num_points >= MIN_POINTS_FOR_DISTORTION


def reprojection_errors(
    points2D: Float64, points3D: Float64, camera: Camera, cam_from_world: Rigid3
) -> Float64:
    """(K,) reprojection errors in pixels; NaN for points that the camera cannot see."""
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
    """(K,) mask of points that project within ``bound_px`` (one, or (K,)) of their pixels."""
    return reprojection_errors(points2D, points3D, camera, cam_from_world) <= bound_px


@dataclass(frozen=True, eq=False)
class _RefinementData:
    """Observations and settings of a fit."""

    points2D: Float64
    points3D: Float64
    weights: Float64
    """(K,) of mean 1."""
    precisions: Float64 | None
    loss_px: float
    num_params: int
    """6 for the pose; 7 with the factor of the focal lengths, 8 with the radial distortion."""


@dataclass(frozen=True, eq=False)
class _PoseFit:
    """``robust_least_squares.Fit`` of a pose, optionally with log focal length and distortion."""

    pose: Rigid3
    camera: Camera
    data: _RefinementData
    points_in_cam: Float64
    """(K, 3)"""
    projected: Float64
    """(K, 2)"""
    loss: CauchyLoss
    """Loss of the residuals times the precisions."""

    @classmethod
    def evaluate(cls, pose: Rigid3, camera: Camera, data: _RefinementData) -> _PoseFit:
        in_cam = pose.apply(data.points3D)
        projected = img_from_cam(camera, in_cam)
        residuals = np.ascontiguousarray(pixel_differences(camera, projected, data.points2D).T)
        if data.precisions is not None:
            residuals *= data.precisions
        loss = CauchyLoss.evaluate(residuals, data.weights, data.loss_px)
        return cls(pose, camera, data, in_cam, projected, loss)

    def jacobian(self) -> Float64:
        """See ``robust_least_squares.Fit.jacobian``."""
        num_params, precisions = self.data.num_params, self.data.precisions
        jacobian = np.empty((num_params, 2, len(self.points_in_cam)))
        jacobian[3:6] = projection_jacobian(self.camera, self.points_in_cam).transpose(2, 1, 0)
        fill_rotation_rows(jacobian, np.ascontiguousarray(self.points_in_cam.T))
        if num_params >= 7:
            jacobian[6] = (self.projected - principal_point(self.camera)).T
        if num_params == 8:
            camera = _add_distortion(self.camera, DISTORTION_STEP)
            distorted = img_from_cam(camera, self.points_in_cam)
            jacobian[7] = ((distorted - self.projected) / DISTORTION_STEP).T
        return jacobian if precisions is None else jacobian * precisions

    def updated(self, step: Float64) -> _PoseFit:
        """See ``robust_least_squares.Fit.updated``."""
        pose = Rigid3(exp_so3(step[:3]), step[3:6]).compose(self.pose)
        camera = self.camera
        if len(step) >= 7:
            num_focals, params = get_camera_model(camera).num_focals, camera.params.copy()
            factor = np.exp(np.clip(step[6], -0.5, 0.5))
            params[:num_focals] = focal_lengths(camera)[:num_focals] * factor
            camera = replace(camera, params=params)
        if len(step) == 8:
            camera = _add_distortion(camera, float(np.clip(step[7], -0.5, 0.5)))
        return _PoseFit.evaluate(pose, camera, self.data)


def _add_distortion(camera: Camera, increment: float) -> Camera:
    params = camera.params.copy()
    params[RADIAL_PARAM] += increment
    return replace(camera, params=params)
