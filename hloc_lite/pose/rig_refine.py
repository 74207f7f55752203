"""Non-linear refinement of a rig's pose on the pixels of all its cameras, and its covariance."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from hloc_lite.geometry.cameras import img_from_cam, pixel_differences, projection_jacobian
from hloc_lite.geometry.rotations import exp_so3
from hloc_lite.pose.robust_fit import Loss, fill_rotation_rows, minimize
from hloc_lite.types import Bool, Float64, Rig, RigCamera, Rigid3


@dataclass(frozen=True, eq=False)
class RigObservations:
    """What all cameras of a rig see, camera after camera."""

    rig: Rig
    counts: tuple[int, ...]
    """For each camera K_c, of K in all."""
    points2D: Float64
    """(K, 2) pixels."""
    points3D: Float64
    """(K, 3) world."""
    scales: tuple[float, ...]
    """For each camera the factor of its pixels, so that errors of all mean the same."""

    def subset(self, mask: Bool) -> RigObservations:
        """Those that a (K,) mask selects."""
        ends = np.cumsum(self.counts)[:-1]
        counts = tuple(int(np.count_nonzero(part)) for part in np.split(mask, ends))
        return RigObservations(
            self.rig, counts, self.points2D[mask], self.points3D[mask], self.scales
        )

    def residuals(self, rig_from_world: Rigid3) -> Float64:
        """(2, K) scaled pixels, projected minus measured; NaN where a point cannot be seen."""
        in_rig = rig_from_world.apply(self.points3D)
        residuals = np.empty((2, len(in_rig)))
        for each, scale, rows in self._cameras():
            projected = img_from_cam(each.camera, each.cam_from_rig.apply(in_rig[rows]))
            off = pixel_differences(each.camera, projected, self.points2D[rows])
            residuals[:, rows] = scale * off.T
        return residuals

    def jacobian(self, rig_from_world: Rigid3) -> Float64:
        """(6, 2, K) derivative of the residuals by a left perturbation in the rig frame."""
        in_rig = rig_from_world.apply(self.points3D)
        jacobian = np.empty((6, 2, len(in_rig)))
        for each, scale, rows in self._cameras():
            by_cam = projection_jacobian(each.camera, each.cam_from_rig.apply(in_rig[rows]))
            by_rig = by_cam @ (scale * each.cam_from_rig.rotation)
            jacobian[3:, :, rows] = by_rig.transpose(2, 1, 0)
        fill_rotation_rows(jacobian, np.ascontiguousarray(in_rig.T))
        return jacobian

    def _cameras(self) -> Iterator[tuple[RigCamera, float, slice]]:
        """Each camera, its scale, and its rows; without those that see nothing."""
        first = 0
        for each, scale, count in zip(self.rig.cameras, self.scales, self.counts, strict=True):
            if count:
                yield each, scale, slice(first, first + count)
            first += count


def refine_rig(
    observations: RigObservations,
    rig_from_world: Rigid3,
    loss_px: float,
    weights: Float64,
    *,
    roughly: bool = False,
) -> tuple[Rigid3, Float64 | None]:
    """Minimize the weighted Cauchy loss of the reprojection errors of all cameras, as
    ``refine_pose`` does for one.

    Args:
        observations: of the inliers.
        rig_from_world: start.
        loss_px: scale of the loss, in scaled pixels.
        weights: (K,) > 0, camera after camera. Only their proportions matter.
        roughly: as of ``minimize``.

    Returns:
        rig_from_world, and its (6, 6) covariance as in ``RigPoseEstimate``; None if the points
        leave it open.
    """
    weights = weights / weights.mean()
    start = _RigFit.of(rig_from_world, observations, weights, loss_px)
    found, covariance = minimize(start, roughly=roughly)
    return found.pose, covariance


@dataclass(frozen=True, eq=False)
class _RigFit:
    """``robust_fit.Fit`` of a rig's pose."""

    pose: Rigid3
    observations: RigObservations
    loss: Loss

    @classmethod
    def of(
        cls, pose: Rigid3, observations: RigObservations, weights: Float64, loss_px: float
    ) -> _RigFit:
        return cls(pose, observations, Loss.of(observations.residuals(pose), weights, loss_px))

    def jacobian(self) -> Float64:
        """As ``robust_fit.Fit``."""
        return self.observations.jacobian(self.pose)

    def moved(self, step: Float64) -> _RigFit:
        """As ``robust_fit.Fit``."""
        pose = Rigid3(exp_so3(step[:3]), step[3:]).compose(self.pose)
        return _RigFit.of(pose, self.observations, self.loss.weights, self.loss.loss_px)
