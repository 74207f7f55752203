"""Depth consistency verification: of matches with retrieved images, and of pose hypotheses.

Predicted depth is known up to a scale (and a shift), but the order and the ratios of depths hold:
a match whose keypoint is predicted near and whose landmark is far is wrong.
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
from hloc_lite.registry import DepthScorer
from hloc_lite.types import Bool, Cue, DepthMap, Float64, Int64, PutativeMatches, Rigid3

MIN_SUPPORT = 8
"""Matches that a line between two views needs: four times what determines it."""


@dataclass(frozen=True, eq=False)
class DepthAgreement:
    """What predicted depths say of H poses."""

    agreement: Float64
    """(H,) in (0, 1): (agreeing + 1) / (used + 2), so that 1/2 is no evidence."""
    factors: Float64
    """(H, K) in [0, 1] of each correspondence; 1 where nothing is known."""
    num_used: Int64
    """(H,) correspondences behind ``agreement``; 0 where there were too few."""


def depth_cue(
    sightings: PutativeMatches,
    keypoints: npt.NDArray[np.floating],
    depth_map: DepthMap,
    hit_poses: Sequence[Rigid3],
    config: DepthConfig,
) -> Cue:
    """``depth_check`` of a query's matches.

    Args:
        sightings: R matches.
        keypoints: (N, 2) of the query, pixels.
        depth_map: of the query, without its edges (as depth models give it).
        hit_poses: cam_from_world of each retrieved image, as ``sightings.hit_idxs`` counts them.
    """
    at_keypoints = depths_at(depth_map, np.asarray(keypoints)[sightings.keypoint_idxs])
    in_hit = depths_in_images(hit_poses, sightings.hit_idxs, sightings.xyz)
    return depth_check(at_keypoints, in_hit, sightings.hit_idxs, kind_of(depth_map), config)


def depths_in_images(poses: Sequence[Rigid3], image_idxs: Int64, points3D: Float64) -> Float64:
    """(R,) depth of each point along the optical axis of its image.

    Args:
        poses: cam_from_world of each image.
        image_idxs: (R,) into them.
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
    """Whether matches with one image agree on the ratio of depths there and in the query.

    Between similar views depth in the image is nearly a line in predicted depth: its slope is the
    map's scale, its shift what is unknown of the map, or how far forward the query was taken. The
    line is sought by sampling (it must stand out among wrong matches), then fitted to its support;
    a match whose log ratio to it is beyond ``outlier_sigmas`` loses by the excess. Where no line
    has more support than one would have by chance, the views differ too much, or hardly any match
    is right, and the cue says nothing.

    Args:
        query_depths: (R,) of the query's map at each match's keypoint; NaN where unknown.
        depths_in_hit: (R,) of the landmark along the retrieved image's optical axis, map units.
        hit_idxs: (R,) which retrieved image.
        kind: of the query's map.

    Raises:
        ShapeError: the arrays differ in length.
    """
    query_depths = np.asarray(query_depths, np.float64)
    depths_in_hit = np.asarray(depths_in_hit, np.float64)
    hit_idxs = np.asarray(hit_idxs)
    if not query_depths.shape == depths_in_hit.shape == hit_idxs.shape or query_depths.ndim != 1:
        raise ShapeError(
            f"depth_check: query_depths {query_depths.shape}, depths_in_hit {depths_in_hit.shape} "
            f"and hit_idxs {hit_idxs.shape} must be of one length"
        )
    if kind == "metric" and config.view_shift:
        kind = "relative"
    factors = np.ones(len(hit_idxs))
    touched = np.zeros(len(hit_idxs), bool)
    with np.errstate(invalid="ignore"):
        known = (query_depths > 0) & (query_depths < np.inf)
        known &= (depths_in_hit > 0) & (depths_in_hit < np.inf)
    rows_known = np.flatnonzero(known)
    # by depth within each image: the answer must not depend on the order of the rows
    order = np.lexsort((depths_in_hit[rows_known], query_depths[rows_known], hit_idxs[rows_known]))
    rows_known = rows_known[order]
    bounds = np.flatnonzero(np.diff(hit_idxs[rows_known])) + 1
    for rows in np.split(rows_known, bounds):
        found = _view_factors(query_depths[rows], depths_in_hit[rows], kind, config)
        if found is not None:
            touched[rows] = True
            factors[rows] = found
    return Cue("depth", factors, touched)


