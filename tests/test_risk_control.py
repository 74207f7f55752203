"""Risk control: promises hold at the stated rate on simulated calibration sets."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from hloc_lite.errors import ShapeError
from hloc_lite.risk_control import (
    THRESHOLDS,
    KnownAnswers,
    answers_needed,
    contradicts,
    lowest_empirical_threshold,
    lowest_safe_threshold,
    overdispersion,
    wrong_share_p_value,
)

SHARE = 0.5
"""Assumed share of unmapped photos; without such photos it has no effect."""


def known(confidences: np.ndarray, is_wrong: np.ndarray, scenes: object = 0) -> KnownAnswers:
    count = len(confidences)
    nothing = np.zeros(count, bool)
    numbers = np.broadcast_to(scenes, count)
    return KnownAnswers(confidences, is_wrong, nothing, numbers, count, 0)


def simulated(rng: np.random.Generator, count: int, gain: float) -> KnownAnswers:
    """Answers whose odds of being wrong are ``gain`` times those that the confidence states."""
    confidences = rng.beta(3.0, 0.4, count)
    return known(confidences, rng.random(count) < wrong_probability(confidences, gain))


def wrong_probability(confidences: np.ndarray, gain: float) -> np.ndarray:
    return np.clip(gain * (1 - confidences), 0, 1)


def true_shares(gain: float) -> dict[float, float]:
    """Threshold -> true share of wrong answers above it."""
    sample = np.random.default_rng(99).beta(3.0, 0.4, 400_000)
    wrong = wrong_probability(sample, gain)
    return {float(t): float(wrong[sample >= t].mean()) for t in THRESHOLDS}


@pytest.mark.parametrize("max_wrong", [0.02, 0.05, 0.1])
@pytest.mark.parametrize("gain", [0.5, 1.5])
def test_the_promise_is_broken_at_most_as_often_as_stated(max_wrong: float, gain: float) -> None:
    """300 calibration sets of 800 answers; 3 standard deviations for chance."""
    delta, count = 0.1, 300
    rng, shares = np.random.default_rng(5), true_shares(gain)
    found = [
        lowest_safe_threshold(simulated(rng, 800, gain), max_wrong, delta, SHARE)
        for _ in range(count)
    ]
    broken = sum(shares[t] > max_wrong for t in found if t is not None)
    assert broken <= count * delta + 3 * np.sqrt(count * delta * (1 - delta))
    assert sum(t is not None for t in found) > count / 2  # it is not kept by giving nothing


def test_scenes_that_differ_ask_for_more_than_one_that_does_not() -> None:
    """Promises for a new scene hold although answers of one scene err together."""
    rng, delta, max_wrong = np.random.default_rng(8), 0.1, 0.05
    shares = {gain: true_shares(gain) for gain in (0.1, 1.4)}
    broken, count = 0, 300
    for _ in range(count):
        gains = rng.choice([0.1, 1.4], size=12)
        parts = [simulated(rng, 200, gain) for gain in gains]
        answers = known(
            np.concatenate([part.confidences for part in parts]),
            np.concatenate([part.is_wrong for part in parts]),
            np.repeat(np.arange(12), 200),
        )
        threshold = lowest_safe_threshold(answers, max_wrong, delta, SHARE)
        mean = np.mean([shares[gain][threshold] for gain in shares]) if threshold else 0.0
        broken += mean > max_wrong
    assert broken <= count * delta + 3 * np.sqrt(count * delta * (1 - delta))


@given(
    st.integers(0, 400).flatmap(lambda m: st.tuples(st.integers(0, m), st.just(m))),
    st.floats(0.001, 0.5),
)
def test_the_p_value_is_that_of_the_binomial_distribution(
    counts: tuple[int, int], max_wrong: float
) -> None:
    wrong, num_given = counts
    expected = binom.cdf(wrong, num_given, max_wrong)
    assert wrong_share_p_value(wrong, num_given, max_wrong) == pytest.approx(expected, abs=1e-9)


@given(st.floats(0.002, 0.4), st.floats(0.01, 0.4))
def test_needed_answers_suffice_if_all_are_right_and_one_fewer_does_not(
    max_wrong: float, delta: float
) -> None:
    needed = answers_needed(max_wrong, delta)
    assert wrong_share_p_value(0, needed, max_wrong) <= delta * (1 + 1e-9)
    assert wrong_share_p_value(0, needed - 1, max_wrong) > delta * (1 - 1e-9)


def test_needed_answers_of_the_usual_promises() -> None:
    assert answers_needed(0.01, 0.1) == 230  # ln(0.1) / ln(0.99) = 229.1
    assert answers_needed(0.05, 0.1) == 45


@settings(max_examples=60)
@given(st.integers(0, 2**32 - 1), st.integers(1, 800), st.sampled_from([0.01, 0.05, 0.1]))
def test_more_wrong_answers_never_lower_the_threshold(
    seed: int, count: int, max_wrong: float
) -> None:
    rng = np.random.default_rng(seed)
    answers = simulated(rng, count, 0.6)
    more = known(answers.confidences, answers.is_wrong | (rng.random(count) < 0.1))
    before = lowest_safe_threshold(answers, max_wrong, 0.1, SHARE)
    after = lowest_safe_threshold(more, max_wrong, 0.1, SHARE)
    assert after is None or (before is not None and before <= after)


@settings(max_examples=60)
@given(st.integers(0, 2**32 - 1), st.integers(1, 800), st.sampled_from([0.01, 0.05, 0.1]))
def test_the_known_answers_keep_the_promise_themselves(
    seed: int, count: int, max_wrong: float
) -> None:
    answers = simulated(np.random.default_rng(seed), count, 1.0)
    threshold = lowest_safe_threshold(answers, max_wrong, 0.1, SHARE)
    if threshold is None:
        return
    is_given = answers.confidences >= threshold
    assert answers.is_wrong[is_given].mean() <= max_wrong
    assert is_given.sum() >= answers_needed(max_wrong, 0.1)
    stricter = lowest_safe_threshold(answers, max_wrong, 0.01, SHARE)
    assert stricter is None or stricter >= threshold


def test_answers_of_little_confidence_may_be_left_out() -> None:
    """Files of known answers keep those from 0.5 on; all photos are counted."""
    rng = np.random.default_rng(0)
    confidences = np.concatenate([rng.uniform(0.9, 1, 300), rng.uniform(0, 0.4, 500)])
    is_wrong = np.concatenate([rng.random(300) < 0.005, np.ones(500, bool)])
    is_wrong[np.argmax(confidences)] = True
    found = []
    for kept in (np.full(800, True), confidences >= 0.5):
        count = int(kept.sum())
        nothing, scene = np.zeros(count, bool), np.zeros(count, int)
        answers = KnownAnswers(confidences[kept], is_wrong[kept], nothing, scene, 800, 0)
        found.append(lowest_safe_threshold(answers, 0.05, 0.1, 0.1))
    assert found[0] is not None and found[0] == found[1]


def test_too_few_answers_show_nothing() -> None:
    certain = known(np.ones(40), np.zeros(40, bool))
    assert lowest_safe_threshold(certain, 0.01, 0.1, SHARE) is None
    assert lowest_safe_threshold(certain, 0.06, 0.1, SHARE) == THRESHOLDS[0]


def test_the_empirical_threshold_is_the_lowest_with_few_enough_wrong_answers() -> None:
    answers = known(np.array([0.6] * 50 + [0.8] * 50), np.arange(100) < 10)
    assert lowest_empirical_threshold(answers, 0.1, SHARE, 0.5) == 0.5
    assert lowest_empirical_threshold(answers, 0.05, SHARE, 0.5) == 0.61
    worst = known(np.ones(4), np.ones(4, bool))
    assert lowest_empirical_threshold(worst, 0.05, SHARE, 0.5) > 1


def test_unmapped_photos_weigh_as_much_as_assumed() -> None:
    """Half of the photos are unmapped; a tenth is assumed."""
    is_unmapped = np.repeat([False, True], 100)
    answers = KnownAnswers(np.ones(200), is_unmapped, is_unmapped, np.zeros(200, int), 100, 100)
    weights = answers.weights(0.1)
    assert weights[is_unmapped].sum() / weights.sum() == pytest.approx(0.1)
    assert answers.weights(0.9)[is_unmapped].max() == 1  # more than there are: as they are


def test_overdispersion_is_one_for_binomial_scenes_and_larger_where_scenes_differ() -> None:
    rng = np.random.default_rng(2)
    numbers = np.full(200, 50.0)
    assert overdispersion(rng.binomial(50, 0.1, 200).astype(float), numbers) == pytest.approx(
        1, abs=0.25
    )
    apart = rng.binomial(50, np.repeat([0.02, 0.18], 100)).astype(float)
    assert overdispersion(apart, numbers) > 2
    assert overdispersion(np.zeros(3), np.ones(3)) == 1


def test_answers_contradict_a_promise_that_they_break_clearly() -> None:
    answers = known(np.full(40, 0.9), np.arange(40) < 6)
    assert contradicts(answers, 0.8, 0.01, 0.1, SHARE)
    assert not contradicts(answers, 0.8, 0.15, 0.1, SHARE)
    assert not contradicts(answers, 0.95, 0.01, 0.1, SHARE)  # none is given there


def test_confidences_beyond_one_are_refused() -> None:
    with pytest.raises(ShapeError, match="from 0 to 1"):
        known(np.array([1.5]), np.zeros(1, bool))
