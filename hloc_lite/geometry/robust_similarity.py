"""Robust similarity between point sets with outliers."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from scipy.special import gammaincinv

from hloc_lite.geometry.similarity import Similarity3
from hloc_lite.types import Float64

Fit = Callable[[Float64, Float64, Float64 | None], Similarity3 | None]


def fit_similarity_robust(
    source: Float64,
    target: Float64,
    fit: Fit,
    sample_size: int,
    num_samples: int,
    min_sigma: float,
    seed: int = 0,
) -> tuple[Similarity3, float] | None:
    """Fit ``target_from_source`` to the majority of the points.

    Minimal samples are compared by their least quantile of squares (Rousseeuw 1984), and the best
    is refined by least squares with Geman-McClure weights. It needs no inlier bound: the noise
    level is estimated from the better half of the errors.

    Args:
        source: (N, 3).
        target: (N, 3).
        fit: ``fit_similarity`` or ``fit_level_similarity``.
        sample_size: number of points that determine it.
        num_samples: number of minimal samples.
        min_sigma: lower bound of the noise level, units of the target.

    Returns:
        The similarity and the standard deviation of the noise along each axis; None if no sample
        determines one.
    """
    n = len(source)
    rank = min(n // 2 + (sample_size + 1) // 2, n)
    # expected error of that rank for unit noise, with a correction for overfitting of few points
    # (the quantile of the chi distribution with 3 degrees; scipy.stats takes a second to load)
    quantile_of_rank = math.sqrt(2 * float(gammaincinv(1.5, rank / (n + 1))))
    expected = quantile_of_rank / (1 + 5 / (n - sample_size + 1))

    def errors(similarity: Similarity3) -> Float64:
        return np.linalg.norm(similarity.apply(source) - target, axis=1)

    def quantile(similarity: Similarity3) -> float:
        return float(np.partition(errors(similarity), rank - 1)[rank - 1])

    rng = np.random.default_rng(seed)
    samples = [np.arange(n)]
    samples += [rng.choice(n, sample_size, replace=False) for _ in range(num_samples)]
    fits = [each for rows in samples if (each := fit(source[rows], target[rows], None))]
    if not fits:
        return None
    best = min(fits, key=quantile)
    for _ in range(20):
        sigma = max(quantile(best) / expected, min_sigma)
        refit = fit(source, target, 1 / (1 + np.square(errors(best) / (2 * sigma))) ** 2)
        if refit is None or quantile(refit) >= quantile(best) * (1 - 1e-6):
            break
        best = refit
    return best, max(quantile(best) / expected, min_sigma)
