"""Linearized reprojection errors of all cameras of a rig as functions of one pose."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from hloc_lite.pose.batch_reprojection import BatchReprojection
from hloc_lite.pose.batched_linalg import Array
from hloc_lite.types import Float64, Rigid3


@dataclass(frozen=True, eq=False)
class RigBatchReprojection(BatchReprojection):
    """``BatchReprojection`` of (12,) poses rig_from_world.

    A point in a camera's frame, R_c (R P + t) + t_c, is affine in (R, t): the forms have a 13th
    row for the constant.
    """

    @classmethod
    def from_camera(
        cls,
        rays: Float64,
        jacobians: Float64,
        points3D: Float64,
        bounds_px: Float64,
        cam_from_rig: Rigid3,
    ) -> RigBatchReprojection:
        """Linearize the errors of one camera of the rig.

        Args:
            rays: (K, 3) unit rays in the camera frame.
            jacobians: (K, 2, 3) derivative of the projection at the rays, pixels.
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
    def concatenate(cls, parts: list[RigBatchReprojection]) -> RigBatchReprojection:
        """Errors of all cameras, one after the other."""
        return cls(np.concatenate([part.forms for part in parts], axis=2))

    def subset(self, selection: Array) -> Self:
        """See ``BatchReprojection.subset``; a contiguous copy."""
        return replace(self, forms=np.ascontiguousarray(self.forms[:, :, selection]))

    @property
    def point_forms(self) -> Float64:
        """(3, 3, K) the forms as functions of the point in the rig frame, without constants."""
        return self.forms[:, 9:12]

    def evaluate(self, pose: Float64) -> Float64:
        """See ``BatchReprojection.evaluate``."""
        return np.asarray(np.append(pose, 1.0) @ self.forms)

    def msac_scores(self, poses: Array) -> Array:
        """See ``BatchReprojection.msac_scores``."""
        return super().msac_scores(np.concatenate([poses, np.ones_like(poses[:, :1])], axis=1))
