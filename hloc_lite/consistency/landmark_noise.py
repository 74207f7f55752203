"""Noise of landmarks, and the inlier thresholds that follow from it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from hloc_lite.config import WeightingConfig
from hloc_lite.errors import ShapeError
from hloc_lite.types import Float64

POINT_PARAMETERS = 3
"""Degrees of freedom that the fit of a point takes from its residuals."""
CENTERING_STEPS = 20
"""Each leaves the clipped share of the mean."""
MIN_NOISE = 1e-3
"""Lower limit, relative to the median landmark: exact landmarks are treated alike."""


def landmark_noise(
    track_lengths: npt.NDArray[np.integer], errors_px: npt.NDArray[np.floating]
) -> Float64:
    """(M,) standard deviation of right matches around the projection of each landmark.

    Relative to the median landmark of the map; NaN where unknown. The variance of the 2 n residuals
    of n views after a fit of 3 parameters is shrunk towards the median of the map, which counts as
    one more residual: (1 + 2 n e^2) / (2 n - 2). On rendered streets the errors of right matches
    grow with the power 0.95 of this noise, by a factor of five from the best fifth of the landmarks
    to the worst.

    Args:
        track_lengths: (M,) number of images that observe each landmark; below 2: unknown.
        errors_px: (M,) mean reprojection error of each landmark; NaN or negative: unknown.

    Raises:
        ShapeError: the arrays differ in length.
    """
    n = np.asarray(track_lengths, np.float64)
    errors = np.asarray(errors_px, np.float64)
    if n.shape != errors.shape or n.ndim != 1:
        raise ShapeError(
            f"landmark_noise: track_lengths {n.shape} and errors_px {errors.shape} must be (M,)"
        )
    noise = np.full(len(n), np.nan)
    known = np.flatnonzero((n >= 2) & (errors >= 0) & (errors < np.inf))
    if len(known) == 0:
        return noise
    squares, freedom = 2 * n[known] * np.square(errors[known]), 2 * n[known] - POINT_PARAMETERS
    typical = float(np.median(squares / freedom))
    if typical == 0:
        return noise  # an exact model: no landmark is better than another
    noise[known] = np.sqrt((1 + squares / typical) / (1 + freedom))
    return noise


def bound_factors(
    noise: Float64, track_lengths: npt.NDArray[np.integer], config: WeightingConfig
) -> Float64:
    """(M,) factors of the inlier threshold of each landmark; 1 where the noise is unknown.

    Their geometric mean over the map's observations is 1, up to what clipping leaves.

    Args:
        noise: (M,) result of ``landmark_noise``.
        track_lengths: (M,) number of images that observe each landmark; it is matched in
            proportion.
    """
    factors = np.ones(len(noise))
    known = np.flatnonzero(np.isfinite(noise))
    if len(known) == 0:
        return factors
    lengths = np.asarray(track_lengths, np.float64)[known]
    logs = config.bound_exponent * np.log(np.maximum(noise[known], MIN_NOISE))
    limits = np.log([config.min_bound_factor, config.max_bound_factor])
    shift = 0.0
    for _ in range(CENTERING_STEPS):
        shift -= np.average(np.clip(logs + shift, *limits), weights=lengths)
    factors[known] = np.exp(np.clip(logs + shift, *limits))
    return factors
