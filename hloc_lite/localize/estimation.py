"""Pose hypotheses from clusters of map images, and the selection of one of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from hloc_lite.config import Config, LocalizeConfig
from hloc_lite.consistency.depth_check import check_pose_depths, depth_scorer
from hloc_lite.consistency.depth_maps import depths_at, kind_of
from hloc_lite.geometry.rotations import pose_errors
from hloc_lite.localize.weighting import WeightedMatches
from hloc_lite.pose.focal import estimate_with_focal
from hloc_lite.pose.inlier_model import bounds_px, false_inlier_rates, posterior_odds
from hloc_lite.pose.merging import merge_correspondences
from hloc_lite.pose.refine import inlier_mask
from hloc_lite.pose.variance_components import refine_with_noise_groups
from hloc_lite.protocols import DepthScorer, PoseEstimator
from hloc_lite.types import (
    Bool,
    Camera,
    Correspondences,
    Cue,
    DepthMap,
    Float64,
    Int64,
    PoseEstimate,
    Rigid3,
    ViewComparison,
)

CLEARLY_OUTSIDE = 3.0
"""Inlier bounds; a correspondence nearer to a pose may still belong to it."""


@dataclass(frozen=True, eq=False)
class PoseHypothesis:
    """Pose estimated from the matches with one cluster of map images."""

    correspondences: Correspondences
    pose: PoseEstimate | None
    log_ratios: Float64
    """(K,) log-likelihood ratio that each correspondence adds to a pose it agrees with, nats."""
    score: float
    """Sum of ``log_ratios`` over the inliers, times ``depth_agreement``; 0 without a pose."""
    depth_agreement: float
    """Share of inliers whose depth agrees with the predicted one; 1/2 if unknown."""
    cue_counts: Mapping[str, int]
    """NAME_touched and NAME_lowered: matches that each cue spoke about, and against."""
    cues: tuple[Cue, ...]
    """Cues over the correspondences."""
    map_idx: int
    """Map that the matches are with."""


@dataclass(frozen=True, eq=False)
class SelectedHypothesis:
    """Hypothesis with the highest score, and how it compares with the others."""

    hypothesis: PoseHypothesis
    num_agreeing: int
    """Number of hypotheses at the same location, itself included."""
    ambiguity: float | None
    """Score of the runner-up elsewhere over that of this location; None without a pose."""
    score: float = 0.0
    """Sum of the scores of the hypotheses at this location."""
    alternatives: tuple[tuple[PoseHypothesis, ...], ...] = ()
    """Hypotheses at each other location, the best first, and the runner-up."""
    views: tuple[ViewComparison, ...] = ()
    """Comparisons with views of the map's surface, this location first; empty without."""


@dataclass(frozen=True, eq=False)
class PoseSolver:
    """Pose estimator with the settings and the camera of one query.

    The focal length is estimated with the pose unless the camera is ``calibrated``.
    """

    estimator: PoseEstimator
    config: Config
    camera: Camera
    calibrated: bool
    depth_map: DepthMap | None = None
    """Predicted depth of the query; None if not in use."""


def estimate_hypotheses(
    weighted: Sequence[WeightedMatches], solver: PoseSolver
) -> list[PoseHypothesis]:
    """Estimate a pose for each cluster of map images, those with most matches first.

    Only the ``localize.max_clusters`` largest clusters of each map are tried.
    """
    sizes = [(len(each.weights.weights), each.weights.mean_weight) for each in weighted]
    mean = sum(size * weight for size, weight in sizes) / max(1, sum(size for size, _ in sizes))
    tried: list[WeightedMatches] = []
    for map_idx in dict.fromkeys(each.map_idx for each in weighted):
        own = [each for each in weighted if each.map_idx == map_idx]
        tried += sorted(own, key=_larger_first)[: solver.config.localize.max_clusters]
    return [_estimate(each, mean, solver) for each in sorted(tried, key=_larger_first)]


