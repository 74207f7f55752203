"""Minimal samples: by weight, uniform, or in PROSAC's order; whole batches at once."""

from __future__ import annotations

import numpy as np

from hloc_lite.types import Float64, Int64

SAMPLE_SIZE = 3
MAX_REDRAWS = 20
"""Of samples that hold an item twice; after that they stay, and the solver refuses them."""


def draw_uniform(rng: np.random.Generator, count: int, population: int) -> Int64:
    """(count, 3) distinct indices below ``population``, all sets equally likely."""
    first = rng.integers(0, population, count)
    second = rng.integers(0, population - 1, count)
    third = rng.integers(0, population - 2, count)
    # each later index counts the items not yet taken
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
        # redrawing what is taken already is drawing from what is left
        again = np.zeros(draws.shape, bool)
        again[:, 1] = draws[:, 1] == draws[:, 0]
        again[:, 2] = (draws[:, 2] == draws[:, 0]) | (draws[:, 2] == draws[:, 1])
        again[:, 2] &= ~again[:, 1]
        if not again.any():
            break
        draws[again] = _items(cumulative, rng.random(int(again.sum())))
    return draws


def draw_prosac(rng: np.random.Generator, first_trial: int, count: int, growth: Int64) -> Int64:
    """(count, 3) distinct ranks for trials ``first_trial`` on, 0 the best (Chum and Matas 2005).

    Args:
        growth: of ``prosac_growth``.
    """
    trials = np.arange(first_trial, first_trial + count)
    sizes = np.searchsorted(growth, trials, side="left") + SAMPLE_SIZE
    total = len(growth) + SAMPLE_SIZE - 1
    draws = np.empty((count, SAMPLE_SIZE), np.int64)
    grown = sizes <= total
    sizes = np.minimum(sizes, total)
    # the newest item is always in, until all are: then any three
    first = rng.integers(0, sizes - 1)
    second = rng.integers(0, sizes - 2)
    second += second >= first
    third = sizes - 1
    draws[:] = np.stack([first, second, third], axis=1)
    if not grown.all():
        draws[~grown] = draw_uniform(rng, int((~grown).sum()), total)
    return draws


def prosac_growth(population: int, num_trials: int) -> Int64:
    """(population - 2,) last trial of each subset size from 3 on.

    Args:
        num_trials: after which PROSAC has become uniform sampling.
    """
    m, n = SAMPLE_SIZE, population
    expected = float(num_trials)
    for i in range(m):
        expected *= (m - i) / (n - i)
    growth = np.empty(population - m + 1, np.int64)
    growth[0] = 1
    for size in range(m, population):
        larger = expected * (size + 1) / (size + 1 - m)
        growth[size - m + 1] = growth[size - m] + int(np.ceil(larger - expected))
        expected = larger
    return growth


def _items(cumulative: Float64, uniform: Float64) -> Int64:
    found = np.searchsorted(cumulative, uniform * cumulative[-1], side="right")
    return np.minimum(found, len(cumulative) - 1)
