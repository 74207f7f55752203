"""Errors of all queries at once: equal to those of single poses; strict thresholds."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hloc_lite.evaluation.confidence_scores import given_but_wrong
from hloc_lite.evaluation.evaluate import evaluate
from hloc_lite.evaluation.metrics import BootstrapConfig, median_interval, resampled_medians, score
from hloc_lite.evaluation.query_error import query_errors
from hloc_lite.evaluation.thresholds import Threshold, parse_thresholds, strict_thresholds
from hloc_lite.geometry.rotations import exp_so3, pose_errors
from hloc_lite.types import Rigid3

from .scenes import moved, random_poses

FAST = BootstrapConfig(num_resamples=100)


def test_errors_equal_those_of_single_poses() -> None:
    generator = np.random.default_rng(1)
    true = random_poses([f"q{i}" for i in range(500)])
    estimated = {
        name: Rigid3(
            exp_so3(generator.normal(0, 10.0 ** -(i % 9), 3)) @ pose.rotation,
            pose.translation + generator.normal(0, 10.0 ** -(i % 7), 3),
        )
        for i, (name, pose) in enumerate(true.items())
    }
    estimated["q0"] = true["q0"]
    for error in query_errors(estimated, true):
        # not approximately: scores of earlier versions stay the same
        assert (error.distance, error.angle_deg) == pose_errors(
            estimated[error.name], true[error.name]
        )


def test_missing_and_damaged_poses_are_infinite_and_keep_the_order() -> None:
    true = random_poses(["a", "b", "c", "d", "e"])
    huge = Rigid3(np.eye(3), np.array([1e300, -1e300, 1e300]))
    nan = Rigid3(np.eye(3), np.full(3, np.nan))
    turned = Rigid3(np.full((3, 3), np.nan), np.zeros(3))
    estimated = {"e": true["e"], "d": huge, "c": nan, "b": turned, "unknown": huge}
    errors = query_errors(estimated, true)
    assert [error.name for error in errors] == ["a", "b", "c", "d", "e"]
    assert [error.localized for error in errors] == [False, False, False, False, True]
    assert all(math.isinf(error.angle_deg) for error in errors[:4])
    assert query_errors({}, {}) == ()


def test_strict_thresholds_leave_out_errors_equal_to_them() -> None:
    true = {"a": Rigid3.identity()}
    estimated = {"a": Rigid3(np.eye(3), np.array([0.25, 0, 0]))}
    at_most = Threshold(0.25, 2)
    (below,) = strict_thresholds([at_most])
    assert [score(estimated, true, [t], FAST).recalls[0].value for t in (at_most, below)] == [1, 0]
    assert below.label == at_most.label and below != at_most
    for strict in (False, True):
        found = evaluate(estimated, {"all": true}, [at_most], bootstrap=FAST, strict=strict)
        assert found.overall.recalls[0].value == (not strict)
        assert found.correct.strict == strict
        assert found.given_but_wrong.num_wrong == strict
    assert given_but_wrong([], below).definition == "wrong: at or beyond 0.25 or 2deg"


def test_angle_equal_to_a_strict_threshold_is_not_below() -> None:
    true = random_poses(["a"])
    estimated = {"a": moved(true["a"], 0.0, 1.0)}
    (error,) = query_errors(estimated, true)
    (below,) = strict_thresholds([Threshold(1, error.angle_deg)])
    assert not error.within(below)
    assert error.within(Threshold(1, error.angle_deg))


@given(
    st.lists(st.one_of(st.floats(0, 1e6), st.just(math.inf)), min_size=1, max_size=40),
    st.integers(0, 5),
)
def test_medians_of_resamples_are_those_of_numpy(values: list[float], seed: int) -> None:
    bootstrap = BootstrapConfig(num_resamples=100, seed=seed)
    columns = np.array([values, values[::-1]])
    generator = np.random.default_rng(seed)
    drawn = [generator.integers(0, len(values), len(values)) for _ in range(100)]
    expected = [[np.median(row[idxs]) for idxs in drawn] for row in columns]
    np.testing.assert_array_equal(resampled_medians(columns, bootstrap), expected)
    assert median_interval(columns[0], bootstrap).value == np.median(values)


def test_strictness_is_kept_apart_from_the_numbers() -> None:
    lax = parse_thresholds(["aachen"])
    assert not any(threshold.strict for threshold in lax)
    assert [t.max_distance for t in strict_thresholds(lax)] == pytest.approx([0.25, 0.5, 5])