def select_hypothesis(
    hypotheses: Sequence[PoseHypothesis], solver: PoseSolver
) -> SelectedHypothesis:
    """Select the location with the highest score and re-estimate its pose.

    Hypotheses that agree on a location are joined, and one pose is solved on the union of their
    correspondences. Without any pose the first hypothesis is returned.
    """
    locations = group_by_location(hypotheses, solver.config.localize)
    if not locations:
        return SelectedHypothesis(hypotheses[0], 0, None)
    locations.sort(key=total_score, reverse=True)  # stable: the first of equal ones
    best, score = locations[0], total_score(locations[0])
    joined = join_hypotheses(best, solver)
    runners_up = [_runner_up(each, solver) for each in best]
    others = [tuple(each) for each in locations[1:]]
    others += [(each,) for each in runners_up if each is not None]
    others.sort(key=total_score, reverse=True)
    ambiguity = min(total_score(others[0]) / score, 1.0) if others else 0.0
    return SelectedHypothesis(joined, len(best), ambiguity, score, tuple(others))


def group_by_location(
    hypotheses: Sequence[PoseHypothesis], config: LocalizeConfig
) -> list[list[PoseHypothesis]]:
    """Group hypotheses that have a pose by location, each group around its highest score."""
    locations: list[list[PoseHypothesis]] = []
    for each in sorted(hypotheses, key=lambda each: -each.score):
        if each.pose is None:
            continue
        for group in locations:
            if is_same_location(group[0], each.pose.cam_from_world, config):
                group.append(each)
                break
        else:
            locations.append([each])
    return locations


def is_same_location(hypothesis: PoseHypothesis, pose: Rigid3, config: LocalizeConfig) -> bool:
    """True if a pose is close to that of a hypothesis, by the distance of its inliers."""
    assert hypothesis.pose is not None
    own = hypothesis.pose.cam_from_world
    inliers = hypothesis.correspondences.points3D[hypothesis.pose.inlier_mask]
    # distance along the ray: depth along the axis is 0 at the side of a fisheye image
    depth = float(np.median(np.linalg.norm(own.apply(inliers), axis=1)))
    distance, angle_deg = pose_errors(pose, own)
    near = distance <= config.same_location_depths * depth
    return near and angle_deg <= config.same_location_deg


def runner_up_trials(num_inliers: int, num_left: int, config: LocalizeConfig) -> int:
    """RANSAC samples that find a runner-up pose with a probability of 99 %, if there is one.

    It has ``runner_up_share`` times the inliers, among ``num_left`` correspondences left over.
    """
    ratio = min(config.runner_up_share * num_inliers / max(num_left, 1), 1.0)
    if ratio <= 0:
        return 0
    log_miss = np.log1p(-min(ratio**3, 1 - 1e-9))
    return int(min(np.ceil(np.log(0.01) / log_miss), config.max_runner_up_trials))


def log_likelihood_ratios(
    correspondences: Correspondences, solver: PoseSolver, relative_weight: float = 1.0
) -> Float64:
    """(K,) log-likelihood ratio that each correspondence adds to a pose it agrees with, nats.

    Args:
        relative_weight: mean weight of these correspondences over that of all of the query.
    """
    config = solver.config.pose
    bounds = bounds_px(correspondences, solver.camera, config)
    odds = posterior_odds(
        correspondences.weights, false_inlier_rates(bounds, solver.camera), config
    )
    return np.asarray(np.log1p(relative_weight * odds))


def score_inliers(
    correspondences: Correspondences, log_ratios: Float64, inliers: Bool, depth_agreement: float
) -> float:
    """Score of a pose with (K,) inliers; of those of one keypoint only the best counts."""
    _, keypoints = np.unique(correspondences.keypoint_idxs, return_inverse=True)
    best = np.zeros(keypoints.max(initial=-1) + 1)
    np.maximum.at(best, keypoints[inliers], log_ratios[inliers])
    return float(best.sum()) * depth_agreement


def _estimate(weighted: WeightedMatches, mean_weight: float, solver: PoseSolver) -> PoseHypothesis:
    correspondences, weights = weighted.correspondences, weighted.weights
    relative = weights.mean_weight / mean_weight if mean_weight > 0 else 1.0
    log_ratios = log_likelihood_ratios(correspondences, solver, relative)
    scorer = _depth_scorer(correspondences, solver)
    if solver.calibrated:
        pose = solver.estimator.estimate(correspondences, solver.camera, scorer)
    else:
        pose = estimate_with_focal(
            solver.estimator, correspondences, solver.camera, solver.config, scorer
        )
    agreement, score = 0.5, 0.0
    if pose is not None:
        agreement = _depth_agreement(correspondences, pose, solver)
        score = score_inliers(correspondences, log_ratios, pose.inlier_mask, agreement)
    return PoseHypothesis(
        correspondences, pose, log_ratios, score, agreement, weighted.cue_counts, weights.cues,
        weighted.map_idx,
    )  # fmt: skip


