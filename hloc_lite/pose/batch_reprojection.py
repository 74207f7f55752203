"""Reprojection errors of many poses at once, from matrix products.

The reprojection error is linearized about the ray y of each pixel. A point X in the camera frame
projects J X / (y . X) pixels away, where J is the Jacobian of the projection at y. (J y = 0, since
moving a point along its ray does not move its projection.) This is exact for a pinhole up to the
ratio of two depths, correct to first order for every camera model, and works beyond 180 degrees.
With X = R P + t, numerator and denominator are linear forms of (R, t).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import numpy.typing as npt

from hloc_lite.pose.batched_linalg import Array, array_namespace
from hloc_lite.types import Bool, Float64, Rigid3

NUM_FORMS = 3


@dataclass(frozen=True, eq=False)
class BatchReprojection:
    """Linearized reprojection errors of K correspondences: three linear forms each of a pose.

    Poses are (12,) rows (r11 r12 r13 r21 ... r33 t1 t2 t3).
    """

    forms: Array
    """(3, 12, K) coefficients: the two error components in units of the inlier bound, times the
    depth along the ray; and that depth."""

    @classmethod
    def from_rays(
        cls, rays: Float64, jacobians: Float64, points3D: Float64, bounds_px: Float64
    ) -> BatchReprojection:
        """Linearize about the rays of the measured pixels.

        Args:
            rays: (K, 3) unit rays.
            jacobians: (K, 2, 3) derivative of the projection at the rays, pixels.
            points3D: (K, 3) world.
            bounds_px: (K,) inlier bounds.
        """
        forms = np.empty((NUM_FORMS, 12, len(rays)))
        point_forms = forms[:, 9:]
        point_forms[:2] = (jacobians / bounds_px[:, None, None]).transpose(1, 2, 0)
        point_forms[2] = rays.T
        rotation = forms[:, :9].reshape(NUM_FORMS, 3, 3, -1)
        np.multiply(point_forms[:, :, None], np.ascontiguousarray(points3D.T), out=rotation)
        return cls(forms)

    def __len__(self) -> int:
        return int(self.forms.shape[2])

    def subset(self, selection: Array) -> Self:
        """Errors of the correspondences that a mask, or indices, select."""
        return replace(self, forms=self.forms[:, :, selection])

    def astype(self, dtype: npt.DTypeLike) -> Self:
        """The same errors in another precision."""
        return replace(self, forms=self.forms.astype(dtype))

    @property
    def point_forms(self) -> Float64:
        """(3, 3, K) the forms as functions of the point in the camera frame."""
        return self.forms[:, 9:]

    def evaluate(self, pose: Float64) -> Float64:
        """(3, K) values of the forms for one (12,) pose: error components times depth, depth."""
        return np.asarray(pose @ self.forms)

    def msac_scores(self, poses: Array) -> Array:
        """(H, K) MSAC scores max(0, 1 - error^2 / bound^2) for (H, 12) poses; 0 behind the camera.

        Computed in the library, on the device and in the precision of poses and forms.
        """
        first, second, depth = (poses @ form for form in self.forms)
        xp = array_namespace(first)
        first *= first
        second *= second
        first += second
        # points behind the camera get a huge error
        xp.clip(depth, xp.finfo(depth.dtype).tiny ** 0.5, None, out=depth)
        depth *= depth
        with np.errstate(over="ignore"):
            first /= depth
        xp.clip(first, None, 1, out=first)
        xp.negative(first, out=first)
        first += 1
        return first

    def with_scaled_bounds(self, factor: float) -> Self:
        """The same errors with all inlier bounds multiplied by a factor."""
        return replace(self, forms=self.forms / np.array([factor, factor, 1.0])[:, None, None])

    def inlier_mask(self, pose: Float64) -> Bool:
        """(K,) mask of the errors within their bounds for one (12,) pose."""
        return np.asarray(self.msac_scores(pose[None])[0] > 0)


@dataclass(frozen=True, eq=False)
class RansacProblem:
    """K correspondences to estimate a pose from."""

    rays: Float64
    """(K, 3) unit rays in the camera frame."""
    points3D: Float64
    """(K, 3) world."""
    weights: Float64
    """(K,) > 0, by which samples are drawn."""
    score_weights: Float64
    """(K,) > 0, of mean 1, weights of the inliers in the score of a pose."""
    errors: BatchReprojection


def rigid_from_row(pose: Float64, origin: Float64) -> Rigid3:
    """Transform of a (12,) pose row, for points that were moved to a (3,) origin before.

    A product of many small rotations is made orthonormal to the last digit.
    """
    rotation, translation = pose[:9].reshape(3, 3), pose[9:]
    left, _, right = np.linalg.svd(rotation)
    rotation = left @ right
    return Rigid3(rotation, translation - rotation @ origin)
