"""Minimal samples for RANSAC, in batches: by weight, uniform, or in PROSAC's order."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Protocol

import numpy as np

from hloc_lite.config import PoseConfig
from hloc_lite.types import Bool, Float64, Int64

SAMPLE_SIZE = 3
MAX_REDRAWS = 100
"""Redraws of samples with a repeated index; then they stay, and the solver rejects them."""


class Sampler(Protocol):
    """Draws minimal samples, and knows how likely all of them were contaminated by outliers."""

    def draw(self, count: int) -> Int64:
        """(count, 3) indices of correspondences."""

    def log_miss(self, inliers: Bool) -> float:
        """Log probability that no sample drawn so far consists of these inliers only.

        Args:
            inliers: (K,) mask.
        """


class MixedSampler:
    """Draws samples by weight without replacement, and some uniformly.

    Uniform samples keep misleading weights from blocking every good sample. Most early samples are
    drawn by weight, few late ones: weights that have not helped by then will not.

    Args:
        weights: (K,) >= 0, at least three positive; equal ones make all samples uniform.
    """

    def __init__(self, weights: Float64, config: PoseConfig, rng: np.random.Generator) -> None:
        self._rng, self._config = rng, config
        self._probability = weights / weights.sum()
        self._cumulative = np.cumsum(self._probability)
        self._weights_differ = bool(np.ptp(weights) > 0)
        self._num_weighted = self._num_uniform = 0

    def draw(self, count: int) -> Int64:
        """See ``Sampler.draw``."""
        num_weighted = round(count * self._weighted_share())
        self._num_weighted += num_weighted
        self._num_uniform += count - num_weighted
        uniform = draw_uniform(self._rng, count - num_weighted, len(self._cumulative))
        if num_weighted == 0:
            return uniform
        return np.concatenate([draw_weighted(self._rng, num_weighted, self._cumulative), uniform])

    def log_miss(self, inliers: Bool) -> float:
        """See ``Sampler.log_miss``; for samples drawn by weight, from the inliers' total weight."""
        inlier_share = np.count_nonzero(inliers) / len(inliers)
        missed_uniform = self._num_uniform * _log_complement(inlier_share**SAMPLE_SIZE)
        if self._num_weighted == 0:
            return missed_uniform
        mass = min(1.0, float(self._probability[inliers].sum()))
        return missed_uniform + self._num_weighted * _log_complement(mass**SAMPLE_SIZE)

    def _weighted_share(self) -> float:
        if not self._weights_differ:
            return 0.0
        early = self._num_weighted + self._num_uniform < self._config.early_trials
        return self._config.early_weighted_share if early else self._config.late_weighted_share


class ProsacSampler:
    """Draws from growing subsets of the highest weights (PROSAC, Chum and Matas 2005), then
    uniformly."""

    def __init__(self, weights: Float64, config: PoseConfig, rng: np.random.Generator) -> None:
        self._rng = rng
        self._order = np.argsort(-weights, kind="stable")
        self._growth = prosac_growth(len(weights), config.max_num_trials)
        self._num_drawn = 0

    def draw(self, count: int) -> Int64:
        """See ``Sampler.draw``."""
        ranks = draw_prosac(self._rng, self._num_drawn + 1, count, self._growth)
        self._num_drawn += count
        return self._order[ranks]

    def log_miss(self, inliers: Bool) -> float:
        """See ``Sampler.log_miss``: a sample holds the subset's newest item and two older ones."""
        ordered = inliers[self._order]
        num_inliers_before = np.cumsum(ordered)[SAMPLE_SIZE - 2 : -1]
        num_before = np.arange(SAMPLE_SIZE - 1, len(inliers))
        pair = num_inliers_before * (num_inliers_before - 1) / (num_before * (num_before - 1))
        hit = np.where(ordered[SAMPLE_SIZE - 1 :], pair, 0.0)
        last_trial = np.minimum(self._growth, self._num_drawn)
        num_trials = np.diff(last_trial, prepend=0)
        num_uniform = max(0, self._num_drawn - int(self._growth[-1]))
        missed = float(num_trials @ np.log1p(-np.minimum(hit, 1 - 1e-12)))
        return missed + num_uniform * _log_complement(float(inliers.mean()) ** SAMPLE_SIZE)


