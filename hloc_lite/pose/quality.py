"""Pose-quality features: log-likelihood ratio of the inliers, certainty, spread, uniqueness, label
agreement.

Each is turned so that a larger value makes the pose more likely correct. ``pose.confidence`` maps
them to a probability.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.spatial import ConvexHull, QhullError

from hloc_lite.config import PoseConfig
from hloc_lite.geometry.cameras import img_from_cam, pixel_differences
from hloc_lite.pose.inlier_model import RAYLEIGH_MEDIAN, prior_odds
from hloc_lite.types import Correspondences, Float64, Int64, PoseEstimate

MIN_SIGMA_PX = 0.5
"""Few inliers can fit a pose better than keypoints are localized."""
LOG_RATIO_SCALE = 10.0
"""The log-likelihood ratio counts linearly below this value, logarithmically far above it."""
MAX_LOG_SIGMA = 1.0
"""A standard deviation of ten times the limit is treated like an unknown one."""
MIN_LOG_SIGMA = -3.0
VIEW = "view"
"""Name of the feature that only maps with a surface have."""
MIN_LABEL_AGREEMENT = 0.85
"""Lower agreement is raised to this value: then the labels are as likely wrong as the pose (at
night networks mislabel whole walls), and hundreds of inliers must outweigh them."""


@dataclass(frozen=True)
class QualityFeature:
    """Texts about one pose-quality feature."""

    meaning: str
    """Definition, as written into files of coefficients."""
    reason: str
    """Reason for a low confidence, for users, if the feature is small."""


QUALITY_FEATURES: Mapping[str, QualityFeature] = {
    "evidence": QualityFeature(
        "log likelihood ratio of the inliers' agreement to chance, compressed",
        "as many inliers could arise by chance",
    ),
    "certainty": QualityFeature(
        "-log10 of the standard deviation of position or angle over its limit",
        "the inliers leave the pose uncertain",
    ),
    "spread": QualityFeature(
        "square root of the share of the photo that the inliers span",
        "the inliers span little of the photo",
    ),
    "uniqueness": QualityFeature("1 - ambiguity", "another location fits nearly as well"),
    "labels": QualityFeature(
        "share of the landmarks in view that lie on their label",
        "labels in the photo are not those expected there",
    ),
    "landmarks": QualityFeature(
        "log odds that nearest neighbours of landmarks in view agree, if below those expected",
        "most landmarks that should be in view match elsewhere in the photo",
    ),
    VIEW: QualityFeature(
        "log odds that a place in the photo resembles its view of the map more than another place, "
        "if below those of right poses",
        "the photo does not look like the map's surface does from there",
    ),
}
"""All features by the name that results and files of coefficients use."""


def quality_features(
    correspondences: Correspondences,
    pose: PoseEstimate,
    ambiguity: float,
    label_agreement: float,
    limits: tuple[float, float],
    config: PoseConfig,
) -> dict[str, float]:
    """Compute the ``QUALITY_FEATURES`` of a pose; NaN where one is unknown.

    Args:
        ambiguity: score of the runner-up pose over that of this pose.
        label_agreement: share of the landmarks in view that lie on their label.
        limits: (distance in map units, angle in deg) within which a pose counts as correct.
    """
    rows = best_one_to_one(correspondences, np.flatnonzero(pose.inlier_mask))
    log_ratio = log_likelihood_ratio(correspondences, pose, rows, config)
    return {
        "evidence": math.asinh(log_ratio / LOG_RATIO_SCALE),
        "certainty": -log_uncertainty(pose.covariance, limits),
        "spread": math.sqrt(hull_area_share(correspondences.points2D[rows], pose)),
        "uniqueness": 1 - ambiguity,
        "labels": label_agreement
        if math.isnan(label_agreement)
        else max(label_agreement, MIN_LABEL_AGREEMENT),
    }


def best_one_to_one(correspondences: Correspondences, rows: Int64) -> Int64:
    """Subset of rows that keeps only the highest weight of each keypoint and of each 3D point."""
    rows = rows[np.argsort(-correspondences.weights[rows], kind="stable")]
    for idxs in (correspondences.keypoint_idxs, correspondences.point3D_idxs):
        _, first = np.unique(idxs[rows], return_index=True)
        rows = rows[np.sort(first)]
    return rows


def log_likelihood_ratio(
    correspondences: Correspondences, pose: PoseEstimate, rows: Int64, config: PoseConfig
) -> float:
    """Log-likelihood ratio of a correct pose to the best pose found by chance.

    Inliers add to it: a correct one is normally distributed about its projection, a wrong one
    uniformly over the image. Matches that the pose leaves out subtract from it. So does the choice
    among all samples of three keypoints, since the best of many random poses also has inliers.

    Args:
        rows: one-to-one inliers (``best_one_to_one``).
    """
    camera = pose.camera
    prior = prior_odds(correspondences.weights, config)
    best = best_one_to_one(correspondences, np.arange(len(prior)))
    missed = np.setdiff1d(best, rows)
    inliers = correspondences.subset(rows)
    projected = img_from_cam(camera, pose.cam_from_world.apply(inliers.points3D))
    errors = np.linalg.norm(pixel_differences(camera, projected, inliers.points2D), axis=1)
    sigma = max(float(np.median(errors)) / RAYLEIGH_MEDIAN, MIN_SIGMA_PX)
    log_density = -0.5 * np.square(errors / sigma) - math.log(2 * math.pi * sigma**2)
    log_odds = np.log(prior[rows]) + math.log(camera.width * camera.height) + log_density
    inlier_ratios = np.logaddexp(0, log_odds).sum()
    num_keypoints = len(np.unique(correspondences.keypoint_idxs))
    return float(inlier_ratios - np.log1p(prior[missed]).sum() - 3 * math.log(num_keypoints))


def log_uncertainty(covariance: Float64 | None, limits: tuple[float, float]) -> float:
    """log10 of the largest standard deviation of position or angle, relative to its limit.

    Args:
        covariance: (6, 6) as in ``PoseEstimate``; None or not finite: unknown.
        limits: (distance in map units, angle in deg).
    """
    if covariance is None or not np.isfinite(covariance).all():
        return MAX_LOG_SIGMA
    distance, angle_deg = standard_deviations(covariance)
    log_sigma = math.log10(max(distance / limits[0], angle_deg / limits[1], 1e-6))
    return min(max(log_sigma, MIN_LOG_SIGMA), MAX_LOG_SIGMA)


def median_inlier_distance(correspondences: Correspondences, pose: PoseEstimate) -> float:
    """Median distance of a pose's inliers from its camera, map units, > 0."""
    inliers = correspondences.points3D[pose.inlier_mask]
    distance = np.median(np.linalg.norm(pose.cam_from_world.apply(inliers), axis=1))
    return max(float(distance), np.finfo(float).tiny)


def standard_deviations(covariance: Float64) -> tuple[float, float]:
    """Largest standard deviations of position (map units) and angle (deg) in any direction.

    Args:
        covariance: (6, 6) as in ``PoseEstimate``, finite.
    """
    distance, angle_rad = (
        math.sqrt(max(float(np.linalg.eigvalsh(block)[-1]), 0.0))
        for block in (covariance[3:, 3:], covariance[:3, :3])
    )
    return distance, math.degrees(angle_rad)


def hull_area_share(points2D: Float64, pose: PoseEstimate) -> float:
    """Area of the convex hull of (N, 2) pixels over that of the image; 0 if they are collinear."""
    try:
        area = ConvexHull(points2D).volume  # in two dimensions, the volume is the area
    except (QhullError, ValueError):
        return 0.0
    return min(float(area) / (pose.camera.width * pose.camera.height), 1.0)
