"""The usable correspondences of each camera of a rig, ready for RANSAC."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hloc_lite.config import PoseConfig
from hloc_lite.geometry.cameras import bearings, projection_jacobian
from hloc_lite.pose.common import bounds_px, chances
from hloc_lite.pose.rig_errors import RigErrors
from hloc_lite.types import Correspondences, Float64, Int64, Rig, RigCamera, Rigid3


@dataclass(frozen=True, eq=False)
class RigView:
    """K usable correspondences of one camera."""

    cam_from_rig: Rigid3
    rays: Float64
    """(K, 3) unit rays in the camera frame."""
    jacobians: Float64
    """(K, 2, 3) pixels by motion of a point at distance 1 on its ray."""
    points3D: Float64
    """(K, 3) world."""
    weights: Float64
    """(K,) > 0."""
    bounds_px: Float64
    """(K,) inlier bounds."""
    chances: Float64
    """(K,) that a wrong correspondence lies within its bound."""

    @classmethod
    def of(cls, rig_camera: RigCamera, given: Correspondences, config: PoseConfig) -> RigView:
        """Of those that say anything (``usable_rows``), without what the lens cannot see."""
        camera = rig_camera.camera
        rays = bearings(camera, given.points2D)
        jacobians = projection_jacobian(camera, rays)
        usable = np.asarray(np.isfinite(rays).all(axis=1) & np.isfinite(jacobians).all(axis=(1, 2)))
        bounds = bounds_px(given, camera, config)[usable]
        return cls(
            rig_camera.cam_from_rig,
            rays[usable],
            jacobians[usable],
            given.points3D[usable],
            given.weights[usable],
            bounds,
            chances(bounds, camera),
        )

    @property
    def rays_in_rig(self) -> Float64:
        """(K, 3) unit rays in the rig frame."""
        return np.asarray(self.rays @ self.cam_from_rig.rotation)

    def errors(self, origin: Float64) -> RigErrors:
        """As forms of a pose of the world moved to that (3,) origin."""
        return RigErrors.of_camera(
            self.rays, self.jacobians, self.points3D - origin, self.bounds_px, self.cam_from_rig
        )


def stations(rig: Rig, tolerance: float) -> Int64:
    """(C,) the first camera whose centre is within the tolerance of each one's."""
    centers = np.array([each.cam_from_rig.center for each in rig.cameras])
    apart = np.linalg.norm(centers[:, None] - centers, axis=2)
    return np.argmax(apart <= tolerance, axis=1)