SAMPLERS: Mapping[str, type[MixedSampler] | type[ProsacSampler]] = {
    "mixed": MixedSampler,
    "prosac": ProsacSampler,
}
"""Samplers by their name in ``pose.sampling``."""


def draw_uniform(rng: np.random.Generator, count: int, population: int) -> Int64:
    """(count, 3) distinct indices below ``population``, all subsets equally likely."""
    first = rng.integers(0, population, count)
    second = rng.integers(0, population - 1, count)
    third = rng.integers(0, population - 2, count)
    # each later draw is a rank among the indices not yet drawn
    second += second >= first
    low, high = np.minimum(first, second), np.maximum(first, second)
    third += third >= low
    third += third >= high
    return np.stack([first, second, third], axis=1)


def draw_weighted(rng: np.random.Generator, count: int, cumulative: Float64) -> Int64:
    """(count, 3) distinct indices, each drawn from the remaining ones in proportion to its weight.

    Args:
        cumulative: (K,) cumulative sum of the weights, at least three of them positive.
    """
    draws = _invert_cumulative(cumulative, rng.random((count, SAMPLE_SIZE)))
    for _ in range(MAX_REDRAWS):
        # redrawing a repeated index is the same as drawing from the remaining ones
        repeated = np.zeros(draws.shape, bool)
        repeated[:, 1] = draws[:, 1] == draws[:, 0]
        repeated[:, 2] = (draws[:, 2] == draws[:, 0]) | (draws[:, 2] == draws[:, 1])
        if not repeated.any():
            break
        draws[repeated] = _invert_cumulative(cumulative, rng.random(int(repeated.sum())))
    return draws


def draw_prosac(rng: np.random.Generator, first_trial: int, count: int, growth: Int64) -> Int64:
    """(count, 3) distinct ranks, 0 the best, for trials from ``first_trial`` (1-based) on.

    Args:
        growth: see ``prosac_growth``.
    """
    trials = np.arange(first_trial, first_trial + count)
    population = len(growth) + SAMPLE_SIZE - 1
    sizes = np.searchsorted(growth, trials) + SAMPLE_SIZE
    is_growing = sizes <= population
    sizes = np.minimum(sizes, population)
    # the newest item of the subset and any two others
    first = rng.integers(0, sizes - 1)
    second = rng.integers(0, sizes - 2)
    second += second >= first
    draws = np.stack([first, second, sizes - 1], axis=1)
    draws[~is_growing] = draw_uniform(rng, int((~is_growing).sum()), population)
    return draws


def prosac_growth(population: int, num_trials: int) -> Int64:
    """(population - 2,) last trial of each subset size from 3 to ``population``.

    Args:
        num_trials: number of trials after which PROSAC becomes uniform sampling.
    """
    sizes = np.arange(SAMPLE_SIZE, population + 1, dtype=np.float64)
    # share of num_trials uniform samples that lie within each subset
    inside = np.ones_like(sizes)
    for i in range(SAMPLE_SIZE):
        inside *= (sizes - i) / (population - i)
    growth = 1 + np.concatenate([[0.0], np.cumsum(np.ceil(np.diff(inside * num_trials)))])
    return growth.astype(np.int64)


def _invert_cumulative(cumulative: Float64, uniform: Float64) -> Int64:
    found = np.searchsorted(cumulative, uniform * cumulative[-1], side="right")
    return np.minimum(found, len(cumulative) - 1)


def _log_complement(probability: float) -> float:
    """log(1 - probability), finite for a probability of 1."""
    return math.log1p(-min(probability, 1 - 1e-12))
