"""Distributions of minimal samples."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import chisquare

from hloc_lite.config import PoseConfig
from hloc_lite.pose.sampling import (
    MixedSampler,
    ProsacSampler,
    draw_prosac,
    draw_uniform,
    draw_weighted,
    prosac_growth,
)

COUNT = 60_000


def sets_of(samples: np.ndarray) -> np.ndarray:
    assert (np.diff(np.sort(samples, axis=1), axis=1) > 0).all()  # no index twice
    return np.sort(samples, axis=1)


def test_uniform_samples_are_uniform_over_sets() -> None:
    rng = np.random.default_rng(0)
    assert (sets_of(draw_uniform(rng, 100, 3)) == [0, 1, 2]).all()
    _, counts = np.unique(sets_of(draw_uniform(rng, COUNT, 5)), axis=0, return_counts=True)
    assert len(counts) == 10
    assert chisquare(counts).pvalue > 1e-3


def test_weighted_samples_follow_successive_draws_without_replacement() -> None:
    rng = np.random.default_rng(1)
    weights = np.array([0.5, 0.25, 0.15, 0.1])
    samples = draw_weighted(rng, COUNT, np.cumsum(weights))
    sets_of(samples)
    expected, observed = [], []
    for a in range(4):
        for b in set(range(4)) - {a}:
            for c in set(range(4)) - {a, b}:
                share = weights[a] * weights[b] / (1 - weights[a])
                expected.append(share * weights[c] / (1 - weights[a] - weights[b]))
                observed.append((samples == [a, b, c]).all(axis=1).sum())
    assert chisquare(observed, COUNT * np.array(expected) / sum(expected)).pvalue > 1e-3


def test_zero_weights_are_never_drawn() -> None:
    rng = np.random.default_rng(2)
    weights = np.array([0.0, 1, 1, 1, 0])
    assert set(draw_weighted(rng, 1000, np.cumsum(weights)).ravel()) == {1, 2, 3}


def test_prosac_starts_with_the_highest_weights_and_ends_uniform() -> None:
    growth = prosac_growth(100, 5000)
    rng = np.random.default_rng(3)
    samples = draw_prosac(rng, 1, 6000, growth)
    sets_of(samples)
    assert set(samples[0]) == {0, 1, 2}
    assert (np.diff(growth) >= 1).all()
    for trial in (10, 100, 1000):  # ranks of a trial stay within its subset
        size = np.searchsorted(growth, trial) + 3
        assert samples[:trial].max() < size
    late = draw_prosac(rng, int(growth[-1]) + 1, COUNT, growth)
    assert chisquare(np.bincount(late.ravel(), minlength=100)).pvalue > 1e-3


@pytest.mark.parametrize("kind", [MixedSampler, ProsacSampler])
@pytest.mark.parametrize("weighted", [False, True])
def test_log_miss_is_the_observed_miss_rate(
    kind: type[MixedSampler] | type[ProsacSampler], weighted: bool
) -> None:
    """Share of runs without an all-inlier sample, against the predicted probability."""
    inliers = np.arange(60) % 4 == 0
    weights = np.where(inliers, 1.5, 1.0) if weighted else np.ones(60)
    missed, predicted = [], []
    for seed in range(400):
        sampler = kind(weights, PoseConfig(early_trials=20), np.random.default_rng(seed))
        found = False
        for _ in range(5):
            found |= bool(inliers[sampler.draw(8)].all(axis=1).any())
        missed.append(not found)
        predicted.append(np.exp(sampler.log_miss(inliers)))
    if kind is ProsacSampler and weighted:
        assert max(predicted) < 1e-6  # the first subsets hold inliers only
        assert not any(missed)
    else:
        assert np.mean(missed) == pytest.approx(np.mean(predicted), abs=0.08)
