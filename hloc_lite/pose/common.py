"""What every estimator does around its RANSAC: bounds for the image's size, refinement, result."""

from __future__ import annotations

import numpy as np

from hloc_lite.config import PoseConfig
from hloc_lite.geometry.cameras import img_from_cam
from hloc_lite.pose.refine import inlier_mask, refine_pose
from hloc_lite.types import Bool, Camera, Correspondences, Float64, PoseEstimate, Rigid3

MIN_NOISE_PX = 1e-4
"""Of exact points; keeps the loss from vanishing."""


def max_error_px(camera: Camera, config: PoseConfig) -> float:
    """The inlier bound for this camera's resolution."""
    return config.max_error_px * max(camera.width, camera.height) / config.reference_side_px


def finish(
    correspondences: Correspondences,
    camera: Camera,
    pose: Rigid3,
    config: PoseConfig,
    num_trials: int,
    *,
    refine_focal: bool = False,
) -> PoseEstimate | None:
    """Refine RANSAC's pose on its inliers, count these again, refine once more.

    Returns:
        None if fewer than ``config.min_inliers`` are left.
    """
    points2D, points3D = correspondences.points2D, correspondences.points3D
    bound = max_error_px(camera, config)
    mask = inlier_mask(points2D, points3D, camera, pose, bound)
    covariance = None
    for _ in range(2):
        if _distinct(correspondences, mask) < config.min_inliers:
            return None
        sigma_px = noise_px(points2D[mask], points3D[mask], camera, pose)
        loss_px = config.refine_loss_sigmas * sigma_px
        refined = refine_pose(
            points2D[mask], points3D[mask], camera, pose, loss_px, refine_focal=refine_focal
        )
        pose, camera, covariance = refined.cam_from_world, refined.camera, refined.covariance
        mask = inlier_mask(points2D, points3D, camera, pose, bound)
    if _distinct(correspondences, mask) < config.min_inliers:
        return None
    return PoseEstimate(pose, mask, num_trials, covariance, camera)


def noise_px(points2D: Float64, points3D: Float64, camera: Camera, pose: Rigid3) -> float:
    """Standard deviation of the inliers' errors along each axis, from their median: of normal
    noise in two dimensions half the distances are below 1.1774 standard deviations."""
    distances = np.linalg.norm(img_from_cam(camera, pose.apply(points3D)) - points2D, axis=1)
    return max(float(np.median(distances)) / 1.1774, MIN_NOISE_PX)


def _distinct(correspondences: Correspondences, mask: Bool) -> int:
    """Inliers, a keypoint with several points (or the other way round) counted once."""
    keypoints = np.unique(correspondences.keypoint_idxs[mask])
    points = np.unique(correspondences.point3D_idxs[mask])
    return min(len(keypoints), len(points))
