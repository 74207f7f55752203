"""Pose errors, recalls and medians with confidence intervals.

Errors as on visuallocalization.net: distance between the camera centres, and angle of the rotation
between the two orientations (Sattler et al. 2018). A query without a pose counts as a failure.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from pydantic import Field
from scipy.spatial.transform import Rotation

from hloc_lite.config import Section
from hloc_lite.errors import HlocLiteError
from hloc_lite.evaluation.thresholds import Threshold
from hloc_lite.geometry.rotations import pose_errors
from hloc_lite.types import Float64, Rigid3


class BootstrapConfig(Section):
    num_resamples: int = Field(2000, ge=100, le=1000000)
    """2000 keep the Monte Carlo noise of a 95 % bound well below a tenth of the interval."""
    confidence: float = Field(0.95, gt=0.5, lt=1)
    """Confidence level of the two-sided interval."""
    seed: int = Field(0, ge=0)


@dataclass(frozen=True)
class QueryError:
    """Position and rotation error of one query; infinite without a pose."""

    name: str
    distance: float
    """Distance between the camera centres, map units."""
    angle_deg: float
    is_fallback: bool = False
    """True if the pose is that of the most similar map image, for a photo that was not localized.
    It counts in recalls, but was not given as the pose of the photo."""

    @property
    def localized(self) -> bool:
        return math.isfinite(self.distance)

    def within(self, threshold: Threshold) -> bool:
        """Return True if both errors are at most those of the threshold."""
        return self.distance <= threshold.max_distance and self.angle_deg <= threshold.max_angle_deg


@dataclass(frozen=True)
class Interval:
    """Estimate with its confidence bounds."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Scores:
    """Errors, recalls and medians of a set of queries with true poses."""

    errors: tuple[QueryError, ...]
    """One per true pose, in the order of the true poses."""
    thresholds: tuple[Threshold, ...]
    recalls: tuple[Interval, ...]
    """Fraction of all queries within each threshold."""
    median_distance: Interval
    """Map units, over all queries; infinite if at least half have no pose."""
    median_angle_deg: Interval

    @property
    def num_queries(self) -> int:
        return len(self.errors)

    @property
    def num_localized(self) -> int:
        return sum(error.localized for error in self.errors)

    @property
    def failed_names(self) -> tuple[str, ...]:
        return tuple(error.name for error in self.errors if not error.localized)

    def num_within(self, threshold: Threshold) -> int:
        return sum(error.within(threshold) for error in self.errors)


def score(
    estimated: Mapping[str, Rigid3],
    true: Mapping[str, Rigid3],
    thresholds: Sequence[Threshold],
    bootstrap: BootstrapConfig | None = None,
) -> Scores:
    """Score estimated ``cam_from_world`` poses against the true poses of the same names.

    True poses without an estimate are failures. Estimates without a true pose are ignored;
    ``names.align_names`` reports them.

    Raises:
        HlocLiteError: no true poses.
    """
    if not true:
        raise HlocLiteError("the ground truth has no poses: there is nothing to compare with")
    bootstrap = bootstrap or BootstrapConfig()
    errors = query_errors(estimated, true)
    recalls = tuple(
        recall_interval(sum(error.within(t) for error in errors), len(errors), bootstrap)
        for t in thresholds
    )
    return Scores(
        errors,
        tuple(thresholds),
        recalls,
        median_interval(np.array([error.distance for error in errors]), bootstrap),
        median_interval(np.array([error.angle_deg for error in errors]), bootstrap),
    )


def score_conditions(
    estimated: Mapping[str, Rigid3],
    conditions: Mapping[str, Mapping[str, Rigid3]],
    thresholds: Sequence[Threshold],
    bootstrap: BootstrapConfig | None = None,
) -> dict[str, Scores]:
    """Score each condition, then (row ``all``) all of them together if there are several.

    Raises:
        HlocLiteError: a condition is empty, one of several is named "all", or two conditions
            give different poses for one query.
    """
    if len(conditions) > 1 and "all" in conditions:
        raise HlocLiteError(
            'the name "all" is reserved for all conditions together: rename that condition'
        )
    rows = {
        condition: score(estimated, true, thresholds, bootstrap)
        for condition, true in conditions.items()
    }
    if len(rows) > 1:
        rows["all"] = score(estimated, merge_conditions(conditions), thresholds, bootstrap)
    return rows


