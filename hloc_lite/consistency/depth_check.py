"""Depth consistency of matches with retrieved images and of pose hypotheses.

Predicted depth is known up to a scale (and a shift), so ratios of depths can be compared: a match
is wrong if its keypoint is predicted to be near but its landmark is far.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hloc_lite.config import DepthConfig
from hloc_lite.consistency.depth_fit import fit_depths
from hloc_lite.consistency.depth_lines import find_line
from hloc_lite.consistency.depth_maps import DepthKind, depths_at, kind_of
from hloc_lite.errors import ShapeError
from hloc_lite.protocols import DepthScorer
from hloc_lite.types import Bool, Cue, DepthMap, Float64, Int64, PutativeMatches, Rigid3

MIN_LINE_INLIERS = 8
"""Matches near the line between two views' depths: four times what determines it."""


@dataclass(frozen=True, eq=False)
class DepthAgreement:
    """Agreement of H poses with predicted depths."""

    agreement: Float64
    """(H,) in (0, 1): (agreeing + 1) / (used + 2), so 1/2 is neutral."""
    factors: Float64
    """(H, K) in [0, 1] of each correspondence; 1 if unknown."""
    num_used: Int64
    """(H,) correspondences used for ``agreement``; 0 if there were too few."""


def depth_cue(
    matches: PutativeMatches,
    keypoints: npt.NDArray[np.floating],
    depth_map: DepthMap,
    hit_poses: Sequence[Rigid3],
    config: DepthConfig,
) -> Cue:
    """The cue ``depth`` of a query's matches (see ``depth_check``).

    Args:
        matches: R matches.
        keypoints: (N, 2) pixels of the query.
        depth_map: depth map of the query, NaN at edges (as depth models give it).
        hit_poses: cam_from_world of each retrieved image, indexed by ``matches.hit_idxs``.
    """
    at_keypoints = depths_at(depth_map, np.asarray(keypoints)[matches.keypoint_idxs])
    in_hit = depths_in_images(hit_poses, matches.hit_idxs, matches.xyz)
    return depth_check(at_keypoints, in_hit, matches.hit_idxs, kind_of(depth_map), config)


def depths_in_images(poses: Sequence[Rigid3], image_idxs: Int64, points3D: Float64) -> Float64:
    """(R,) depth of each point along the optical axis of its image.

    Args:
        poses: cam_from_world of each image.
        image_idxs: (R,) into ``poses``.
        points3D: (R, 3) world.
    """
    if len(image_idxs) == 0:
        return np.zeros(0)
    axes = np.stack([pose.rotation[2] for pose in poses])[image_idxs]
    offsets = np.array([pose.translation[2] for pose in poses])[image_idxs]
    return np.einsum("ij,ij->i", axes, points3D) + offsets


def depth_check(
    query_depths: Float64,
    depths_in_hit: Float64,
    hit_idxs: Int64,
    kind: DepthKind,
    config: DepthConfig,
) -> Cue:
    """Compare depths in the query with depths in each retrieved image.

    Between similar views, depth in the retrieved image is nearly linear in predicted depth. The
    slope is the scale of the depth map; the offset is its shift, or the forward motion between the
    views. The line is found by sampling, since there are wrong matches, then fitted to its inliers.
    The factor of a match falls with the excess of its log ratio over ``outlier_sigmas``. If no line
    fits more matches than by chance, the views differ too much or hardly any match is right; the
    factors are then 1.

    Args:
        query_depths: (R,) depth map of the query at the keypoints; NaN where unknown.
        depths_in_hit: (R,) depths of the landmarks along the optical axis of the retrieved image,
            map units.
        hit_idxs: (R,) retrieved image of each match.
        kind: kind of the query's depth map.

    Raises:
        ShapeError: the arrays differ in length.
    """
    query_depths = np.asarray(query_depths, np.float64)
    depths_in_hit = np.asarray(depths_in_hit, np.float64)
    hit_idxs = np.asarray(hit_idxs)
    if not query_depths.shape == depths_in_hit.shape == hit_idxs.shape or query_depths.ndim != 1:
        raise ShapeError(
            f"depth_check: query_depths {query_depths.shape}, depths_in_hit {depths_in_hit.shape} "
            f"and hit_idxs {hit_idxs.shape} must be (R,)"
        )
    if kind == "metric" and config.view_shift:
        kind = "relative"
    factors = np.ones(len(hit_idxs))
    touched = np.zeros(len(hit_idxs), bool)
    with np.errstate(invalid="ignore"):
        known = (query_depths > 0) & (query_depths < np.inf)
        known &= (depths_in_hit > 0) & (depths_in_hit < np.inf)
    rows_known = np.flatnonzero(known)
    # sorted by depth within each image: the result must not depend on the order of the rows
    order = np.lexsort((depths_in_hit[rows_known], query_depths[rows_known], hit_idxs[rows_known]))
    rows_known = rows_known[order]
    bounds = np.flatnonzero(np.diff(hit_idxs[rows_known])) + 1
    for rows in np.split(rows_known, bounds):
        factors_of_image = _view_factors(query_depths[rows], depths_in_hit[rows], kind, config)
        if factors_of_image is not None:
            touched[rows] = True
            factors[rows] = factors_of_image
    return Cue("depth", factors, touched)


