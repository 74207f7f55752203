"""Inlier bounds of correspondences, and probabilities that correspondences are correct."""

from __future__ import annotations

import numpy as np

from hloc_lite.config import PoseConfig
from hloc_lite.protocols import DepthScorer
from hloc_lite.types import Bool, Camera, Correspondences, Float64

MAX_COORDINATE = 1e15
"""Bound of 3D coordinates: squares of larger ones overflow in single precision."""
MAX_PIXEL = 1e9
"""Bound of pixel coordinates: errors of larger ones overflow in single precision, too."""
MAX_WEIGHT, MAX_BOUND_FACTOR = 1e30, 1e6
"""Weights and bound factors lie within these and their inverses: sums and ratios stay finite."""
MIN_SIGMA_PX = 1e-4
"""Smallest robust sigma, for exact points; it keeps the loss from vanishing."""
RAYLEIGH_MEDIAN = 1.1774
"""Median norm of normal errors in two dimensions, in standard deviations of one axis."""


def max_error_px(camera: Camera, config: PoseConfig) -> float:
    """Inlier bound at this camera's resolution."""
    return config.max_error_px * max(camera.width, camera.height) / config.reference_side_px


def bounds_px(correspondences: Correspondences, camera: Camera, config: PoseConfig) -> Float64:
    """(K,) inlier bound of each correspondence."""
    factors = correspondences.bound_factors
    bound = max_error_px(camera, config)
    return np.full(len(correspondences), bound) if factors is None else bound * factors


def false_inlier_rates(bounds_px: Float64, camera: Camera) -> Float64:
    """(K,) probabilities that a wrong correspondence, uniform over the image, is an inlier.

    Args:
        bounds_px: (K,) inlier bounds.
    """
    return np.asarray(np.minimum(np.pi * np.square(bounds_px) / (camera.width * camera.height), 1))


def prior_odds(weights: Float64, config: PoseConfig) -> Float64:
    """(K,) prior odds that correspondences are correct.

    They are the odds of ``config.prior_inlier_ratio`` times the (K,) weights over their mean.
    """
    odds = config.prior_inlier_ratio / (1 - config.prior_inlier_ratio)
    return np.asarray(odds * weights / weights.mean()) if len(weights) else np.zeros(0)


def posterior_odds(weights: Float64, false_rates: Float64, config: PoseConfig) -> Float64:
    """(K,) odds that a correspondence is correct, given that it is an inlier of a pose.

    Args:
        weights: (K,).
        false_rates: (K,), see ``false_inlier_rates``.
    """
    return np.asarray(prior_odds(weights, config) / false_rates)


def score_weights(odds: Float64) -> Float64:
    """(K,) weights of the correspondences in the score of a pose, of mean 1.

    An inlier adds the log-likelihood ratio of the pose (Tordoff and Murray 2005). It grows with the
    logarithm of the (K,) ``posterior_odds``: an inlier of low weight counts nearly as much.
    """
    log_ratios = np.log1p(odds)
    return np.asarray(log_ratios / log_ratios.mean())


def inlier_probabilities(odds: Float64) -> Float64:
    """(K,) probabilities in (0, 1) that inliers are correct, from their ``posterior_odds``.

    Most inliers have nearly the same, and so the same weight in the refinement.
    """
    return np.asarray(odds / (1 + odds))


def usable_mask(correspondences: Correspondences) -> Bool:
    """(K,) mask of correspondences with coordinates, weights and bounds in the valid range."""
    weights, factors = correspondences.weights, correspondences.bound_factors
    usable = (np.abs(correspondences.points2D) < MAX_PIXEL).all(axis=1)  # false for NaN
    usable &= (np.abs(correspondences.points3D) < MAX_COORDINATE).all(axis=1)
    usable &= (weights > 1 / MAX_WEIGHT) & (weights < MAX_WEIGHT)
    if factors is not None:
        usable &= (factors > 1 / MAX_BOUND_FACTOR) & (factors < MAX_BOUND_FACTOR)
    return np.asarray(usable)


def expand_mask(mask: Bool, usable: Bool) -> Bool:
    """(K,) mask over all rows from a mask over the usable ones; False for the others."""
    expanded = np.zeros(len(usable), bool)
    expanded[usable] = mask
    return expanded


def restrict_scorer(depth_scorer: DepthScorer | None, kept: Bool) -> DepthScorer | None:
    """Scorer for a subset of K correspondences, selected by a (K,) mask."""
    if depth_scorer is None or kept.all():
        return depth_scorer
    full_scorer = depth_scorer

    def score_subset(depths: Float64, inliers: Bool) -> Float64:
        all_depths = np.full((len(depths), len(kept)), np.nan)
        all_inliers = np.zeros(all_depths.shape, bool)
        all_depths[:, kept], all_inliers[:, kept] = depths, inliers
        return full_scorer(all_depths, all_inliers)

    return score_subset


def robust_sigma_px(errors_px: Float64, weights: Float64) -> float:
    """Standard deviation of the errors along each axis, from their weighted median.

    The errors' norms are assumed to follow a Rayleigh distribution.

    Args:
        errors_px: (K,) norms.
        weights: (K,).
    """
    order = np.argsort(errors_px)
    mass = np.cumsum(weights[order])
    median = errors_px[order[np.searchsorted(mass, 0.5 * mass[-1])]]
    return max(float(median) / RAYLEIGH_MEDIAN, MIN_SIGMA_PX)


def num_distinct_inliers(correspondences: Correspondences, mask: Bool) -> int:
    """Number of inliers, counting each keypoint and each 3D point once."""
    keypoints = np.unique(correspondences.keypoint_idxs[mask])
    points = np.unique(correspondences.point3D_idxs[mask])
    return min(len(keypoints), len(points))
