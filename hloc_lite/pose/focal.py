"""Pose of an uncalibrated photo: the focal length is estimated together with the pose."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from hloc_lite.config import LocalizeConfig, PoseConfig
from hloc_lite.geometry.cameras import with_focal
from hloc_lite.pose.inlier_model import bounds_px, expand_mask, restrict_scorer, usable_mask
from hloc_lite.pose.refine import inlier_mask, refine_on_inliers
from hloc_lite.protocols import DepthScorer, PoseEstimator
from hloc_lite.types import Camera, Correspondences, PoseEstimate, Rigid3

RANKING_TRIALS = 1000
"""RANSAC trials per candidate where several are compared: enough to rank them at 15 % inliers."""


def estimate_with_focal(
    estimator: PoseEstimator,
    correspondences: Correspondences,
    camera: Camera,
    pose_config: PoseConfig,
    config: LocalizeConfig,
    depth_scorer: DepthScorer | None = None,
) -> PoseEstimate | None:
    """Estimate pose and focal length together.

    A focal length from EXIF (``camera.has_prior_focal``) is the initial value. Otherwise candidates
    from ``config.min_focal_ratio`` to ``config.max_focal_ratio`` of the longer side, evenly spaced
    in their logarithm, are tried with ``RANKING_TRIALS`` each, and the one with the most inliers is
    the initial value. It is then refined together with the pose.

    Args:
        depth_scorer: as in ``PoseEstimator``; ratios of depths hardly depend on the focal length.
    """
    usable = usable_mask(correspondences)
    if not usable.all():
        subset_estimate = estimate_with_focal(
            estimator, correspondences.subset(usable), camera, pose_config, config,
            restrict_scorer(depth_scorer, usable),
        )  # fmt: skip
        if subset_estimate is None:
            return None
        return replace(
            subset_estimate, inlier_mask=expand_mask(subset_estimate.inlier_mask, usable)
        )
    side = max(camera.width, camera.height)
    ratios = np.geomspace(config.min_focal_ratio, config.max_focal_ratio, config.focal_candidates)
    candidates = [camera]
    if not camera.has_prior_focal:
        candidates += [with_focal(camera, float(ratio) * side) for ratio in ratios]
    max_trials = pose_config.max_num_trials
    if len(candidates) > 1:
        max_trials = min(RANKING_TRIALS, max_trials)
    best: tuple[int, Camera, Rigid3] | None = None
    num_trials = 0
    for candidate in candidates:
        found = estimator.ransac(correspondences, candidate, max_trials, depth_scorer)
        if found is None:
            continue
        num_trials += found[1]
        num_inliers = int(
            inlier_mask(
                correspondences.points2D, correspondences.points3D, candidate, found[0],
                bounds_px(correspondences, candidate, pose_config),
            ).sum()
        )  # fmt: skip
        if best is None or num_inliers > best[0]:
            best = (num_inliers, candidate, found[0])
    if best is None:
        return None
    _, camera, pose = best
    return refine_on_inliers(
        correspondences, camera, pose, pose_config, num_trials, refine_focal=True
    )
