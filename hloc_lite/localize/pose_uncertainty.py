"""Covariance of a pose beyond that of its keypoints: of its intrinsics, and of the map."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from hloc_lite.config import IntrinsicsConfig
from hloc_lite.geometry.camera_models import get_camera_model
from hloc_lite.pose.intrinsics_fit import CENTER, FOCAL, RADIAL, pose_by_intrinsics
from hloc_lite.pose.quality import median_inlier_distance
from hloc_lite.pose.refine import estimates_distortion
from hloc_lite.types import Correspondences, PoseEstimate


@dataclass(frozen=True)
class MapErrors:
    """Standard deviations of a map around a query, along each axis.

    They are errors of its poses and landmarks that neighbours share, so that more matches do not
    average them out.
    """

    distance: float
    """Standard deviation of the position, over the median distance of the inliers."""
    angle_deg: float
    """Standard deviation of the orientation."""


def with_total_covariance(
    correspondences: Correspondences,
    pose: PoseEstimate,
    config: IntrinsicsConfig,
    map_errors: MapErrors,
    *,
    is_calibrated: bool,
    keypoint_growth: float = 1.0,
) -> PoseEstimate:
    """Pose whose covariance also accounts for uncertain intrinsics and for the map.

    The covariance of ``refine_pose`` is that of independent errors of the keypoints, and shrinks
    with their number. Errors of the intrinsics, and of the map around the query, do not.

    Args:
        is_calibrated: intrinsics were given; else focal length (and distortion, where the matches
            suffice) were estimated with the pose, and its covariance contains theirs.
        keypoint_growth: factor of the standard deviations that come from the keypoints.
    """
    covariance = pose.covariance
    if covariance is None or not np.isfinite(covariance).all():
        return pose
    seen = median_inlier_distance(correspondences, pose)
    if not is_calibrated:
        covariance = covariance * (1 + pose.num_inliers / config.independent_matches)
    of_map = [np.radians(map_errors.angle_deg)] * 3 + [map_errors.distance * seen] * 3
    total = keypoint_growth**2 * covariance + np.diag(np.square(of_map))
    if get_camera_model(pose.camera).num_focals > 0:
        estimated: tuple[int, ...] = ()
        sigmas = np.zeros(4)
        sigmas[FOCAL], sigmas[CENTER], sigmas[RADIAL] = (
            config.focal_sigma, config.center_sigma, config.radial_sigma,
        )  # fmt: skip
        if not is_calibrated:
            estimated = (FOCAL,)
            if estimates_distortion(pose.camera, pose.num_inliers):
                estimated = (FOCAL, RADIAL)
            sigmas[CENTER] = config.unknown_center_sigma
            sigmas[RADIAL] = config.unknown_radial_sigma
        moved = pose_by_intrinsics(correspondences, pose, estimated)
        if moved is not None:
            total = total + (moved * np.square(sigmas)) @ moved.T
    return replace(pose, covariance=total)
