"""Inputs of the rig estimators: centred rig frame, pixel scales, rays and bounds of each camera."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hloc_lite.config import PoseConfig
from hloc_lite.errors import ShapeError
from hloc_lite.geometry.cameras import bearings, projection_jacobian
from hloc_lite.geometry.rotations import cross_matrices
from hloc_lite.pose.inlier_model import bounds_px, false_inlier_rates, max_error_px
from hloc_lite.pose.rig_reprojection import RigBatchReprojection
from hloc_lite.types import (
    Correspondences,
    Float64,
    Int64,
    Rig,
    RigCamera,
    Rigid3,
    RigPoseEstimate,
)


def check_lengths(correspondences: Sequence[Correspondences], rig: Rig) -> None:
    """Check that there is one set of correspondences per camera.

    Raises:
        ShapeError: otherwise.
    """
    if len(correspondences) != len(rig):
        raise ShapeError(
            f"a rig needs correspondences for each of its cameras (empty ones where there are "
            f"none): got {len(correspondences)} for {len(rig)} cameras"
        )


def centered(rig: Rig) -> tuple[Rig, Float64]:
    """The rig in a frame with the origin at the mean camera centre, and that (3,) origin.

    Rounding and refinement then do not depend on the origin of the given frame.
    """
    origin = np.mean([each.cam_from_rig.center for each in rig.cameras], axis=0)
    shift = Rigid3(np.eye(3), origin)
    cameras = tuple(
        RigCamera(each.camera, each.cam_from_rig.compose(shift)) for each in rig.cameras
    )
    return Rig(cameras), origin


def from_centered(estimate: RigPoseEstimate, origin: Float64) -> RigPoseEstimate:
    """Estimate in the given frame from one for the ``centered`` rig."""
    pose = Rigid3(np.eye(3), origin).compose(estimate.rig_from_world)
    covariance = estimate.covariance
    if covariance is not None:
        # a rotation about the centre moves the given origin
        adjoint = np.eye(6)
        adjoint[3:, :3] = cross_matrices(origin)
        covariance = adjoint @ covariance @ adjoint.T
    return RigPoseEstimate(pose, estimate.inlier_masks, estimate.num_trials, covariance)


def pixel_scales(rig: Rig, config: PoseConfig) -> tuple[float, ...]:
    """Factor for the pixels of each camera that makes its inlier bound that of the first camera.

    Errors of cameras with different resolution are then comparable.
    """
    bounds = [max_error_px(each.camera, config) for each in rig.cameras]
    return tuple(bounds[0] / bound for bound in bounds)


def shared_centers(rig: Rig, tolerance: float) -> Int64:
    """(C,) for each camera, the first camera whose centre lies within the tolerance of its own."""
    centers = np.array([each.cam_from_rig.center for each in rig.cameras])
    distances = np.linalg.norm(centers[:, None] - centers, axis=2)
    return np.argmax(distances <= tolerance, axis=1)


@dataclass(frozen=True, eq=False)
class RigView:
    """K usable correspondences of one camera, prepared for RANSAC."""

    cam_from_rig: Rigid3
    rays: Float64
    """(K, 3) unit rays in the camera frame."""
    jacobians: Float64
    """(K, 2, 3) derivative of the projection at the rays, pixels."""
    points3D: Float64
    """(K, 3) world."""
    weights: Float64
    """(K,) > 0."""
    bounds_px: Float64
    """(K,) inlier bounds."""
    false_inlier_rates: Float64
    """(K,), see ``inlier_model.false_inlier_rates``."""

    @classmethod
    def from_correspondences(
        cls, rig_camera: RigCamera, correspondences: Correspondences, config: PoseConfig
    ) -> RigView:
        """Keeps the correspondences whose pixels the lens can see.

        Args:
            correspondences: usable ones only (``usable_mask``).
        """
        camera = rig_camera.camera
        rays = bearings(camera, correspondences.points2D)
        jacobians = projection_jacobian(camera, rays)
        seen = np.asarray(np.isfinite(rays).all(axis=1) & np.isfinite(jacobians).all(axis=(1, 2)))
        bounds = bounds_px(correspondences, camera, config)[seen]
        return cls(
            rig_camera.cam_from_rig,
            rays[seen],
            jacobians[seen],
            correspondences.points3D[seen],
            correspondences.weights[seen],
            bounds,
            false_inlier_rates(bounds, camera),
        )

    @property
    def rays_in_rig(self) -> Float64:
        """(K, 3) unit rays in the rig frame."""
        return np.asarray(self.rays @ self.cam_from_rig.rotation)

    def errors(self, origin: Float64) -> RigBatchReprojection:
        """Linearized errors, for a world frame moved to a (3,) origin."""
        return RigBatchReprojection.from_camera(
            self.rays, self.jacobians, self.points3D - origin, self.bounds_px, self.cam_from_rig
        )