def merge_conditions(conditions: Mapping[str, Mapping[str, Rigid3]]) -> dict[str, Rigid3]:
    """Merge the true poses of all conditions; a query may be in several, with the same pose.

    Raises:
        HlocLiteError: two conditions give different poses for one query.
    """
    merged: dict[str, Rigid3] = {}
    for condition, poses in conditions.items():
        for name, pose in poses.items():
            before = merged.setdefault(name, pose)
            if before is pose:
                continue
            distance, angle_deg = pose_errors(before, pose)
            if distance > 1e-6 * (1 + float(np.abs(pose.center).max())) or angle_deg > 1e-4:
                raise HlocLiteError(
                    f"{name!r} has another true pose in {condition!r} than in an earlier file: "
                    f"names must be unique across all ground-truth files"
                )
    return merged


def squared_mahalanobis(estimated: Rigid3, true: Rigid3, covariance: Float64) -> float:
    """Squared Mahalanobis distance of two ``cam_from_world`` poses.

    If the covariance of the estimate is right, the distances of many queries follow a chi-square
    distribution with 6 degrees of freedom: 95 % are below 12.59.

    Args:
        estimated: the pose estimate.
        true: the true pose.
        covariance: (6, 6) of the estimate, in the frame and order of ``types.PoseEstimate``.
    """
    error = true.compose(estimated.inverse())
    vector = np.concatenate([Rotation.from_matrix(error.rotation).as_rotvec(), error.translation])
    return float(vector @ np.linalg.solve(covariance, vector))


def recall_interval(num_within: int, num_queries: int, bootstrap: BootstrapConfig) -> Interval:
    """Recall with its percentile bootstrap interval (Efron 1979).

    Resampling hits and misses is drawing from a binomial distribution. If all queries are hits or
    all are misses the bootstrap has no spread, however few they are; then the exact interval of
    Clopper and Pearson 1934 is used.
    """
    from scipy.stats import binomtest  # loads for 0.25 s, and most runs score nothing

    fraction = num_within / num_queries
    tail = (1 - bootstrap.confidence) / 2
    if num_within in (0, num_queries):
        exact = binomtest(num_within, num_queries).proportion_ci(bootstrap.confidence)
        return Interval(fraction, float(exact.low), float(exact.high))
    generator = np.random.default_rng(bootstrap.seed)
    counts = generator.binomial(num_queries, fraction, bootstrap.num_resamples)
    low, high = np.quantile(counts / num_queries, [tail, 1 - tail])
    return Interval(fraction, float(min(low, fraction)), float(max(high, fraction)))


def median_interval(values: Float64, bootstrap: BootstrapConfig) -> Interval:
    """Median of (N,) values with its percentile bootstrap interval; values may be infinite."""
    generator = np.random.default_rng(bootstrap.seed)
    medians = [
        np.median(values[generator.integers(0, len(values), len(values))])
        for _ in range(bootstrap.num_resamples)
    ]
    tail = (1 - bootstrap.confidence) / 2
    # inverted_cdf picks one of the values: interpolating towards infinity has no meaning
    low, high = np.quantile(medians, [tail, 1 - tail], method="inverted_cdf")
    median = float(np.median(values))
    return Interval(median, float(min(low, median)), float(max(high, median)))


def query_errors(
    estimated: Mapping[str, Rigid3], true: Mapping[str, Rigid3]
) -> tuple[QueryError, ...]:
    """Errors of estimated ``cam_from_world`` poses, one for each true pose."""
    return tuple(_query_error(name, estimated.get(name), true[name]) for name in true)


def _query_error(name: str, estimated: Rigid3 | None, true: Rigid3) -> QueryError:
    if estimated is None or not np.isfinite(estimated.rotation).all():
        return QueryError(name, math.inf, math.inf)
    with np.errstate(over="ignore", invalid="ignore"):  # beyond the range of floats: a failure
        distance, angle_deg = pose_errors(estimated, true)
    if not (math.isfinite(distance) and math.isfinite(angle_deg)):
        return QueryError(name, math.inf, math.inf)
    return QueryError(name, distance, angle_deg)
