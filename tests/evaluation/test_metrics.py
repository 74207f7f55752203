"""Pose errors, recalls and medians with known answers, and properties of their intervals."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hloc_lite.errors import HlocLiteError
from hloc_lite.evaluation.metrics import (
    BootstrapConfig,
    median_interval,
    merge_conditions,
    recall_interval,
    score,
    score_conditions,
)
from hloc_lite.evaluation.thresholds import Threshold, parse_thresholds
from hloc_lite.types import Rigid3

from .scenes import moved, random_poses

AACHEN = parse_thresholds(["aachen"])
NAMES = [f"q{i}" for i in range(10)]
FAST = BootstrapConfig(num_resamples=300)


def test_errors_of_a_moved_and_turned_camera() -> None:
    true = random_poses(NAMES)
    scores = score({name: moved(pose, 0.3, 1.0) for name, pose in true.items()}, true, AACHEN)
    for error in scores.errors:
        assert error.distance == pytest.approx(0.3, abs=1e-12)
        assert error.angle_deg == pytest.approx(1.0, abs=1e-10)
    assert [recall.value for recall in scores.recalls] == [0, 1, 1]
    assert scores.median_distance.value == pytest.approx(0.3)
    assert scores.median_angle_deg.value == pytest.approx(1.0)


def test_recall_needs_both_errors_and_counts_missing_queries() -> None:
    true = random_poses(NAMES)
    distances = [0.1, 0.1, 0.3, 0.4, 2.0, 0.1, 9.0]
    angles = [1.0, 3.0, 1.0, 4.0, 1.0, 50.0, 1.0]  # three more queries have no pose
    estimated = {
        name: moved(true[name], d, a) for name, d, a in zip(NAMES, distances, angles, strict=False)
    }
    scores = score(estimated, true, AACHEN, FAST)
    assert [recall.value for recall in scores.recalls] == [0.1, 0.4, 0.5]
    assert [scores.num_within(t) for t in AACHEN] == [1, 4, 5]
    assert (scores.num_queries, scores.num_localized) == (10, 7)
    assert scores.failed_names == ("q7", "q8", "q9")
    # in order: 0.1 0.1 0.1 0.3 0.4 2 9 inf inf inf
    assert scores.median_distance.value == pytest.approx((0.4 + 2.0) / 2)


def test_thresholds_are_inclusive() -> None:
    true = {"a": Rigid3.identity()}
    estimated = {"a": Rigid3(np.eye(3), np.array([0.25, 0, 0]))}
    assert score(estimated, true, [Threshold(0.25, 2)]).recalls[0].value == 1
    assert score(estimated, true, [Threshold(0.2499, 2)]).recalls[0].value == 0


def test_median_is_infinite_if_nothing_is_localized() -> None:
    scores = score({}, random_poses(NAMES), AACHEN, FAST)
    assert [recall.value for recall in scores.recalls] == [0, 0, 0]
    assert math.isinf(scores.median_distance.value)
    assert math.isinf(scores.median_distance.low)


@pytest.mark.parametrize(("turn", "shift"), [(0.0, np.nan), (np.nan, 0.0), (np.inf, np.nan)])
def test_nan_pose_is_a_failure(turn: float, shift: float) -> None:
    true = {"a": Rigid3.identity()}
    estimated = {"a": Rigid3(np.eye(3) + turn, np.full(3, shift))}
    scores = score(estimated, true, AACHEN, FAST)
    assert scores.num_localized == 0
    assert scores.recalls[-1].value == 0
    assert math.isinf(scores.median_distance.value)


def test_empty_ground_truth_is_refused() -> None:
    with pytest.raises(HlocLiteError, match="nothing to compare with"):
        score(random_poses(NAMES), {}, AACHEN)


def test_rows_are_conditions_then_all() -> None:
    true = random_poses(NAMES)
    day = {name: true[name] for name in NAMES[:4]}
    night = {name: true[name] for name in NAMES[4:]}
    rows = score_conditions(day, {"day": day, "night": night}, AACHEN, FAST)
    assert list(rows) == ["day", "night", "all"]
    assert [row.recalls[0].value for row in rows.values()] == [1, 0, 0.4]
    assert list(score_conditions(day, {"day": day}, AACHEN, FAST)) == ["day"]


def test_conditions_may_share_queries_with_equal_poses() -> None:
    true = random_poses(NAMES)
    assert len(merge_conditions({"a": true, "b": dict(list(true.items())[:3])})) == 10
    other = {"q0": moved(true["q0"], 1.0, 0.0)}
    with pytest.raises(HlocLiteError, match="'q0' has another true pose in 'b'"):
        merge_conditions({"a": true, "b": other})
    with pytest.raises(HlocLiteError, match='"all" is reserved'):
        score_conditions(true, {"all": true, "b": true}, AACHEN)


@given(st.integers(1, 300), st.floats(0, 1), st.integers(0, 5))
def test_recall_interval_contains_the_estimate(num: int, share: float, seed: int) -> None:
    within = round(share * num)
    interval = recall_interval(within, num, BootstrapConfig(num_resamples=200, seed=seed))
    assert 0 <= interval.low <= interval.value <= interval.high <= 1
    assert interval.value == within / num
    assert interval.high > interval.low  # never of zero width, even if all queries agree


def test_recall_intervals_shrink_with_the_square_root_of_the_queries() -> None:
    widths = []
    for num in (40, 160, 640):
        interval = recall_interval(num // 2, num, BootstrapConfig(num_resamples=20000))
        widths.append(interval.high - interval.low)
    # normal approximation: 2 * 1.96 * sqrt(0.25 / n)
    np.testing.assert_allclose(widths, [3.92 * 0.5 / np.sqrt(n) for n in (40, 160, 640)], rtol=0.1)


def test_intervals_of_all_hits_or_misses_are_exact() -> None:
    # Clopper and Pearson: 10 of 10 hits, two-sided 95 %: lower bound 0.025^(1/10) = 0.6915
    interval = recall_interval(10, 10, BootstrapConfig())
    assert (interval.value, interval.high) == (1, 1)
    assert interval.low == pytest.approx(0.6915, abs=5e-5)
    assert recall_interval(0, 10, BootstrapConfig()).high == pytest.approx(0.3085, abs=5e-5)


def test_intervals_depend_on_the_seed_only() -> None:
    values = np.random.default_rng(0).lognormal(0, 1, 50)
    first = median_interval(values, BootstrapConfig(seed=1))
    assert first == median_interval(values, BootstrapConfig(seed=1))
    assert first.low <= first.value <= first.high
    seeds = {recall_interval(400, 1000, BootstrapConfig(seed=s)).low for s in range(10)}
    assert len(seeds) > 1


def test_coverage_of_median_intervals() -> None:
    generator = np.random.default_rng(0)
    covered = 0
    for _ in range(200):
        interval = median_interval(generator.normal(5, 1, 60), BootstrapConfig(num_resamples=200))
        covered += interval.low <= 5 <= interval.high
    assert 0.90 <= covered / 200 <= 0.99


def test_median_interval_reaches_infinity_if_many_queries_fail() -> None:
    values = np.array([0.1] * 11 + [np.inf] * 10)
    interval = median_interval(values, FAST)
    assert (interval.value, interval.low, interval.high) == (0.1, 0.1, math.inf)


def test_median_interval_ignores_a_few_gross_errors() -> None:
    interval = median_interval(np.array([1.0] * 40 + [1000.0] * 8), FAST)
    assert (interval.low, interval.value, interval.high) == (1, 1, 1)
