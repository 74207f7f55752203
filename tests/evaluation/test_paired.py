"""Paired comparison: counts, exact test, intervals and flips with known answers."""

from __future__ import annotations

import math
from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hloc_lite.errors import HlocLiteError
from hloc_lite.evaluation.evaluate import Evaluation, evaluate
from hloc_lite.evaluation.metrics import BootstrapConfig, score
from hloc_lite.evaluation.paired import PairedScores, compare_all, mcnemar_p_value, paired_scores
from hloc_lite.evaluation.paired_tables import (
    comparisons_to_json,
    flip_lines,
    median_table,
    solved_table,
)
from hloc_lite.evaluation.thresholds import DistanceUnit, Threshold
from hloc_lite.types import Rigid3

from .scenes import moved, random_poses

LIMIT = Threshold(0.25, 2)
FAST = BootstrapConfig(num_resamples=500)
TRUE = random_poses([f"q{i}" for i in range(8)])
#                 both  both  first second second none  first second
FIRST = [0.1, 0.2, 0.1, 0.5, None, 9.0, 0.0, 0.1]
SECOND = [0.1, 0.1, 0.4, 0.2, 0.1, None, None, 0.2]
TURNS = [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 20.0]
"""Angles of the first, degrees."""


def poses(distances: list[float | None], turns: list[float]) -> dict[str, Rigid3]:
    return {
        name: moved(TRUE[name], distance, turn)
        for name, distance, turn in zip(TRUE, distances, turns, strict=True)
        if distance is not None
    }


def compared(bootstrap: BootstrapConfig = FAST) -> PairedScores:
    first = score(poses(FIRST, TURNS), TRUE, [LIMIT], FAST)
    second = score(poses(SECOND, [1.0] * 8), TRUE, [LIMIT], FAST)
    return paired_scores(first, second, bootstrap)


def test_counts_and_flips() -> None:
    (recall,) = compared().recalls
    counts = (recall.num_both, recall.num_only_first, recall.num_only_second, recall.num_neither)
    assert counts == (2, 2, 3, 1)
    assert recall.num_queries == 8
    assert recall.difference.value == pytest.approx(1 / 8)
    # without a pose: infinite; q7: 20 deg is 10 times 2 deg, 0.2 is 0.8 times 0.25; q3: 2 - 0.8;
    # q2: 0.5 - 1.6 (both in position)
    assert [flip.name for flip in recall.flips] == ["q4", "q6", "q7", "q3", "q2"]
    assert [flip.excess for flip in recall.flips] == [
        math.inf, -math.inf, pytest.approx(9.2), pytest.approx(1.2), pytest.approx(-1.1)
    ]  # fmt: skip
    assert recall.flips[1].second.localized is False
    # 2 of 5, exact: P(X <= 2) = (1 + 5 + 10) / 32, twice
    assert recall.p_value == pytest.approx(1)


def test_p_values_by_hand() -> None:
    # McNemar's exact test of 1 against 9: 2 (1 + 10) / 1024
    assert mcnemar_p_value(1, 9) == pytest.approx(22 / 1024)
    assert mcnemar_p_value(0, 6) == pytest.approx(2 / 64)
    assert mcnemar_p_value(0, 0) == 1
    assert mcnemar_p_value(5, 5) == 1


@given(st.integers(0, 60), st.integers(0, 60))
def test_p_values_are_sums_of_binomials(first: int, second: int) -> None:
    num = first + second
    tail = sum(comb(num, k) for k in range(min(first, second) + 1)) / 2**num
    assert mcnemar_p_value(first, second) == pytest.approx(min(1.0, 2 * tail))
    assert mcnemar_p_value(second, first) == pytest.approx(mcnemar_p_value(first, second))


def test_intervals_are_those_of_resampled_pairs() -> None:
    generator = np.random.default_rng(5)
    true = random_poses([f"q{i}" for i in range(60)])
    easy = generator.uniform(0, 1, 60) < 0.5  # both methods solve the same queries, nearly
    distances = np.where(easy, 0.1, 0.4), np.where(easy, 0.1, 0.4)
    distances[1][::10] = 0.1
    scores = [
        score({n: moved(p, d, 0) for (n, p), d in zip(true.items(), each, strict=True)}, true,
              [LIMIT], FAST)
        for each in distances
    ]  # fmt: skip
    solved = np.array([[error.within(LIMIT) for error in each.errors] for each in scores])
    paired = paired_scores(*scores, BootstrapConfig(num_resamples=20000)).recalls[0].difference
    idxs = generator.integers(0, 60, (20000, 60))
    resampled = solved[1][idxs].mean(axis=1) - solved[0][idxs].mean(axis=1)
    low, high = np.quantile(resampled, [0.025, 0.975])
    assert (paired.low, paired.high) == pytest.approx((low, high), abs=1 / 60 + 1e-9)
    # what pairing is for: two independent recalls near 0.5 would be uncertain by 0.18
    assert paired.high - paired.low < 0.2
    assert paired.value == pytest.approx(solved[1].mean() - solved[0].mean())
    assert paired.low > 0


def test_median_differences() -> None:
    found = compared(BootstrapConfig(num_resamples=2000))
    # 0 .1 .1 .1 .2 .5 9 inf and .1 .1 .1 .2 .2 .4 inf inf
    assert (found.distance.first, found.distance.second) == pytest.approx((0.15, 0.2))
    assert found.distance.difference.value == pytest.approx(0.05)
    assert found.distance.difference.low <= 0.05 <= found.distance.difference.high
    assert found.angle_deg.difference.value == pytest.approx(0, abs=1e-9)


