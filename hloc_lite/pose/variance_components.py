"""Pose refinement on several types of features, each with a pixel noise of its own."""

from __future__ import annotations

import numpy as np

from hloc_lite.config import PoseConfig
from hloc_lite.pose.inlier_model import robust_sigma_px
from hloc_lite.pose.refine import refine_on_inliers, reprojection_errors
from hloc_lite.types import Correspondences, Float64, Int64, PoseEstimate

NUM_ROUNDS = 3
"""Rounds of noise estimation: the first still follows the type with most inliers."""
MIN_PRECISION = 0.1
"""A dozen inliers that happen to fit well must not outweigh hundreds a hundredfold."""


def refine_with_noise_groups(
    correspondences: Correspondences,
    start: PoseEstimate,
    groups: Int64,
    config: PoseConfig,
    *,
    refine_focal: bool,
) -> PoseEstimate | None:
    """Refine a pose on correspondences whose pixel noise differs by group.

    The noise of each group is estimated in turn with the pose (variance components, Förstner 1979).

    Args:
        groups: (K,) group of each correspondence.

    Returns:
        None if too few inliers are left.
    """

    def refine(pose: PoseEstimate, precisions: Float64 | None) -> PoseEstimate | None:
        return refine_on_inliers(
            correspondences, pose.camera, pose.cam_from_world, config, start.num_trials,
            refine_focal=refine_focal, precisions=precisions,
        )  # fmt: skip

    found = refine(start, None)
    for _ in range(NUM_ROUNDS if len(np.unique(groups)) > 1 else 0):
        if found is None:
            break
        found = refine(found, _precisions(correspondences, found, groups))
    return found


def _precisions(correspondences: Correspondences, pose: PoseEstimate, groups: Int64) -> Float64:
    """(K,) inverse noise of each group's inliers, relative to the most precise group."""
    errors = reprojection_errors(
        correspondences.points2D, correspondences.points3D, pose.camera, pose.cam_from_world
    )
    precisions = np.ones(len(errors))
    for group in np.unique(groups[pose.inlier_mask]):
        own = groups == group
        inliers = own & pose.inlier_mask
        precisions[own] = 1 / robust_sigma_px(errors[inliers], correspondences.weights[inliers])
    return np.maximum(precisions / precisions.max(), MIN_PRECISION)
