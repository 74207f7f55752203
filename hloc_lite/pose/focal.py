"""Pose of a photo that was never calibrated: its focal length is estimated along."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from hloc_lite.config import LocalizeConfig, PoseConfig
from hloc_lite.geometry.cameras import with_focal
from hloc_lite.pose.common import among_all, bounds_px, finish, restrict_scorer, usable_rows
from hloc_lite.pose.refine import inlier_mask
from hloc_lite.registry import DepthScorer, PoseEstimator
from hloc_lite.types import Camera, Correspondences, PoseEstimate, Rigid3

QUICK_TRIALS = 1000
"""RANSAC trials for each of several candidates: enough to rank them at 15 % inliers."""


def estimate_with_focal(
    estimator: PoseEstimator,
    correspondences: Correspondences,
    camera: Camera,
    pose_config: PoseConfig,
    config: LocalizeConfig,
    depth_scorer: DepthScorer | None = None,
) -> PoseEstimate | None:
    """Pose and focal length together.

    Where EXIF gives a focal length (``camera.has_prior_focal``) that is the start; else the best,
    by inliers, of candidates from ``config.min_focal_ratio`` to ``config.max_focal_ratio`` of the
    longer side, evenly in their logarithm. It is then refined together with the pose. RANSAC is
    cut short only where there are candidates to rank.

    Args:
        depth_scorer: as in ``PoseEstimator``; ratios of depths hardly depend on the focal length.
    """
    usable = usable_rows(correspondences)
    if not usable.all():
        some = correspondences.subset(usable)
        heard = restrict_scorer(depth_scorer, usable)
        found_of_some = estimate_with_focal(estimator, some, camera, pose_config, config, heard)
        if found_of_some is None:
            return None
        return replace(found_of_some, inlier_mask=among_all(found_of_some.inlier_mask, usable))
    side = max(camera.width, camera.height)
    ratios = np.geomspace(config.min_focal_ratio, config.max_focal_ratio, config.focal_candidates)
    candidates = [camera]
    if not camera.has_prior_focal:
        candidates += [with_focal(camera, float(ratio) * side) for ratio in ratios]
    max_trials = pose_config.max_num_trials
    if len(candidates) > 1:
        max_trials = min(QUICK_TRIALS, max_trials)
    best: tuple[int, Camera, Rigid3] | None = None
    num_trials = 0
    for candidate in candidates:
        found = estimator.ransac(correspondences, candidate, max_trials, depth_scorer)
        if found is None:
            continue
        num_trials += found[1]
        inliers = int(
            inlier_mask(
                correspondences.points2D, correspondences.points3D, candidate, found[0],
                bounds_px(correspondences, candidate, pose_config),
            ).sum()
        )  # fmt: skip
        if best is None or inliers > best[0]:
            best = (inliers, candidate, found[0])
    if best is None:
        return None
    return finish(correspondences, best[1], best[2], pose_config, num_trials, refine_focal=True)
