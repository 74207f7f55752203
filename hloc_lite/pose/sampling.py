"""Minimal samples in batches: by weight, uniform, or in PROSAC's order."""

from __future__ import annotations

import math
from typing import Protocol

import numpy as np

from hloc_lite.config import PoseConfig
from hloc_lite.types import Bool, Float64, Int64

SAMPLE_SIZE = 3
MAX_REDRAWS = 100
"""Of samples that hold an item twice; after that they stay, and the solver refuses them."""


class Sampler(Protocol):
    """Draws minimal samples, and knows how likely it has missed every good one."""

    def draw(self, count: int) -> Int64:
        """(count, 3) indices of correspondences."""

    def log_miss(self, inliers: Bool) -> float:
        """Logarithm of the probability that no sample so far was of these (K,) inliers alone."""


class MixedSampler:
    """By weight without replacement, and some uniform samples so that misleading weights cannot
    starve it: many by weight at first, few later, as weights that have not helped by then will not.

    Args:
        weights: (K,) >= 0, at least three positive; equal ones make all samples uniform.
    """

    def __init__(self, weights: Float64, config: PoseConfig, rng: np.random.Generator) -> None:
        self._rng, self._config = rng, config
        self._probability = weights / weights.sum()
        self._cumulative = np.cumsum(self._probability)
        self._informed = bool(np.ptp(weights) > 0)
        self._num_weighted = self._num_uniform = 0

    def draw(self, count: int) -> Int64:
        """As ``Sampler``."""
        by_weight = round(count * self._share())
        self._num_weighted += by_weight
        self._num_uniform += count - by_weight
        uniform = draw_uniform(self._rng, count - by_weight, len(self._cumulative))
        if by_weight == 0:
            return uniform
        return np.concatenate([draw_weighted(self._rng, by_weight, self._cumulative), uniform])

    def log_miss(self, inliers: Bool) -> float:
        """As ``Sampler``: by the inliers' share in weight where samples were drawn by weight."""
        share = np.count_nonzero(inliers) / len(inliers)
        missed_uniform = self._num_uniform * _log_not(share**SAMPLE_SIZE)
        if self._num_weighted == 0:
            return missed_uniform
        mass = min(1.0, float(self._probability[inliers].sum()))
        return missed_uniform + self._num_weighted * _log_not(mass**SAMPLE_SIZE)

    def _share(self) -> float:
        if not self._informed:
            return 0.0
        early = self._num_weighted + self._num_uniform < self._config.early_trials
        return self._config.early_weighted_share if early else self._config.late_weighted_share


class ProsacSampler:
    """Best weights first, in growing subsets (Chum and Matas 2005), then uniform."""

    def __init__(self, weights: Float64, config: PoseConfig, rng: np.random.Generator) -> None:
        self._rng = rng
        self._order = np.argsort(-weights, kind="stable")
        self._growth = prosac_growth(len(weights), config.max_num_trials)
        self._num_drawn = 0

    def draw(self, count: int) -> Int64:
        """As ``Sampler``."""
        ranks = draw_prosac(self._rng, self._num_drawn + 1, count, self._growth)
        self._num_drawn += count
        return self._order[ranks]

    def log_miss(self, inliers: Bool) -> float:
        """As ``Sampler``: in a subset's trials its newest item and two of those before it."""
        ordered = inliers[self._order]
        before = np.cumsum(ordered)[SAMPLE_SIZE - 2 : -1]
        taken = np.arange(SAMPLE_SIZE - 1, len(inliers))
        pair = before * (before - 1) / (taken * (taken - 1))
        hit = np.where(ordered[SAMPLE_SIZE - 1 :], pair, 0.0)
        last = np.minimum(self._growth, self._num_drawn)
        trials = np.diff(last, prepend=0)
        uniform = max(0, self._num_drawn - int(self._growth[-1]))
        missed = float(trials @ np.log1p(-np.minimum(hit, 1 - 1e-12)))
        return missed + uniform * _log_not(float(inliers.mean()) ** SAMPLE_SIZE)


def draw_uniform(rng: np.random.Generator, count: int, population: int) -> Int64:
    """(count, 3) distinct indices below ``population``, all sets equally likely."""
    first = rng.integers(0, population, count)
    second = rng.integers(0, population - 1, count)
    third = rng.integers(0, population - 2, count)
    # each later draw is a rank among the items not yet taken
    second += second >= first
    low, high = np.minimum(first, second), np.maximum(first, second)
    third += third >= low
    third += third >= high
    return np.stack([first, second, third], axis=1)


def draw_weighted(rng: np.random.Generator, count: int, cumulative: Float64) -> Int64:
    """(count, 3) distinct indices, each next one drawn among the remaining in proportion to weight.

    Args:
        cumulative: (K,) running sum of the weights, at least three of them positive.
    """
    draws = _items(cumulative, rng.random((count, SAMPLE_SIZE)))
    for _ in range(MAX_REDRAWS):
        # drawing again what is taken already is drawing from what is left
        again = np.zeros(draws.shape, bool)
        again[:, 1] = draws[:, 1] == draws[:, 0]
        again[:, 2] = (draws[:, 2] == draws[:, 0]) | (draws[:, 2] == draws[:, 1])
        if not again.any():
            break
        draws[again] = _items(cumulative, rng.random(int(again.sum())))
    return draws


def draw_prosac(rng: np.random.Generator, first_trial: int, count: int, growth: Int64) -> Int64:
    """(count, 3) distinct ranks, 0 the best, for the trials from ``first_trial`` (1-based) on.

    Args:
        growth: of ``prosac_growth``.
    """
    trials = np.arange(first_trial, first_trial + count)
    population = len(growth) + SAMPLE_SIZE - 1
    sizes = np.searchsorted(growth, trials) + SAMPLE_SIZE
    grown = sizes <= population
    sizes = np.minimum(sizes, population)
    # the newest item of the subset and any two others
    first = rng.integers(0, sizes - 1)
    second = rng.integers(0, sizes - 2)
    second += second >= first
    draws = np.stack([first, second, sizes - 1], axis=1)
    draws[~grown] = draw_uniform(rng, int((~grown).sum()), population)
    return draws


def prosac_growth(population: int, num_trials: int) -> Int64:
    """(population - 2,) last trial of each subset size from 3 to ``population``.

    Args:
        num_trials: after which PROSAC has become uniform sampling.
    """
    sizes = np.arange(SAMPLE_SIZE, population + 1, dtype=np.float64)
    # trials expected within each subset's samples, of num_trials uniform ones
    inside = np.ones_like(sizes)
    for i in range(SAMPLE_SIZE):
        inside *= (sizes - i) / (population - i)
    growth = 1 + np.concatenate([[0.0], np.cumsum(np.ceil(np.diff(inside * num_trials)))])
    return growth.astype(np.int64)


def _items(cumulative: Float64, uniform: Float64) -> Int64:
    found = np.searchsorted(cumulative, uniform * cumulative[-1], side="right")
    return np.minimum(found, len(cumulative) - 1)


def _log_not(probability: float) -> float:
    return math.log1p(-min(probability, 1 - 1e-12))