def _depth_scorer(correspondences: Correspondences, solver: PoseSolver) -> DepthScorer | None:
    """Scorer of poses within RANSAC by predicted depth; None if not in use."""
    if solver.depth_map is None or not solver.config.depth.in_ransac:
        return None
    predicted = depths_at(solver.depth_map, correspondences.points2D)
    return depth_scorer(predicted, kind_of(solver.depth_map), solver.config.depth)


def _depth_agreement(
    correspondences: Correspondences, pose: PoseEstimate, solver: PoseSolver
) -> float:
    """Share of the inliers whose depth agrees with the predicted one; 1/2 if unknown."""
    if solver.depth_map is None:
        return 0.5
    depths = pose.cam_from_world.apply(correspondences.points3D)[:, 2]
    predicted = depths_at(solver.depth_map, correspondences.points2D)
    kind, mask = kind_of(solver.depth_map), pose.inlier_mask[None]
    found = check_pose_depths(depths[None], predicted, kind, solver.config.depth, mask)
    return float(found.agreement[0])


def join_hypotheses(group: Sequence[PoseHypothesis], solver: PoseSolver) -> PoseHypothesis:
    """Join hypotheses of one location: solve one pose on the union of their correspondences."""
    first = group[0]
    if len(group) == 1 or first.pose is None:
        return first
    correspondences, rows = merge_correspondences([each.correspondences for each in group])
    map_idxs = np.repeat([each.map_idx for each in group], [len(e.log_ratios) for e in group])
    pose = refine_with_noise_groups(
        correspondences, first.pose, map_idxs[rows], solver.config.pose,
        refine_focal=not solver.calibrated,
    )  # fmt: skip
    if pose is None:
        return first
    counts = {key: sum(each.cue_counts.get(key, 0) for each in group) for key in first.cue_counts}
    agreement = np.average(
        [each.depth_agreement for each in group],
        weights=[each.pose.num_inliers for each in group if each.pose is not None],
    )
    return replace(
        first,
        correspondences=correspondences,
        pose=pose,
        cue_counts=counts,
        log_ratios=np.concatenate([each.log_ratios for each in group])[rows],
        depth_agreement=float(agreement),
        cues=_joined_cues(group, rows),
    )


def _joined_cues(group: Sequence[PoseHypothesis], rows: Int64) -> tuple[Cue, ...]:
    """Cues that all hypotheses have, at the joined rows."""
    by_name = [{cue.name: cue for cue in each.cues} for each in group]
    return tuple(
        Cue(
            name,
            np.concatenate([each[name].factors for each in by_name])[rows],
            np.concatenate([each[name].touched for each in by_name])[rows],
        )
        for name in by_name[0]
        if all(name in each for each in by_name)
    )


def _runner_up(hypothesis: PoseHypothesis, solver: PoseSolver) -> PoseHypothesis | None:
    """Best pose elsewhere, among the correspondences that a hypothesis leaves over; not refined.

    None if a few RANSAC samples find none.
    """
    config, pose, given = solver.config, hypothesis.pose, hypothesis.correspondences
    if pose is None:
        return None
    bounds = bounds_px(given, pose.camera, config.pose)
    limits = CLEARLY_OUTSIDE * bounds
    left = ~inlier_mask(given.points2D, given.points3D, pose.camera, pose.cam_from_world, limits)
    rest = given.subset(left)
    trials = runner_up_trials(pose.num_inliers, len(rest), config.localize)
    if trials == 0 or len(rest) < config.localize.runner_up_share * pose.num_inliers:
        return None
    found = solver.estimator.ransac(rest, pose.camera, trials)
    if found is None or is_same_location(hypothesis, found[0], config.localize):
        return None
    inliers = inlier_mask(given.points2D, given.points3D, pose.camera, found[0], bounds) & left
    score = score_inliers(given, hypothesis.log_ratios, inliers, hypothesis.depth_agreement)
    other = PoseEstimate(found[0], inliers, found[1], None, pose.camera)
    return replace(hypothesis, pose=other, score=score)


def total_score(group: Sequence[PoseHypothesis]) -> float:
    """Sum of the scores of hypotheses at one location."""
    return sum(each.score for each in group)


def _larger_first(weighted: WeightedMatches) -> int:
    """Sort key: clusters with most correspondences first; stable for equal ones."""
    return -len(weighted.weights.weights)
