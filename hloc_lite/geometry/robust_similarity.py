"""A similarity between point sets of which some are far off."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.stats import chi

from hloc_lite.geometry.similarity import Similarity3
from hloc_lite.types import Float64

Fit = Callable[[Float64, Float64, Float64 | None], Similarity3 | None]


def fit_robustly(
    source: Float64,
    target: Float64,
    fit: Fit,
    sample_size: int,
    num_samples: int,
    min_sigma: float,
    seed: int = 0,
) -> tuple[Similarity3, float] | None:
    """``target_from_source`` by the majority: least quantile of squares (Rousseeuw 1984) over
    minimal samples, then least squares reweighted after Geman and McClure.

    No bound of outliers is needed: the noise is what the errors of the better half say.

    Args:
        source: (N, 3).
        target: (N, 3).
        fit: ``fit_similarity``, or another of its kind.
        sample_size: points that determine it.
        min_sigma: units of the target; the noise is not taken to be less.

    Returns:
        The similarity and the standard deviation of the noise along each axis; None if no sample
        determines one.
    """
    n = len(source)
    rank = min(n // 2 + (sample_size + 1) // 2, n)
    # the error of that rank for noise of 1; small samples fit too well, so their noise is enlarged
    expected = float(chi.ppf(rank / (n + 1), df=3)) / (1 + 5 / (n - sample_size + 1))

    def errors(similarity: Similarity3) -> Float64:
        return np.linalg.norm(similarity.apply(source) - target, axis=1)

    def ranked(similarity: Similarity3) -> float:
        return float(np.partition(errors(similarity), rank - 1)[rank - 1])

    rng = np.random.default_rng(seed)
    samples = [np.arange(n)]
    samples += [rng.choice(n, sample_size, replace=False) for _ in range(num_samples)]
    fits = [each for rows in samples if (each := fit(source[rows], target[rows], None))]
    if not fits:
        return None
    best = min(fits, key=ranked)
    for _ in range(20):
        sigma = max(ranked(best) / expected, min_sigma)
        again = fit(source, target, 1 / (1 + np.square(errors(best) / (2 * sigma))) ** 2)
        if again is None or ranked(again) >= ranked(best) * (1 - 1e-6):
            break
        best = again
    return best, max(ranked(best) / expected, min_sigma)
