"""Paired comparison of results on the same queries: who solves which, and is it more than chance.

Two recalls of the same queries are not independent: most queries are easy or hard for both methods.
What tells the methods apart are the queries that only one of them solves (McNemar 1947).

All differences are second minus first: a higher recall and a lower median favour the second.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from hloc_lite.errors import HlocLiteError
from hloc_lite.evaluation.evaluate import Evaluation
from hloc_lite.evaluation.metrics import BootstrapConfig, Interval, Scores, resampled_medians
from hloc_lite.evaluation.query_error import QueryError
from hloc_lite.evaluation.thresholds import Threshold
from hloc_lite.types import Bool, Float64


@dataclass(frozen=True)
class Flip:
    """Query that only one of two methods solves."""

    first: QueryError
    second: QueryError
    excess: float
    """Error of the first minus that of the second, each as a multiple of the threshold (the larger
    of position and rotation). Infinite without a pose; above zero if the second solves it."""

    @property
    def name(self) -> str:
        return self.first.name


@dataclass(frozen=True)
class PairedRecall:
    """Queries that two methods solve at one threshold."""

    threshold: Threshold
    num_both: int
    num_only_first: int
    num_only_second: int
    num_neither: int
    difference: Interval
    """Recall of the second minus that of the first, with its paired bootstrap interval."""
    p_value: float
    """Two-sided p value of McNemar's exact test: the probability of numbers at least as unequal, if
    each query that only one method solves were equally likely to be either's."""
    flips: tuple[Flip, ...]
    """Queries that only one method solves, the largest difference first."""

    @property
    def num_queries(self) -> int:
        return self.num_both + self.num_only_first + self.num_only_second + self.num_neither


@dataclass(frozen=True)
class PairedMedian:
    """Median errors of two methods over the same queries."""

    first: float
    """Infinite if at least half of the queries have no pose."""
    second: float
    difference: Interval
    """Second minus first, with its paired bootstrap interval; NaN if both are infinite."""


@dataclass(frozen=True)
class PairedScores:
    """Paired comparison of two methods on the queries of one condition."""

    recalls: tuple[PairedRecall, ...]
    """One for each threshold."""
    distance: PairedMedian
    """Medians of the position errors, map units."""
    angle_deg: PairedMedian


@dataclass(frozen=True, eq=False)
class Comparison:
    """Paired comparison of two methods, by condition."""

    first: str
    """Label of the first method."""
    second: str
    rows: Mapping[str, PairedScores]
    """Condition or group -> comparison; the last row is all conditions together."""


def compare_all(
    evaluations: Mapping[str, Evaluation], bootstrap: BootstrapConfig | None = None
) -> tuple[Comparison, ...]:
    """Compare every pair of methods, the earlier one as the first.

    Args:
        evaluations: label of the method -> its evaluation, all with the same truth and thresholds.
        bootstrap: settings of the confidence intervals.

    Raises:
        HlocLiteError: fewer than two methods, or evaluations of other conditions, queries or
            thresholds.
    """
    if len(evaluations) < 2:
        raise HlocLiteError(f"a comparison needs at least two results, got {len(evaluations)}")
    return tuple(
        Comparison(first, second, _paired_rows(evaluations[first], evaluations[second], bootstrap))
        for first, second in itertools.combinations(evaluations, 2)
    )


def paired_scores(
    first: Scores, second: Scores, bootstrap: BootstrapConfig | None = None
) -> PairedScores:
    """Compare two methods on the same queries.

    Raises:
        HlocLiteError: other queries or other thresholds.
    """
    bootstrap = bootstrap or BootstrapConfig()
    if [error.name for error in first.errors] != [error.name for error in second.errors]:
        raise HlocLiteError("results can be compared on the same queries in the same order only")
    if first.thresholds != second.thresholds:
        raise HlocLiteError("results can be compared at the same thresholds only")
    return PairedScores(
        tuple(_paired_recall(first, second, t, bootstrap) for t in first.thresholds),
        _paired_median(_distances(first), _distances(second), bootstrap),
        _paired_median(_angles(first), _angles(second), bootstrap),
    )


def mcnemar_p_value(num_only_first: int, num_only_second: int) -> float:
    """Two-sided p value of McNemar's exact test; 1 if no query tells the methods apart."""
    from scipy.stats import binomtest  # loads for 0.25 s

    num = num_only_first + num_only_second
    return float(binomtest(num_only_first, num, 0.5).pvalue) if num else 1.0


