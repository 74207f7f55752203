"""Errors that a correct pose may have in a map, and the words that say that one may have more.

In a map without known scale they are relative to the distance of what the photo shows, so that the
unit of a map makes no difference.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from hloc_lite.config import ConfidenceConfig
from hloc_lite.pose.confidence import Confidence, ErrorBounds, probability_within_limit
from hloc_lite.pose.quality import (
    QUALITY_FEATURES,
    log_uncertainty,
    median_inlier_distance,
    standard_deviations,
)
from hloc_lite.types import Correspondences, Float64, PoseEstimate

CLEARLY_WITHIN = 0.95
"""Probability to be within the limits below which the uncertainty is named as a reason."""


@dataclass(frozen=True)
class ErrorLimits:
    """Largest errors of a correct pose in one map."""

    distance: float
    """Error of the camera centre, map units."""
    angle_deg: float
    metres_per_unit: float | None
    """Scale of the map; None where the limit is relative to the distance of the inliers."""
    relative_distance: float
    """``distance`` over the median distance of the inliers."""

    @property
    def pair(self) -> tuple[float, float]:
        """(distance in map units, angle in deg)."""
        return self.distance, self.angle_deg


def metres_of_unit(config: ConfidenceConfig, metres_per_unit: float | None) -> float | None:
    """Metres per map unit by which poses are judged; None for relative limits.

    Args:
        metres_per_unit: known scale of the map; None if it has none.
    """
    if config.bounds == "relative":
        return None
    if config.bounds == "metric" and metres_per_unit is None:
        return 1.0
    return metres_per_unit


def error_limits(
    correspondences: Correspondences,
    pose: PoseEstimate,
    bounds: ErrorBounds,
    metres_per_unit: float | None,
) -> ErrorLimits:
    """Limits for a pose.

    Args:
        metres_per_unit: see ``metres_of_unit``.
    """
    seen = median_inlier_distance(correspondences, pose)
    if metres_per_unit is None:
        distance = bounds.relative_distance * seen
    else:
        distance = bounds.distance / metres_per_unit
    return ErrorLimits(distance, bounds.angle_deg, metres_per_unit, distance / seen)


def uncertainty_in_words(covariance: Float64 | None, limits: ErrorLimits) -> str:
    """Sentence on how the pose's own uncertainty compares with the limits.

    Args:
        covariance: (6, 6) as in ``PoseEstimate``.
    """
    if covariance is None or not np.isfinite(covariance).all():
        return "the inliers do not determine the pose"
    distance, angle_deg = standard_deviations(covariance)
    if distance / limits.distance < angle_deg / limits.angle_deg:
        sigma, limit = f"{angle_deg:.2g} deg", f"{limits.angle_deg:g} deg"
        required, exceeds = "that are required", angle_deg > limits.angle_deg
    elif limits.metres_per_unit is not None:
        sigma = f"{distance * limits.metres_per_unit:.2g} m"
        limit = f"{limits.distance * limits.metres_per_unit:g} m"
        required, exceeds = "that a metric map requires", distance > limits.distance
    else:
        sigma = f"{100 * distance / limits.distance * limits.relative_distance:.2g} %"
        limit = f"{100 * limits.relative_distance:g} %"
        required = "of the distance of what it sees that are required"
        exceeds = distance > limits.distance
    compared = "exceeds" if exceeds else "comes near"
    return f"the pose's own uncertainty of {sigma} {compared} the {limit} {required}"


def with_total_uncertainty(
    confidence: Confidence, pose: PoseEstimate, total: PoseEstimate, limits: ErrorLimits
) -> Confidence:
    """Confidence that the pose is within its limits by its total covariance.

    The feature ``certainty`` stays that of the keypoints alone, on which the coefficients were
    fitted. The reason about it says by how much the uncertainty exceeds a limit.
    """
    keypoints, both = (
        probability_within_limit(-log_uncertainty(each.covariance, limits.pair))
        for each in (pose, total)
    )
    probability = confidence.probability * (both / keypoints if keypoints > 0 else 1.0)
    general, reasons = QUALITY_FEATURES["certainty"].reason, confidence.reasons
    if general in reasons or both < CLEARLY_WITHIN:
        in_words = uncertainty_in_words(total.covariance, limits)
        reasons = (in_words, *(each for each in reasons if each != general))
    return replace(confidence, probability=probability, reasons=reasons)
