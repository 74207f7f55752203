"""Reprojection errors of all cameras of a rig as quotients of affine forms of one pose."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hloc_lite.pose.batch_algebra import Array
from hloc_lite.pose.linear_errors import LinearErrors
from hloc_lite.types import Float64, Rigid3


@dataclass(frozen=True, eq=False)
class RigErrors(LinearErrors):
    """``LinearErrors`` of (12,) poses rig_from_world. A point in a camera's frame,
    R_c (R P + t) + t_c, is affine in (R, t): the forms have a 13th row, for the constant."""

    @classmethod
    def of_camera(
        cls,
        rays: Float64,
        jacobians: Float64,
        points3D: Float64,
        bounds_px: Float64,
        cam_from_rig: Rigid3,
    ) -> RigErrors:
        """
        Args:
            rays: (K, 3) unit rays in the camera frame.
            jacobians: (K, 2, 3) pixels by motion of a point at distance 1 on its ray.
            points3D: (K, 3) world.
            bounds_px: (K,) inlier bounds.
            cam_from_rig: extrinsics of the camera.
        """
        in_cam = np.concatenate([jacobians / bounds_px[:, None, None], rays[:, None]], axis=1)
        in_rig = in_cam @ cam_from_rig.rotation
        constant = in_cam @ cam_from_rig.translation
        rotation = (in_rig[:, :, :, None] * points3D[:, None, None, :]).reshape(len(rays), 3, 9)
        coefficients = np.concatenate([rotation, in_rig, constant[:, :, None]], axis=2)
        return cls(np.ascontiguousarray(coefficients.transpose(1, 2, 0)))

    @classmethod
    def joined(cls, errors: list[RigErrors]) -> RigErrors:
        """Of all cameras, one after the other."""
        return cls(np.concatenate([each.forms for each in errors], axis=2))

    def subset(self, selection: npt.NDArray[np.generic]) -> RigErrors:
        return RigErrors(np.ascontiguousarray(self.forms[:, :, selection]))

    def astype(self, dtype: npt.DTypeLike) -> RigErrors:
        return RigErrors(self.forms.astype(dtype))

    @property
    def functionals(self) -> Float64:
        """(3, 3, K) the forms as functions of the point in the rig frame, but for a constant."""
        return self.forms[:, 9:12]

    def components(self, pose: Float64) -> Float64:
        """As ``LinearErrors``."""
        return np.asarray(np.append(pose, 1.0) @ self.forms)

    def gains(self, poses: Array) -> Array:
        """As ``LinearErrors``."""
        return super().gains(np.concatenate([poses, np.ones_like(poses[:, :1])], axis=1))
