"""What every estimator does around its RANSAC: bounds for the image's size, refinement, result."""

from __future__ import annotations

import numpy as np

from hloc_lite.config import PoseConfig
from hloc_lite.pose.refine import refine_pose, reprojection_errors
from hloc_lite.registry import DepthScorer
from hloc_lite.types import Bool, Camera, Correspondences, Float64, PoseEstimate, Rigid3

FARTHEST = 1e15
"""Of coordinates: squares of larger ones overflow in single precision."""
FARTHEST_PX = 1e9
"""Of keypoints: errors of farther ones overflow in single precision, too."""
MAX_WEIGHT, MAX_BOUND_FACTOR = 1e30, 1e6
"""And their inverses the least: sums and ratios of such weights and bounds are finite numbers."""
MIN_NOISE_PX = 1e-4
"""Of exact points; keeps the loss from vanishing."""


def max_error_px(camera: Camera, config: PoseConfig) -> float:
    """The inlier bound for this camera's resolution."""
    return config.max_error_px * max(camera.width, camera.height) / config.reference_side_px


def bounds_px(correspondences: Correspondences, camera: Camera, config: PoseConfig) -> Float64:
    """(K,) the inlier bound of each correspondence."""
    factors = correspondences.bound_factors
    bound = max_error_px(camera, config)
    return np.full(len(correspondences), bound) if factors is None else bound * factors


def chances(bounds: Float64, camera: Camera) -> Float64:
    """(K,) how likely a wrong correspondence, anywhere in the image, agrees with a pose: the share
    of the image within its bound, one of the (K,) ``bounds``, pixels."""
    return np.asarray(np.minimum(np.pi * np.square(bounds) / (camera.width * camera.height), 1))


def posterior_odds(weights: Float64, chance: Float64, config: PoseConfig) -> Float64:
    """(K,) odds that each correspondence is right if it agrees with the pose.

    Before that they are its weight times those of ``config.prior_inlier_ratio``.

    Args:
        weights: (K,).
        chance: (K,) of ``chances``.
    """
    return np.asarray(prior_odds(weights, config) / chance)


def prior_odds(weights: Float64, config: PoseConfig) -> Float64:
    """(K,) odds that each correspondence of (K,) ``weights`` is right, before any pose is known."""
    odds = config.prior_inlier_ratio / (1 - config.prior_inlier_ratio)
    return np.asarray(odds * weights / weights.mean()) if len(weights) else np.zeros(0)


def usable_rows(correspondences: Correspondences) -> Bool:
    """(K,) those that say anything: nearer than ``FARTHEST`` and ``FARTHEST_PX``, of a positive
    weight, and bound, that can be reckoned with."""
    weights, factors = correspondences.weights, correspondences.bound_factors
    usable = (np.abs(correspondences.points2D) < FARTHEST_PX).all(axis=1)  # false for NaN
    usable &= (np.abs(correspondences.points3D) < FARTHEST).all(axis=1)
    usable &= (weights > 1 / MAX_WEIGHT) & (weights < MAX_WEIGHT)
    if factors is not None:
        usable &= (factors > 1 / MAX_BOUND_FACTOR) & (factors < MAX_BOUND_FACTOR)
    return np.asarray(usable)


def among_all(mask: Bool, usable: Bool) -> Bool:
    """(K,) of a mask over the rows that are (K,) usable: false for the others."""
    spread = np.zeros(len(usable), bool)
    spread[usable] = mask
    return spread


def restrict_scorer(depth_scorer: DepthScorer | None, kept: Bool) -> DepthScorer | None:
    """What a depth_scorer of K correspondences says to those of them that are (K,) kept."""
    if depth_scorer is None or kept.all():
        return depth_scorer
    whole = depth_scorer

    def of_some(depths: Float64, agreeing: Bool) -> Float64:
        all_depths = np.full((len(depths), len(kept)), np.nan)
        all_agreeing = np.zeros(all_depths.shape, bool)
        all_depths[:, kept], all_agreeing[:, kept] = depths, agreeing
        return whole(all_depths, all_agreeing)

    return of_some


def votes(odds: Float64) -> Float64:
    """(K,) what each correspondence counts in a consensus, of mean 1: how much likelier the pose is
    by its agreement (Tordoff and Murray 2005). It grows with the logarithm of the (K,)
    ``posterior_odds``: that a doubtful match agrees says nearly as much as that a good one does."""
    gains = np.log1p(odds)
    return np.asarray(gains / gains.mean())


def credence(odds: Float64) -> Float64:
    """(K,) in (0, 1): probability that each inlier of a pose is right, by its ``posterior_odds``;
    most count alike in the refinement."""
    return np.asarray(odds / (1 + odds))


def finish(
    correspondences: Correspondences,
    camera: Camera,
    pose: Rigid3,
    config: PoseConfig,
    num_trials: int,
    *,
    refine_focal: bool = False,
    precisions: Float64 | None = None,
) -> PoseEstimate | None:
    """Refine RANSAC's pose on its inliers, count these again, refine once more.

    Args:
        correspondences: without those that say nothing (``usable_rows``).
        precisions: (K,) > 0 of their pixels, relative to each other; None: all alike.

    Returns:
        None if fewer than ``config.min_inliers`` are left.
    """
    points2D, points3D = correspondences.points2D, correspondences.points3D
    weights = correspondences.weights
    bounds = bounds_px(correspondences, camera, config)
    errors = reprojection_errors(points2D, points3D, camera, pose)
    trust = credence(posterior_odds(weights, chances(bounds, camera), config))
    mask = errors <= bounds
    scales = np.ones(len(correspondences)) if precisions is None else precisions
    covariance = None
    for roughly in (True, False):
        if np.count_nonzero(mask) < config.min_inliers:
            return None
        refined = refine_pose(
            points2D[mask],
            points3D[mask],
            camera,
            pose,
            config.refine_loss_sigmas * noise_of((scales * errors)[mask], weights[mask]),
            weights=trust[mask],
            precisions=None if precisions is None else precisions[mask],
            refine_focal=refine_focal,
            roughly=roughly,
        )
        pose, camera, covariance = refined.cam_from_world, refined.camera, refined.covariance
        errors = reprojection_errors(points2D, points3D, camera, pose)
        mask = errors <= bounds
    if distinct_inliers(correspondences, mask) < config.min_inliers:
        return None
    return PoseEstimate(pose, mask, num_trials, covariance, camera)


def noise_of(errors_px: Float64, weights: Float64) -> float:
    """Standard deviation of (K,) errors' components along each axis, from their weighted median: of
    normal noise in two dimensions half the distances are below 1.1774 standard deviations."""
    order = np.argsort(errors_px)
    mass = np.cumsum(weights[order])
    median = errors_px[order[np.searchsorted(mass, 0.5 * mass[-1])]]
    return max(float(median) / 1.1774, MIN_NOISE_PX)


def distinct_inliers(correspondences: Correspondences, mask: Bool) -> int:
    """Inliers, a keypoint with several points (or the other way round) counted once."""
    keypoints = np.unique(correspondences.keypoint_idxs[mask])
    points = np.unique(correspondences.point3D_idxs[mask])
    return min(len(keypoints), len(points))
