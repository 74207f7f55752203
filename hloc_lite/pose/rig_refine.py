"""Non-linear refinement of a rig's pose on the pixels of all its cameras."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import repeat

import numpy as np

from hloc_lite.config import PoseConfig
from hloc_lite.geometry.cameras import img_from_cam, pixel_differences, projection_jacobian
from hloc_lite.geometry.rotations import exp_so3
from hloc_lite.pose.inlier_model import (
    bounds_px,
    false_inlier_rates,
    inlier_probabilities,
    num_distinct_inliers,
    posterior_odds,
    robust_sigma_px,
)
from hloc_lite.pose.rig_inputs import pixel_scales
from hloc_lite.pose.robust_least_squares import CauchyLoss, fill_rotation_rows, minimize
from hloc_lite.types import (
    Bool,
    Correspondences,
    Float64,
    Rig,
    RigCamera,
    Rigid3,
    RigPoseEstimate,
)


def refine_rig_on_inliers(
    correspondences: Sequence[Correspondences],
    rig: Rig,
    pose: Rigid3,
    config: PoseConfig,
    num_trials: int,
) -> RigPoseEstimate | None:
    """Refine RANSAC's pose on its inliers, find these anew, and refine once more.

    Args:
        correspondences: of each camera, usable ones only (``usable_mask``).

    Returns:
        None if fewer than ``config.rig_min_inliers`` are left.
    """
    scales = pixel_scales(rig, config)
    counts = tuple(len(each) for each in correspondences)
    points2D = np.concatenate([each.points2D for each in correspondences])
    points3D = np.concatenate([each.points3D for each in correspondences])
    observations = RigObservations(rig, counts, points2D, points3D, scales)
    weights = np.concatenate([each.weights for each in correspondences])
    cameras = [each.camera for each in rig.cameras]
    camera_bounds = list(map(bounds_px, correspondences, cameras, repeat(config)))
    bounds = np.concatenate(list(map(np.multiply, scales, camera_bounds)))
    false_rates = np.concatenate(list(map(false_inlier_rates, camera_bounds, cameras)))
    probabilities = inlier_probabilities(posterior_odds(weights, false_rates, config))
    errors = observations.errors(pose)
    mask = errors <= bounds
    covariance = None
    for coarse in (True, False):
        if np.count_nonzero(mask) < config.rig_min_inliers:
            return None
        pose, covariance = refine_rig(
            observations.subset(mask),
            pose,
            config.refine_loss_sigmas * robust_sigma_px(errors[mask], weights[mask]),
            probabilities[mask],
            coarse=coarse,
        )
        errors = observations.errors(pose)
        mask = errors <= bounds
    masks = tuple(np.split(mask, np.cumsum(counts)[:-1]))
    # a point seen by two cameras counts twice
    if sum(map(num_distinct_inliers, correspondences, masks)) < config.rig_min_inliers:
        return None
    return RigPoseEstimate(pose, masks, num_trials, covariance)


@dataclass(frozen=True, eq=False)
class RigObservations:
    """Observations of all cameras of a rig, camera by camera."""

    rig: Rig
    counts: tuple[int, ...]
    """Number of observations of each camera; K in total."""
    points2D: Float64
    """(K, 2) pixels."""
    points3D: Float64
    """(K, 3) world."""
    scales: tuple[float, ...]
    """Factor of each camera's pixels, see ``pixel_scales``."""

    def subset(self, mask: Bool) -> RigObservations:
        """Observations that a (K,) mask selects."""
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
            differences = pixel_differences(each.camera, projected, self.points2D[rows])
            residuals[:, rows] = scale * differences.T
        return residuals

    def errors(self, rig_from_world: Rigid3) -> Float64:
        """(K,) norms of the residuals, scaled pixels; NaN where a point cannot be seen."""
        with np.errstate(invalid="ignore", over="ignore"):
            dx, dy = self.residuals(rig_from_world)
            return np.asarray(np.sqrt(dx * dx + dy * dy))

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
        """Camera, scale and rows of each camera with observations."""
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
    coarse: bool = False,
) -> tuple[Rigid3, Float64 | None]:
    """Minimize the weighted Cauchy loss of the reprojection errors of all cameras, see
    ``refine_pose``.

    Args:
        observations: inliers only.
        rig_from_world: initial pose.
        loss_px: scale of the loss, in scaled pixels.
        weights: (K,) > 0, relative to each other.
        coarse: see ``minimize``.

    Returns:
        rig_from_world, and its (6, 6) covariance as in ``RigPoseEstimate``; None if the points do
        not determine it.
    """
    weights = weights / weights.mean()
    initial = _RigFit.evaluate(rig_from_world, observations, weights, loss_px)
    fit, covariance = minimize(initial, coarse=coarse)
    return fit.pose, covariance


@dataclass(frozen=True, eq=False)
class _RigFit:
    """``robust_least_squares.Fit`` of a rig's pose."""

    pose: Rigid3
    observations: RigObservations
    loss: CauchyLoss

    @classmethod
    def evaluate(
        cls, pose: Rigid3, observations: RigObservations, weights: Float64, loss_px: float
    ) -> _RigFit:
        loss = CauchyLoss.evaluate(observations.residuals(pose), weights, loss_px)
        return cls(pose, observations, loss)

    def jacobian(self) -> Float64:
        """See ``robust_least_squares.Fit.jacobian``."""
        return self.observations.jacobian(self.pose)

    def updated(self, step: Float64) -> _RigFit:
        """See ``robust_least_squares.Fit.updated``."""
        pose = Rigid3(exp_so3(step[:3]), step[3:]).compose(self.pose)
        return _RigFit.evaluate(pose, self.observations, self.loss.weights, self.loss.loss_px)
