"""Pose of an uncalibrated photo: the focal length is estimated together with the pose."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from hloc_lite.config import Config, LocalizeConfig, PoseConfig
from hloc_lite.geometry.cameras import focal_lengths, with_focal
from hloc_lite.pose.inlier_model import bounds_px, expand_mask, restrict_scorer, usable_mask
from hloc_lite.pose.refine import inlier_mask, refine_on_inliers, reprojection_errors
from hloc_lite.protocols import DepthScorer, PoseEstimator
from hloc_lite.types import Bool, Camera, Correspondences, PoseEstimate, Rigid3

RANKING_TRIALS = 1000
"""RANSAC trials per candidate where several are compared: enough to rank them at 15 % inliers."""
CLEARLY_MORE = 1.1
"""Factor by which another focal length must fit better than that of EXIF."""
NUM_REFINED = 3
"""Best candidates that are refined: a focal length that is half a step off has fewer inliers before
the refinement than a wrong one that happens to suit RANSAC."""


@dataclass(frozen=True, eq=False)
class _Candidate:
    """Pose by RANSAC at one focal length."""

    score: float
    """Number of inliers, times the factor of predicted depths."""
    camera: Camera
    pose: Rigid3
    num_trials: int


def estimate_with_focal(
    estimator: PoseEstimator,
    correspondences: Correspondences,
    camera: Camera,
    config: Config,
    depth_scorer: DepthScorer | None = None,
) -> PoseEstimate | None:
    """Estimate pose and focal length together.

    A focal length from EXIF (``camera.has_prior_focal``) is the initial value, and a prior with a
    spread (``intrinsics.exif_focal_sigma``): where the refined one runs away from it, or too few
    matches agree with it, it counts like any other. Then, and without EXIF, candidates from
    ``localize.min_focal_ratio`` to ``max_focal_ratio`` of the longer side, evenly spaced in their
    logarithm, are tried with ``RANKING_TRIALS`` each; those with the most inliers are refined
    together with the pose, and the best of these is returned.

    Args:
        depth_scorer: as in ``PoseEstimator``; ratios of depths hardly depend on the focal length.
    """
    usable = usable_mask(correspondences)
    if not usable.all():
        scorer = restrict_scorer(depth_scorer, usable)
        of_usable = estimate_with_focal(
            estimator, correspondences.subset(usable), camera, config, scorer
        )
        if of_usable is None:
            return None
        return replace(of_usable, inlier_mask=expand_mask(of_usable.inlier_mask, usable))

    def refine(found: _Candidate) -> PoseEstimate | None:
        return refine_on_inliers(
            correspondences, found.camera, found.pose, config.pose, found.num_trials,
            refine_focal=True,
        )  # fmt: skip

    def search(cameras: list[Camera], max_trials: int) -> list[_Candidate]:
        trials = min(max_trials, config.pose.max_num_trials)
        tried = [
            _try(estimator, correspondences, each, config.pose, trials, depth_scorer)
            for each in cameras
        ]
        return sorted([each for each in tried if each], key=lambda each: -each.score)

    from_exif: list[_Candidate] = []
    of_exif: PoseEstimate | None = None
    if camera.has_prior_focal:
        from_exif = search([camera], config.pose.max_num_trials)
        of_exif = refine(from_exif[0]) if from_exif else None
        if of_exif is not None and _agrees_with_exif(of_exif, camera, config):
            return of_exif
    candidates = candidate_cameras(camera, config.localize)
    found = search(candidates if camera.has_prior_focal else [camera, *candidates], RANKING_TRIALS)
    refined = [each for each in [of_exif, *map(refine, found[:NUM_REFINED])] if each]
    if not refined:
        return None
    num_trials = sum(each.num_trials for each in [*from_exif, *found])

    def score_of(each: PoseEstimate) -> float:
        return _msac_score(correspondences, each, config.pose, depth_scorer)

    best = max(refined, key=score_of)
    if of_exif is not None and score_of(best) < CLEARLY_MORE * score_of(of_exif):
        best = of_exif  # as good as any, and EXIF is for it
    return replace(best, num_trials=num_trials)


def candidate_cameras(camera: Camera, config: LocalizeConfig) -> list[Camera]:
    """Cameras of all focal lengths that are tried."""
    side = max(camera.width, camera.height)
    ratios = np.geomspace(config.min_focal_ratio, config.max_focal_ratio, config.focal_candidates)
    return [with_focal(camera, float(ratio) * side) for ratio in ratios]


def _try(
    estimator: PoseEstimator,
    correspondences: Correspondences,
    camera: Camera,
    config: PoseConfig,
    max_trials: int,
    depth_scorer: DepthScorer | None,
) -> _Candidate | None:
    found = estimator.ransac(correspondences, camera, max_trials, depth_scorer)
    if found is None:
        return None
    points2D, points3D = correspondences.points2D, correspondences.points3D
    bounds = bounds_px(correspondences, camera, config)
    inliers = inlier_mask(points2D, points3D, camera, found[0], bounds)
    factor = _depth_factor(correspondences, found[0], inliers, depth_scorer)
    return _Candidate(factor * int(np.count_nonzero(inliers)), camera, *found)


def _agrees_with_exif(estimate: PoseEstimate, camera: Camera, config: Config) -> bool:
    """Return True if the refined focal length stayed near that of EXIF, and matches agree."""
    moved = math.log(focal_lengths(estimate.camera)[0] / focal_lengths(camera)[0])
    share = estimate.num_inliers / len(estimate.inlier_mask)
    is_near = abs(moved) <= 2 * config.intrinsics.exif_focal_sigma
    return is_near and share >= config.intrinsics.min_exif_inlier_ratio


def _msac_score(
    correspondences: Correspondences,
    estimate: PoseEstimate,
    config: PoseConfig,
    depth_scorer: DepthScorer | None,
) -> float:
    """MSAC score (Torr and Zisserman 2000) of an estimate: the nearer a match, the more it counts.

    With predicted depths, it is multiplied by the factor of their agreement.
    """
    bounds = bounds_px(correspondences, estimate.camera, config)
    errors = reprojection_errors(
        correspondences.points2D, correspondences.points3D, estimate.camera, estimate.cam_from_world
    )
    relative = errors[errors <= bounds] / bounds[errors <= bounds]
    factor = _depth_factor(correspondences, estimate.cam_from_world, errors <= bounds, depth_scorer)
    return factor * float((1 - np.square(relative)).sum())


def _depth_factor(
    correspondences: Correspondences, pose: Rigid3, inliers: Bool, depth_scorer: DepthScorer | None
) -> float:
    if depth_scorer is None:
        return 1.0
    depths = pose.apply(correspondences.points3D)[:, 2]
    return float(depth_scorer(depths[None], inliers[None])[0])