def test_medians_without_poses() -> None:
    perfect, none = score(TRUE, TRUE, [LIMIT], FAST), score({}, TRUE, [LIMIT], FAST)
    lost = paired_scores(perfect, none, FAST)
    assert lost.distance.difference.value == lost.distance.difference.low == math.inf
    assert lost.recalls[0].difference.value == -1
    # 8 of 8: the exact bound of Clopper and Pearson, 1 - 0.025^(1/8) = 0.3694, for both methods
    assert lost.recalls[0].difference.low == -1
    assert lost.recalls[0].difference.high == pytest.approx(-1 + 2 * 0.36942, abs=1e-4)
    nothing = paired_scores(none, none, FAST)
    assert math.isnan(nothing.distance.difference.value)
    assert nothing.recalls[0].difference.high == pytest.approx(0.36942, abs=1e-4)
    assert nothing.recalls[0].difference.low == -nothing.recalls[0].difference.high
    assert nothing.recalls[0].p_value == 1


def test_swapping_the_methods_swaps_the_signs() -> None:
    first = score(poses(FIRST, TURNS), TRUE, [LIMIT], FAST)
    second = score(poses(SECOND, [1.0] * 8), TRUE, [LIMIT], FAST)
    forward, backward = paired_scores(first, second, FAST), paired_scores(second, first, FAST)
    assert backward.distance.difference.value == -forward.distance.difference.value
    assert backward.recalls[0].difference.value == -forward.recalls[0].difference.value
    assert backward.recalls[0].num_only_first == forward.recalls[0].num_only_second
    assert backward.recalls[0].p_value == forward.recalls[0].p_value


def test_results_of_the_seed_only() -> None:
    assert compared() == compared()
    assert compared() != compared(BootstrapConfig(num_resamples=500, seed=3))


def test_chance_is_found_rarely_where_methods_are_equal() -> None:
    generator = np.random.default_rng(0)
    # of 40 queries that only one solves, each by chance: exact, so at most 5 % below 0.05
    drawn = generator.binomial(40, 0.5, 2000)
    found = np.mean([mcnemar_p_value(int(n), 40 - int(n)) < 0.05 for n in drawn])
    assert 0.02 < found < 0.055


def evaluations() -> dict[str, Evaluation]:
    conditions = {"day": {n: TRUE[n] for n in list(TRUE)[:5]}, "night": {n: TRUE[n] for n in
                  list(TRUE)[5:]}}  # fmt: skip
    methods = {"a_1": poses(FIRST, TURNS), "b": poses(SECOND, [1.0] * 8), "c": {}}
    return {m: evaluate(p, conditions, [LIMIT], bootstrap=FAST) for m, p in methods.items()}


def test_every_pair_of_methods_by_condition() -> None:
    comparisons = compare_all(evaluations(), FAST)
    assert [(each.first, each.second) for each in comparisons] == [
        ("a_1", "b"), ("a_1", "c"), ("b", "c")
    ]  # fmt: skip
    rows = comparisons[0].rows
    assert list(rows) == ["day", "night", "all"]
    assert [rows[c].recalls[0].num_only_second for c in rows] == [2, 1, 3]
    assert [rows[c].recalls[0].num_only_first for c in rows] == [1, 1, 2]


def test_tables_of_a_comparison() -> None:
    comparison = compare_all(evaluations(), FAST)[0]
    table = solved_table(comparison)
    assert table.header[:7] == ("", "within", "queries", "both", "only a_1", "only b", "none")
    assert table.rows[0][:7] == ("day", "0.25,2deg", "5", "2", "1", "2", "0")
    assert table.rows[2][:7] == ("all", "0.25,2deg", "8", "2", "2", "3", "1")
    assert table.rows[2][7].startswith("+12.5 [") and table.rows[2][8] == "1"
    medians = median_table(comparison, DistanceUnit("cm", 0.01))
    assert medians.rows[4][:5] == ("all", "position", "cm", "15", "20")
    assert medians.rows[4][5].startswith("+5 [")
    lines = flip_lines(comparison, DistanceUnit(), 2)
    assert lines[:2] == [
        "0.25,2deg: 2 of 5 queries that only one solves",
        "  q4: a_1 no pose, b 0.1 m and 1 deg",
    ]
    assert lines[2].startswith("  q6: a_1 ") and lines[2].endswith(" and 1 deg, b no pose")
    assert len(lines) == 3
    assert flip_lines(comparison, DistanceUnit(), 0) == []


def test_json_has_no_infinities() -> None:
    found = comparisons_to_json(compare_all(evaluations(), FAST), DistanceUnit())
    text = repr(found)
    assert "inf" not in text and "nan" not in text
    overall = found["comparisons"][0]["conditions"]["all"]
    assert overall["recalls"][0]["num_only_second"] == 3
    assert overall["recalls"][0]["flips"]["q4"]["first"] == {"distance": None, "angle_deg": None}
    assert overall["median_distance"]["first"] == pytest.approx(0.15)


def test_other_queries_or_thresholds_are_refused() -> None:
    first = score(TRUE, TRUE, [LIMIT], FAST)
    fewer = score(TRUE, {"q0": TRUE["q0"]}, [LIMIT], FAST)
    with pytest.raises(HlocLiteError, match="same queries"):
        paired_scores(first, fewer)
    with pytest.raises(HlocLiteError, match="same thresholds"):
        paired_scores(first, score(TRUE, TRUE, [Threshold(1, 1)], FAST))
    with pytest.raises(HlocLiteError, match="at least two results, got 1"):
        compare_all({"a": evaluations()["b"]})