def _view_factors(
    predicted: Float64, depths: Float64, kind: DepthKind, config: DepthConfig
) -> Float64 | None:
    """Factors of one image's matches, sorted by predicted depth; None if no line fits."""
    if len(predicted) < config.min_matches:
        return None
    log_y = -np.log(depths) if kind == "inverse" else np.log(depths)
    max_log_ratio = float(np.log(config.view_fit_ratio))
    line = find_line(predicted, log_y, max_log_ratio, with_shift=kind != "metric")
    inliers = np.abs(line.residuals) < max_log_ratio
    if line.fit_share < config.min_view_fit_share or inliers.sum() < MIN_LINE_INLIERS:
        return None
    fit = fit_depths(predicted, depths[None], kind, inliers[None])
    tolerance = max(float(np.log(config.view_ratio)), config.outlier_sigmas * float(fit.sigma[0]))
    return _factors(np.abs(fit.log_ratios[0]), tolerance, config.min_factor)


def check_pose_depths(
    landmark_depths: Float64,
    predicted: Float64,
    kind: DepthKind,
    config: DepthConfig,
    inliers: np.ndarray | None = None,
) -> DepthAgreement:
    """Compare the depths of landmarks under pose hypotheses with predicted depths.

    Scale (and shift) are fitted to each hypothesis separately. Factors fall for errors above
    max(ln pose_ratio, outlier_sigmas * sigma), with sigma from the median absolute log ratio of the
    hypothesis. The agreement is the share of errors below ln pose_ratio alone: measured by their
    own sigma, random depths would agree nearly as often as those of the true pose.

    Args:
        landmark_depths: (H, K) along the optical axis under each pose; not positive behind it.
        predicted: (K,) depth map of the query at the keypoints; NaN where unknown.
        kind: kind of the depth map.
        inliers: (H, K) mask of the correspondences that the fit and the agreement use; None for
            all.

    Raises:
        ShapeError: the shapes do not fit together.
    """
    z = np.atleast_2d(np.asarray(landmark_depths, np.float64))
    d = np.asarray(predicted, np.float64)
    if d.shape != z.shape[1:] or (inliers is not None and np.shape(inliers) != z.shape):
        raise ShapeError(
            f"check_pose_depths: landmark_depths {z.shape}, predicted {d.shape} and inliers "
            f"{None if inliers is None else np.shape(inliers)} must be (H, K), (K,) and (H, K)"
        )
    num_columns = len(d)
    columns = np.flatnonzero(d > 0)  # the others only take time
    all_known = len(columns) == len(d)
    z, d = (z, d) if all_known else (z[:, columns], d[columns])
    used = np.ones(z.shape, bool) if inliers is None else np.asarray(inliers, bool)
    used = used if all_known or inliers is None else used[:, columns]
    fit = fit_depths(d, z, kind, used)
    known = np.isfinite(fit.log_ratios)
    errors = np.abs(fit.log_ratios)
    used = used & known
    num_used = used.sum(axis=1)
    is_sufficient = num_used >= config.min_matches
    sigma = np.where(is_sufficient, fit.sigma, 0.0)
    tolerance = np.clip(
        config.outlier_sigmas * sigma, np.log(config.pose_ratio), np.log(config.max_pose_ratio)
    )[:, None]
    with np.errstate(invalid="ignore"):
        agreeing = (used & (errors <= np.log(config.pose_ratio))).sum(axis=1)
        factors = _factors(errors, tolerance, config.min_factor)
    factors[~(known & is_sufficient[:, None])] = 1.0
    if not all_known:
        all_factors = np.ones((len(factors), num_columns))
        all_factors[:, columns] = factors
        factors = all_factors
    num_used = np.where(is_sufficient, num_used, 0)
    agreement = (np.where(is_sufficient, agreeing, 0) + 1) / (num_used + 2)
    return DepthAgreement(agreement, factors, num_used)


def depth_scorer(predicted: Float64, kind: DepthKind, config: DepthConfig) -> DepthScorer:
    """A function that scores poses within RANSAC by ``check_pose_depths``.

    The factor is twice the agreement, limited to ``full_agreement``, so 1 is neutral.

    Args:
        predicted: (K,) depth map of the query at the keypoints; NaN where unknown.
        kind: kind of the depth map.
    """

    def score(depths: Float64, inliers: Bool) -> Float64:
        factors = np.ones(len(depths))
        known = inliers & (predicted > 0)
        # every batch has poses with fewer inliers: they stay neutral
        rows = np.flatnonzero(known.sum(axis=1) >= config.min_matches)
        if len(rows):
            used = known[rows].any(axis=0)
            z, known = depths[np.ix_(rows, used)], known[np.ix_(rows, used)]
            found = check_pose_depths(z, predicted[used], kind, config, known)
            factors[rows] = 2 * np.minimum(found.agreement, config.full_agreement)
        return factors

    return score


def _factors(errors: Float64, tolerance: float | Float64, min_factor: float) -> Float64:
    """1 up to the tolerance, then falling with the square of the error, down to ``min_factor``."""
    return np.maximum(np.square(tolerance / np.maximum(errors, tolerance)), min_factor)
