"""Non-linear refinement of a pose on the pixels of its inliers."""

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
from hloc_lite.pose.robust_fit import Loss, fill_rotation_rows, minimize
from hloc_lite.types import Bool, Camera, Float64, Rigid3

POINTS_FOR_DISTORTION = 60
"""Fewer leave it open, together with the focal length."""
DISTORTION_STEP = 1e-4
"""Projections are linear in the distortion, up to rounding."""
RADIAL = 3
"""Row of the radial distortion among the parameters of SIMPLE_RADIAL."""


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
    roughly: bool = False,
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
        refine_focal: estimate one factor of all focal lengths as well, and of ``SIMPLE_RADIAL``
            cameras with ``POINTS_FOR_DISTORTION`` points their radial distortion: taken as 0, it
            passes for another focal length, and moves the camera.
        roughly: as of ``minimize``.
    """
    weights = np.ones(len(points2D)) if weights is None else weights / weights.mean()
    points = _Points(
        points2D, points3D, weights, precisions, loss_px,
        _num_params(camera, len(points2D)) if refine_focal else 6,
    )  # fmt: skip
    start = _PoseFit.of(cam_from_world, camera, points)
    found, covariance = minimize(start, roughly=roughly)
    return Refined(found.pose, found.camera, covariance)


def _num_params(camera: Camera, num_points: int) -> int:
    has_radial = camera.model == "SIMPLE_RADIAL"
    return 8 if has_radial and num_points >= POINTS_FOR_DISTORTION else 7


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
class _Points:
    """What is given of them, and how the fit is to be done."""

    points2D: Float64
    points3D: Float64
    weights: Float64
    """(K,) of mean 1."""
    precisions: Float64 | None
    loss_px: float
    num_params: int
    """6; 7 with the focal lengths' factor, 8 with the radial distortion."""


@dataclass(frozen=True, eq=False)
class _PoseFit:
    """``robust_fit.Fit`` of a pose, and of the focal length's logarithm if that is estimated."""

    pose: Rigid3
    camera: Camera
    points: _Points
    points_in_cam: Float64
    """(K, 3)"""
    projected: Float64
    """(K, 2)"""
    loss: Loss
    """Of residuals times the precisions."""

    @classmethod
    def of(cls, pose: Rigid3, camera: Camera, points: _Points) -> _PoseFit:
        in_cam = pose.apply(points.points3D)
        projected = img_from_cam(camera, in_cam)
        residuals = np.ascontiguousarray(pixel_differences(camera, projected, points.points2D).T)
        if points.precisions is not None:
            residuals *= points.precisions
        loss = Loss.of(residuals, points.weights, points.loss_px)
        return cls(pose, camera, points, in_cam, projected, loss)

    def jacobian(self) -> Float64:
        """As ``robust_fit.Fit``."""
        num_params, precisions = self.points.num_params, self.points.precisions
        jacobian = np.empty((num_params, 2, len(self.points_in_cam)))
        jacobian[3:6] = projection_jacobian(self.camera, self.points_in_cam).transpose(2, 1, 0)
        fill_rotation_rows(jacobian, np.ascontiguousarray(self.points_in_cam.T))
        if num_params >= 7:
            jacobian[6] = (self.projected - principal_point(self.camera)).T
        if num_params == 8:
            bent = img_from_cam(_bent(self.camera, DISTORTION_STEP), self.points_in_cam)
            jacobian[7] = ((bent - self.projected) / DISTORTION_STEP).T
        return jacobian if precisions is None else jacobian * precisions

    def moved(self, step: Float64) -> _PoseFit:
        """As ``robust_fit.Fit``."""
        pose = Rigid3(exp_so3(step[:3]), step[3:6]).compose(self.pose)
        camera = self.camera
        if len(step) >= 7:
            num_focals, params = model_of(camera).num_focals, camera.params.copy()
            factor = np.exp(np.clip(step[6], -0.5, 0.5))
            params[:num_focals] = focal_lengths(camera)[:num_focals] * factor
            camera = replace(camera, params=params)
        if len(step) == 8:
            camera = _bent(camera, float(np.clip(step[7], -0.5, 0.5)))
        return _PoseFit.of(pose, camera, self.points)


def _bent(camera: Camera, more: float) -> Camera:
    params = camera.params.copy()
    params[RADIAL] += more
    return replace(camera, params=params)