def _paired_rows(
    first: Evaluation, second: Evaluation, bootstrap: BootstrapConfig | None
) -> dict[str, PairedScores]:
    if list(first.rows) != list(second.rows):
        raise HlocLiteError("results can be compared on the same conditions only")
    return {
        condition: paired_scores(first.rows[condition], second.rows[condition], bootstrap)
        for condition in first.rows
    }


def _paired_recall(
    first: Scores, second: Scores, threshold: Threshold, bootstrap: BootstrapConfig
) -> PairedRecall:
    by_first, by_second = _solved(first, threshold), _solved(second, threshold)
    num_only_first = int((by_first & ~by_second).sum())
    num_only_second = int((by_second & ~by_first).sum())
    flips = [
        Flip(first.errors[i], second.errors[i], _excess(first, second, int(i), threshold))
        for i in np.flatnonzero(by_first != by_second)
    ]
    return PairedRecall(
        threshold,
        int((by_first & by_second).sum()),
        num_only_first,
        num_only_second,
        int((~by_first & ~by_second).sum()),
        _recall_difference(num_only_first, num_only_second, len(by_first), bootstrap),
        mcnemar_p_value(num_only_first, num_only_second),
        tuple(sorted(flips, key=lambda flip: (-abs(flip.excess), flip.name))),
    )


def _recall_difference(
    num_only_first: int, num_only_second: int, num_queries: int, bootstrap: BootstrapConfig
) -> Interval:
    """Difference of recalls with its percentile bootstrap interval.

    Resampling the queries is drawing the numbers of those that only one method solves, from a
    multinomial distribution. If all queries are of one kind it has no spread, however few they are;
    then the share of the other kinds has the exact bound of Clopper and Pearson 1934.
    """
    value = (num_only_second - num_only_first) / num_queries
    rest = num_queries - num_only_first - num_only_second
    shares = np.array([num_only_first, num_only_second, rest]) / num_queries
    if shares.max() == 1:
        from scipy.stats import binomtest

        others = float(binomtest(0, num_queries).proportion_ci(bootstrap.confidence).high)
        reach = others * (1 + abs(value))
        return Interval(value, max(-1.0, value - reach), min(1.0, value + reach))
    generator = np.random.default_rng(bootstrap.seed)
    drawn = generator.multinomial(num_queries, shares, bootstrap.num_resamples)
    differences = (drawn[:, 1] - drawn[:, 0]) / num_queries
    return _interval(value, differences, bootstrap)


def _paired_median(first: Float64, second: Float64, bootstrap: BootstrapConfig) -> PairedMedian:
    medians = float(np.median(first)), float(np.median(second))
    value = medians[1] - medians[0]
    if math.isnan(value):
        return PairedMedian(*medians, Interval(math.nan, math.nan, math.nan))
    resampled = resampled_medians(np.stack([first, second]), bootstrap)
    # where both are infinite neither is better
    is_known = np.isfinite(resampled[0]) | np.isfinite(resampled[1])
    differences = np.zeros(len(is_known))
    differences[is_known] = resampled[1, is_known] - resampled[0, is_known]
    return PairedMedian(*medians, _interval(value, differences, bootstrap))


def _interval(value: float, resampled: Float64, bootstrap: BootstrapConfig) -> Interval:
    tail = (1 - bootstrap.confidence) / 2
    low, high = np.quantile(resampled, [tail, 1 - tail], method="inverted_cdf")
    return Interval(value, float(min(low, value)), float(max(high, value)))


def _excess(first: Scores, second: Scores, index: int, threshold: Threshold) -> float:
    return _multiple(first.errors[index], threshold) - _multiple(second.errors[index], threshold)


def _multiple(error: QueryError, threshold: Threshold) -> float:
    return max(error.distance / threshold.max_distance, error.angle_deg / threshold.max_angle_deg)


def _solved(scores: Scores, threshold: Threshold) -> Bool:
    return np.array([error.within(threshold) for error in scores.errors], bool)


def _distances(scores: Scores) -> Float64:
    return np.array([error.distance for error in scores.errors])


def _angles(scores: Scores) -> Float64:
    return np.array([error.angle_deg for error in scores.errors])
