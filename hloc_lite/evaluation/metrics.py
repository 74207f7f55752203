"""Pose errors, recalls and medians with confidence intervals.

Errors as on visuallocalization.net: distance between the camera centres, and angle of the rotation
between the two orientations (Sattler et al. 2018). A query without a pose counts as a failure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from pydantic import Field
from scipy.spatial.transform import Rotation

from hloc_lite.config import Section
from hloc_lite.errors import HlocLiteError
from hloc_lite.evaluation.query_error import QueryError, query_errors
from hloc_lite.evaluation.thresholds import Threshold
from hloc_lite.geometry.rotations import pose_errors
from hloc_lite.types import Float64, Rigid3

_DRAWN_AT_ONCE = 1 << 18
"""Number of queries drawn at once for resamples: few calls, and little memory."""


class BootstrapConfig(Section):
    num_resamples: int = Field(2000, ge=100, le=1000000)
    """2000 keep the Monte Carlo noise of a 95 % bound well below a tenth of the interval."""
    confidence: float = Field(0.95, gt=0.5, lt=1)
    """Confidence level of the two-sided interval."""
    seed: int = Field(0, ge=0)


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
    values = np.array([[error.distance, error.angle_deg] for error in errors]).T
    return Scores(errors, tuple(thresholds), recalls, *median_intervals(values, bootstrap))


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
    return median_intervals(values[None], bootstrap)[0]


def median_intervals(values: Float64, bootstrap: BootstrapConfig) -> list[Interval]:
    """Medians of K rows of (K, N) values of the same queries, each as ``median_interval``."""
    tail = (1 - bootstrap.confidence) / 2
    intervals = []
    for row, medians in zip(values, resampled_medians(values, bootstrap), strict=True):
        # inverted_cdf picks one of the values: interpolating towards infinity has no meaning
        low, high = np.quantile(medians, [tail, 1 - tail], method="inverted_cdf")
        median = float(np.median(row))
        intervals.append(Interval(median, float(min(low, median)), float(max(high, median))))
    return intervals


def resampled_medians(values: Float64, bootstrap: BootstrapConfig) -> Float64:
    """(K, R) medians of K rows of (K, N) values, in R resamples of the N columns.

    Every resample has the same columns in all rows, so that rows can be compared in pairs. Values
    may be infinite.
    """
    num_rows, num = values.shape
    order = np.argsort(values, axis=1, kind="stable")
    ascending = np.take_along_axis(values, order, axis=1)
    medians = np.empty((num_rows, bootstrap.num_resamples))
    generator = np.random.default_rng(bootstrap.seed)
    at_once = max(1, _DRAWN_AT_ONCE // num)
    for start in range(0, bootstrap.num_resamples, at_once):
        size = min(at_once, bootstrap.num_resamples - start)
        drawn = generator.integers(0, num, (size, num)) + num * np.arange(size)[:, None]
        # counting, instead of sorting every resample, takes a quarter of the time
        counts = np.bincount(drawn.ravel(), minlength=size * num).reshape(size, num)
        for row in range(num_rows):
            reached = np.cumsum(np.take(counts, order[row], axis=1), axis=1)
            low, high = ((reached > k).argmax(axis=1) for k in ((num - 1) // 2, num // 2))
            medians[row, start : start + size] = (ascending[row, low] + ascending[row, high]) / 2
    return medians
