"""Reprojection errors as quotients of linear forms: one matrix product scores many poses.

Around the ray y of a pixel, a point X in the camera frame projects J X / (y . X) pixels away, with
J the derivative of the projection at y (J y = 0 as moving along the ray changes nothing). This is
exact for a pinhole up to the factor of the two depths, right to first order for every camera model,
and works beyond 180 degrees. With X = R P + t, numerator and denominator are linear in (R, t).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import numpy.typing as npt

from hloc_lite.pose.batch_algebra import Array, namespace
from hloc_lite.types import Bool, Float64

FORMS = 3


@dataclass(frozen=True, eq=False)
class LinearErrors:
    """K correspondences as three linear forms each of the 12 numbers of a pose."""

    forms: Array
    """(3, 12, K): two components of the error in units of its bound, times the third, the depth
    along the ray. Poses are rows (r11 r12 r13 r21 ... r33 t1 t2 t3)."""

    @classmethod
    def of(
        cls, rays: Float64, jacobians: Float64, points3D: Float64, bounds_px: Float64
    ) -> LinearErrors:
        """
        Args:
            rays: (K, 3) unit rays.
            jacobians: (K, 2, 3) pixels by motion of a point at distance 1 on its ray.
            points3D: (K, 3) world.
            bounds_px: (K,) inlier bounds.
        """
        forms = np.empty((FORMS, 12, len(rays)))
        functionals = forms[:, 9:]
        functionals[:2] = (jacobians / bounds_px[:, None, None]).transpose(1, 2, 0)
        functionals[2] = rays.T
        rotation = forms[:, :9].reshape(FORMS, 3, 3, -1)
        np.multiply(functionals[:, :, None], np.ascontiguousarray(points3D.T), out=rotation)
        return cls(forms)

    def __len__(self) -> int:
        return int(self.forms.shape[2])

    def subset(self, selection: Array) -> LinearErrors:
        return LinearErrors(self.forms[:, :, selection])

    def astype(self, dtype: npt.DTypeLike) -> LinearErrors:
        return LinearErrors(self.forms.astype(dtype))

    @property
    def functionals(self) -> Float64:
        """(3, 3, K) the forms as functions of the point in the camera frame."""
        return self.forms[:, 9:]

    def components(self, pose: Float64) -> Float64:
        """(3, K) values of the forms under one (12,) pose: error components times depth, depth."""
        return np.asarray(pose @ self.forms)

    def gains(self, poses: Array) -> Array:
        """(H, K) of (H, 12) poses: 1 - squared error / squared bound, 0 beyond it and behind. In
        the library, on the device and in the precision of the poses and the forms."""
        first, second, depth = (poses @ form for form in self.forms)
        xp = namespace(first)
        first *= first
        second *= second
        first += second
        # a point behind the camera gets an error without bound
        xp.clip(depth, xp.finfo(depth.dtype).tiny ** 0.5, None, out=depth)
        depth *= depth
        with np.errstate(over="ignore"):
            first /= depth
        xp.clip(first, None, 1, out=first)
        xp.negative(first, out=first)
        first += 1
        return first

    def widened(self, factor: float) -> Self:
        """The same with bounds so many times as wide."""
        return replace(self, forms=self.forms / np.array([factor, factor, 1.0])[:, None, None])

    def inliers(self, pose: Float64) -> Bool:
        """(K,) within their bounds under one (12,) pose."""
        return np.asarray(self.gains(pose[None])[0] > 0)
