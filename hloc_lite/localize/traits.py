"""What speaks for a pose, as a few numbers; more of each speaks for it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.spatial import ConvexHull, QhullError

from hloc_lite.config import PoseConfig
from hloc_lite.geometry.cameras import img_from_cam, pixel_differences
from hloc_lite.pose.common import prior_odds
from hloc_lite.types import Correspondences, Float64, Int64, PoseEstimate

LEAST_NOISE_PX = 0.5
"""Few inliers can fit a pose better than keypoints are exact."""
RAYLEIGH_MEDIAN = 1.1774
"""Median length of normal errors in two dimensions, in standard deviations along each."""
EVIDENCE_SCALE = 10.0
"""Of the log likelihood ratio: below, it counts in proportion, far above by its logarithm."""
MAX_LOG_SIGMA = 1.0
"""A standard deviation ten times the limit says as little as none."""
MIN_LOG_SIGMA = -3.0
LEAST_LABELS = 0.85
"""Fewer landmarks on their label say no more: then labels are as likely wrong as the pose (at night
networks mistake whole walls), and hundreds of inliers must outweigh them."""


@dataclass(frozen=True)
class Trait:
    """One number that a pose is judged by."""

    meaning: str
    doubt: str
    """What to say where it is small."""


TRAITS: Mapping[str, Trait] = {
    "evidence": Trait(
        "log likelihood ratio of the inliers' agreement to chance, compressed",
        "as many could agree by chance",
    ),
    "certainty": Trait(
        "-log10 of the standard deviation of position or angle over its limit",
        "they leave the pose uncertain",
    ),
    "spread": Trait(
        "square root of the share of the photo that the inliers span",
        "they span little of the photo",
    ),
    "uniqueness": Trait("1 - ambiguity", "another place agrees nearly as well"),
    "labels": Trait(
        "share of the landmarks in view that lie on their label",
        "labels in the photo are not those expected there",
    ),
}
"""By name."""


def traits_of(
    correspondences: Correspondences,
    pose: PoseEstimate,
    ambiguity: float,
    label_agreement: float,
    limits: tuple[float, float],
    config: PoseConfig,
) -> dict[str, float]:
    """The ``TRAITS`` of a pose; NaN where nothing is known.

    Args:
        ambiguity: support of the best other place over that of this one.
        label_agreement: share of the landmarks in view that lie on their label.
        limits: (distance in map units, angle in deg) within which the pose would be right.
    """
    rows = one_to_one(correspondences, np.flatnonzero(pose.inlier_mask))
    return {
        "evidence": math.asinh(evidence(correspondences, pose, rows, config) / EVIDENCE_SCALE),
        "certainty": -log_uncertainty(pose.covariance, limits),
        "spread": math.sqrt(spanned_share(correspondences.points2D[rows], pose)),
        "uniqueness": 1 - ambiguity,
        "labels": label_agreement
        if math.isnan(label_agreement)
        else max(label_agreement, LEAST_LABELS),
    }


def one_to_one(correspondences: Correspondences, rows: Int64) -> Int64:
    """Those rows left where each keypoint and each point keeps its likeliest one."""
    rows = rows[np.argsort(-correspondences.weights[rows], kind="stable")]
    for idxs in (correspondences.keypoint_idxs, correspondences.point3D_idxs):
        _, first = np.unique(idxs[rows], return_index=True)
        rows = rows[np.sort(first)]
    return rows


def evidence(
    correspondences: Correspondences, pose: PoseEstimate, rows: Int64, config: PoseConfig
) -> float:
    """Log likelihood ratio of a right pose to the best of chance.

    What inliers gain: a right one lies normally about its projection, a wrong one anywhere in the
    image. Minus what the matches cost that a right pose leaves out, minus the choice among samples
    of three, which chance makes as well.

    Args:
        rows: the distinct inliers.
    """
    camera = pose.camera
    prior = prior_odds(correspondences.weights, config)
    best = one_to_one(correspondences, np.arange(len(prior)))
    missed = np.setdiff1d(best, rows)
    inliers = correspondences.subset(rows)
    projected = img_from_cam(camera, pose.cam_from_world.apply(inliers.points3D))
    errors = np.linalg.norm(pixel_differences(camera, projected, inliers.points2D), axis=1)
    sigma = max(float(np.median(errors)) / RAYLEIGH_MEDIAN, LEAST_NOISE_PX)
    log_density = -0.5 * np.square(errors / sigma) - math.log(2 * math.pi * sigma**2)
    log_odds = np.log(prior[rows]) + math.log(camera.width * camera.height) + log_density
    gained = np.logaddexp(0, log_odds).sum()
    num_tried = len(np.unique(correspondences.keypoint_idxs))
    return float(gained - np.log1p(prior[missed]).sum() - 3 * math.log(num_tried))


def log_uncertainty(covariance: Float64 | None, limits: tuple[float, float]) -> float:
    """log10 of the largest standard deviation of position or angle over its limit."""
    if covariance is None or not np.isfinite(covariance).all():
        return MAX_LOG_SIGMA
    variance = max(
        float(np.linalg.eigvalsh(covariance[3:, 3:])[-1]) / limits[0] ** 2,
        float(np.linalg.eigvalsh(covariance[:3, :3])[-1]) / math.radians(limits[1]) ** 2,
    )
    log_sigma = 0.5 * math.log10(max(variance, 1e-12))
    return min(max(log_sigma, MIN_LOG_SIGMA), MAX_LOG_SIGMA)


def spanned_share(points2D: Float64, pose: PoseEstimate) -> float:
    """Area of the convex hull of (N, 2) pixels over that of the image; 0 if they lie in a line."""
    try:
        area = ConvexHull(points2D).volume  # in two dimensions the area
    except (QhullError, ValueError):
        return 0.0
    return min(float(area) / (pose.camera.width * pose.camera.height), 1.0)