def _view_factors(
    predicted: Float64, depths: Float64, kind: DepthKind, config: DepthConfig
) -> Float64 | None:
    """Factors of one image's matches, in ascending order of prediction; None: nothing to say."""
    if len(predicted) < config.min_matches:
        return None
    log_y = -np.log(depths) if kind == "inverse" else np.log(depths)
    log_bound = float(np.log(config.view_fit_ratio))
    line = find_line(predicted, log_y, log_bound, with_shift=kind != "metric")
    support = np.abs(line.residuals) < log_bound
    if line.gain < config.min_view_fit_share or support.sum() < MIN_SUPPORT:
        return None
    fit = fit_depths(predicted, depths[None], kind, support[None])
    tolerance = max(float(np.log(config.view_ratio)), config.outlier_sigmas * float(fit.sigma[0]))
    return _factors(np.abs(fit.log_ratios[0]), tolerance, config.min_factor)


def check_pose_depths(
    landmark_depths: Float64,
    predicted: Float64,
    kind: DepthKind,
    config: DepthConfig,
    support: np.ndarray | None = None,
) -> DepthAgreement:
    """Whether the depths that landmarks have under pose hypotheses are those predicted.

    Scale (and shift) are fitted to each hypothesis by itself. Factors fall from an error of
    max(ln pose_ratio, outlier_sigmas * sigma) on, sigma from the median absolute log ratio of the
    hypothesis. Its agreement is the share of errors below ln pose_ratio alone: by their own sigma,
    poses that scatter depths at random agree nearly as often as the true one.

    Args:
        landmark_depths: (H, K) along the optical axis under each pose; not positive: behind it.
        predicted: (K,) of the query's depth map at the keypoints; NaN where unknown.
        kind: of the map.
        support: (H, K) inliers of each pose, which it is judged by; None: all.

    Raises:
        ShapeError: the shapes do not fit together.
    """
    z = np.atleast_2d(np.asarray(landmark_depths, np.float64))
    d = np.asarray(predicted, np.float64)
    if d.shape != z.shape[1:] or (support is not None and np.shape(support) != z.shape):
        raise ShapeError(
            f"check_pose_depths: landmark_depths {z.shape}, predicted {d.shape} and support "
            f"{None if support is None else np.shape(support)} must be (H, K), (K,) and (H, K)"
        )
    num_columns = len(d)
    columns = np.flatnonzero(d > 0)  # the others say nothing and only take time
    every = len(columns) == len(d)
    z, d = (z, d) if every else (z[:, columns], d[columns])
    judged = np.ones(z.shape, bool) if support is None else np.asarray(support, bool)
    judged = judged if every or support is None else judged[:, columns]
    fit = fit_depths(d, z, kind, judged)
    known = np.isfinite(fit.log_ratios)
    errors = np.abs(fit.log_ratios)
    judged = judged & known
    used = judged.sum(axis=1)
    enough = used >= config.min_matches
    sigma = np.where(enough, fit.sigma, 0.0)
    tolerance = np.clip(
        config.outlier_sigmas * sigma, np.log(config.pose_ratio), np.log(config.max_pose_ratio)
    )[:, None]
    with np.errstate(invalid="ignore"):
        agreeing = (judged & (errors <= np.log(config.pose_ratio))).sum(axis=1)
        factors = _factors(errors, tolerance, config.min_factor)
    factors[~(known & enough[:, None])] = 1.0
    if not every:
        spread = np.ones((len(factors), num_columns))
        spread[:, columns] = factors
        factors = spread
    used = np.where(enough, used, 0)
    agreement = (np.where(enough, agreeing, 0) + 1) / (used + 2)
    return DepthAgreement(agreement, factors, used)


def depth_scorer(predicted: Float64, kind: DepthKind, config: DepthConfig) -> DepthScorer:
    """The judge that asks ``check_pose_depths``: its factor is twice the agreement, so that 1 is no
    evidence, up to ``full_agreement``.

    Args:
        predicted: (K,) of the query's depth map at the keypoints; NaN where unknown.
        kind: of the map.
    """

    def judge(depths: Float64, agreeing: Bool) -> Float64:
        factors = np.ones(len(depths))
        known = agreeing & (predicted > 0)
        # poses of fewer inliers are met in every batch, and nothing can be said of them
        rows = np.flatnonzero(known.sum(axis=1) >= config.min_matches)
        if len(rows):
            used = known[rows].any(axis=0)
            z, support = depths[np.ix_(rows, used)], known[np.ix_(rows, used)]
            found = check_pose_depths(z, predicted[used], kind, config, support)
            factors[rows] = 2 * np.minimum(found.agreement, config.full_agreement)
        return factors

    return judge


def _factors(errors: Float64, tolerance: float | Float64, least: float) -> Float64:
    """1 up to the tolerance, then falling with the square of the excess, to ``least``."""
    return np.maximum(np.square(tolerance / np.maximum(errors, tolerance)), least)
