"""What every estimator does around its RANSAC: bounds for the image's size, refinement, result."""

from __future__ import annotations

import numpy as np

from hloc_lite.config import PoseConfig
from hloc_lite.geometry.cameras import img_from_cam, pixel_differences
from hloc_lite.pose.refine import inlier_mask, refine_pose
from hloc_lite.types import Bool, Camera, Correspondences, Float64, PoseEstimate, Rigid3

MIN_NOISE_PX = 1e-4
"""Of exact points; keeps the loss from vanishing."""


def max_error_px(camera: Camera, config: PoseConfig) -> float:
    """The inlier bound for this camera's resolution."""
    return config.max_error_px * max(camera.width, camera.height) / config.reference_side_px


def bounds_px(correspondences: Correspondences, camera: Camera, config: PoseConfig) -> Float64:
    """(K,) the inlier bound of each correspondence."""
    factors = correspondences.bound_factors
    bound = max_error_px(camera, config)
    return np.full(len(correspondences), bound) if factors is None else bound * factors


def posterior_odds(correspondences: Correspondences, camera: Camera, config: PoseConfig) -> Float64:
    """(K,) odds that each correspondence is right if it agrees with the pose.

    Before that they are its weight times those of ``config.prior_share``; a wrong one, anywhere in
    the image, agrees with any pose as seldom as the area within its bound is of the image.
    """
    areas = np.pi * np.square(bounds_px(correspondences, camera, config))
    prior = prior_odds(correspondences, config)
    return np.asarray(prior * np.maximum(camera.width * camera.height / areas, 1))


def prior_odds(correspondences: Correspondences, config: PoseConfig) -> Float64:
    """(K,) odds that each correspondence is right, before any pose is known."""
    weights = correspondences.weights
    return np.asarray(config.prior_share / (1 - config.prior_share) * weights / weights.mean())


def votes(odds: Float64) -> Float64:
    """(K,) what each correspondence counts in a consensus, of mean 1: how much likelier the pose is
    by its agreement (Tordoff and Murray 2005). It grows with the logarithm of the (K,)
    ``posterior_odds``: that a doubtful match agrees says nearly as much as that a good one does."""
    gains = np.log1p(odds)
    return np.asarray(gains / gains.mean())


def credence(odds: Float64) -> Float64:
    """(K,) in (0, 1): probability that each inlier of a pose is right, by its ``posterior_odds``;
    most count alike in the refinement."""
    return np.asarray(odds / (1 + odds))


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
    bounds = bounds_px(correspondences, camera, config)
    # what has no weight is no evidence, wherever it lies
    usable = correspondences.weights > 0
    trust = credence(posterior_odds(correspondences, camera, config))
    mask = usable & inlier_mask(points2D, points3D, camera, pose, bounds)
    covariance = None
    for _ in range(2):
        if _distinct(correspondences, mask) < config.min_inliers:
            return None
        inliers = correspondences.subset(mask)
        sigma_px = noise_px(inliers, camera, pose)
        refined = refine_pose(
            inliers.points2D,
            inliers.points3D,
            camera,
            pose,
            config.refine_loss_sigmas * sigma_px,
            weights=trust[mask],
            refine_focal=refine_focal,
        )
        pose, camera, covariance = refined.cam_from_world, refined.camera, refined.covariance
        mask = usable & inlier_mask(points2D, points3D, camera, pose, bounds)
    if _distinct(correspondences, mask) < config.min_inliers:
        return None
    return PoseEstimate(pose, mask, num_trials, covariance, camera)


def noise_px(inliers: Correspondences, camera: Camera, pose: Rigid3) -> float:
    """Standard deviation of the inliers' errors along each axis, from their weighted median: of
    normal noise in two dimensions half the distances are below 1.1774 standard deviations."""
    projected = img_from_cam(camera, pose.apply(inliers.points3D))
    distances = np.linalg.norm(pixel_differences(camera, projected, inliers.points2D), axis=1)
    order = np.argsort(distances)
    mass = np.cumsum(inliers.weights[order])
    median = distances[order[np.searchsorted(mass, 0.5 * mass[-1])]]
    return max(float(median) / 1.1774, MIN_NOISE_PX)


def _distinct(correspondences: Correspondences, mask: Bool) -> int:
    """Inliers, a keypoint with several points (or the other way round) counted once."""
    keypoints = np.unique(correspondences.keypoint_idxs[mask])
    points = np.unique(correspondences.point3D_idxs[mask])
    return min(len(keypoints), len(points))
