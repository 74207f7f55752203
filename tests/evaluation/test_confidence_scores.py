"""Given but wrong, risk over coverage, map-free's AUC, and reliability."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hloc_lite.evaluation.confidence_plots import reliability_svg, risk_coverage_svg
from hloc_lite.evaluation.confidence_scores import (
    ScoredAnswers,
    given_but_wrong,
    reliability,
    risk_coverage,
    scored_answers,
)
from hloc_lite.evaluation.metrics import QueryError
from hloc_lite.evaluation.thresholds import DistanceUnit, correct_within, percent_of

ERRORS = (
    QueryError("a", 0.1, 0.5),
    QueryError("b", 0.1, 2.5),
    QueryError("c", 0.3, 0.5),
    QueryError("d", math.inf, math.inf),
)
RELAXED = settings(suppress_health_check=[HealthCheck.too_slow])
"""A busy machine is no fault of the test."""
ANSWERS = st.lists(
    st.tuples(st.sampled_from([0.5, 0.6, 0.75, 0.9, 1.0]), st.booleans()), min_size=1, max_size=40
)


def test_wrong_are_given_poses_beyond_either_bound() -> None:
    counted = given_but_wrong(ERRORS, correct_within())
    assert str(counted) == "given but wrong: 2 of 3"
    assert counted.definition == "wrong: beyond 0.25m or 2deg"


def test_without_metric_scale_wrong_is_relative() -> None:
    assert (
        str(given_but_wrong(ERRORS, correct_within(percent_of(10.0)))) == "given but wrong: 1 of 3"
    )
    assert (
        str(given_but_wrong(ERRORS, correct_within(percent_of(1.0)))) == "given but wrong: 3 of 3"
    )
    assert correct_within(percent_of(10.0), "1%,1deg").max_distance == pytest.approx(0.1)
    assert percent_of(10.0).reference_length == pytest.approx(10)
    assert DistanceUnit().reference_length is None


def test_answers_without_a_known_confidence_are_not_scored() -> None:
    answers = scored_answers(ERRORS, {"a": 0.9, "b": 0.8, "d": 0.7}, correct_within())
    assert answers.confidences.tolist() == [0.9, 0.8] and answers.is_right.tolist() == [True, False]
    assert answers.num_queries == 4


def test_curve_of_a_small_example() -> None:
    answers = ScoredAnswers(np.array([0.9, 0.8, 0.7]), np.array([True, False, True]), 4)
    curve = risk_coverage(answers)
    np.testing.assert_allclose(curve.coverage, [0.25, 0.5, 0.75])
    np.testing.assert_allclose(curve.risk, [0, 1 / 2, 1 / 3])
    assert curve.area == pytest.approx((0 + 1 / 2 + 1 / 3) / 3)
    assert curve.precision_area == pytest.approx(0.25 * (1 + 1 / 2 + 2 / 3))


def test_answers_of_equal_confidence_are_one_step() -> None:
    """As in map-free's score: the order among ties must not matter."""
    answers = ScoredAnswers(np.array([0.9, 0.9, 0.5]), np.array([False, True, True]), 3)
    curve = risk_coverage(answers)
    np.testing.assert_allclose(curve.coverage, [2 / 3, 1])
    assert curve.precision_area == pytest.approx(2 / 3 * 1 / 2 + 1 / 3 * 2 / 3)


@RELAXED
@given(ANSWERS, st.integers(0, 10))
def test_auc_of_precision_is_the_sum_over_thresholds(
    rows: list[tuple[float, bool]], num_failed: int
) -> None:
    """Each threshold adds its precision times the growth of the share of accepted photos."""
    total, area, accepted_before = len(rows) + num_failed, 0.0, 0
    for threshold in sorted({confidence for confidence, _ in rows}, reverse=True):
        accepted = [is_right for confidence, is_right in rows if confidence >= threshold]
        area += (len(accepted) - accepted_before) / total * sum(accepted) / len(accepted)
        accepted_before = len(accepted)
    confidences, is_right = (np.array(column) for column in zip(*rows, strict=True))
    curve = risk_coverage(ScoredAnswers(confidences, is_right, total))
    assert curve.precision_area == pytest.approx(area)
    assert 0 <= curve.precision_area <= curve.coverage[-1] + 1e-12
    assert curve.risk[-1] == pytest.approx(1 - is_right.mean())


@RELAXED
@given(ANSWERS)
def test_reliability_counts_every_answer_once(rows: list[tuple[float, bool]]) -> None:
    confidences, is_right = (np.array(column) for column in zip(*rows, strict=True))
    diagram = reliability(ScoredAnswers(confidences, is_right, len(rows)))
    assert diagram.counts.sum() == len(rows)
    assert 0 <= diagram.calibration_error <= 1


def test_calibration_error_of_a_small_example() -> None:
    answers = ScoredAnswers(np.array([0.95, 0.91, 0.55]), np.array([True, False, True]), 3)
    diagram = reliability(answers)
    assert diagram.counts[[5, 9]].tolist() == [1, 2]
    assert diagram.calibration_error == pytest.approx((2 * abs(0.93 - 0.5) + 0.45) / 3)
    assert ">2</text>" in (reliability_svg(diagram) or "")


def test_no_answers_give_no_curve() -> None:
    nothing = ScoredAnswers(np.zeros(0), np.zeros(0, bool), 3)
    assert math.isnan(risk_coverage(nothing).area)
    assert math.isnan(reliability(nothing).calibration_error)
    assert risk_coverage_svg(risk_coverage(nothing)) is None
    assert reliability_svg(reliability(nothing)) is None
