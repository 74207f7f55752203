"""How exactly each landmark is known, and so how near to its projection a right match must lie."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from hloc_lite.config import WeightingConfig
from hloc_lite.errors import ShapeError
from hloc_lite.types import Float64

POINT_PARAMETERS = 3
"""Of a landmark, which its residuals are smaller by."""
CENTERINGS = 20
"""Each leaves of the mean what part of the observations is clipped."""
LEAST_NOISE = 1e-3
"""In typical landmarks' noise: exact ones are all alike."""


def landmark_noise(
    track_lengths: npt.NDArray[np.integer], errors_px: npt.NDArray[np.floating]
) -> Float64:
    """(M,) how far from a landmark's projection its right matches lie, in medians of the map's
    landmarks; NaN where nothing is known.

    The variance of the 2 n residuals of n views that 3 parameters were fitted to, shrunk towards
    the median of the map as if that were one residual more: (1 + 2 n e^2) / (2 n - 2). On rendered
    streets the errors of right matches grow with its root to the power 0.95, five times from the
    best fifth of the landmarks to the worst.

    Args:
        track_lengths: (M,) images that see each landmark; below 2: unknown.
        errors_px: (M,) its mean reprojection error in them; NaN or negative: unknown.

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
        return noise  # a model without noise: none of it is known better than the rest
    noise[known] = np.sqrt((1 + squares / typical) / (1 + freedom))
    return noise


def bound_factors(
    noise: Float64, track_lengths: npt.NDArray[np.integer], config: WeightingConfig
) -> Float64:
    """(M,) what the inlier bound of a match with each landmark is multiplied by; 1 where nothing is
    known. Their geometric mean over the map's observations is 1 (up to what clipping leaves).

    Args:
        noise: (M,) of ``landmark_noise``.
        track_lengths: (M,) images that see each landmark: it is matched in proportion.
    """
    factors = np.ones(len(noise))
    known = np.flatnonzero(np.isfinite(noise))
    if len(known) == 0:
        return factors
    seen = np.asarray(track_lengths, np.float64)[known]
    logs = config.bound_exponent * np.log(np.maximum(noise[known], LEAST_NOISE))
    limits = np.log([config.min_bound_factor, config.max_bound_factor])
    shift = 0.0
    for _ in range(CENTERINGS):
        shift -= np.average(np.clip(logs + shift, *limits), weights=seen)
    factors[known] = np.exp(np.clip(logs + shift, *limits))
    return factors
