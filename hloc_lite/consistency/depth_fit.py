"""Robust fit of scale and shift between predicted and given depths, many fits at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hloc_lite.consistency.depth_maps import DepthKind
from hloc_lite.types import Bool, Float64, Int64

MAD_TO_SIGMA = 1.4826
"""Ratio of the standard deviation of normal errors to their median absolute value."""
MAX_SAMPLE = 256
"""Entries of a row used in a fit: they determine the scale to 1 % at 15 % noise."""
NUM_STEPS = 8
"""Steps of the reweighted least squares; further ones change no depth by 1 %."""
MIN_RESIDUAL = 1e-3
"""Lower limit of absolute log ratios in the weights, which would otherwise diverge."""
MIN_DEPTH_RATIO = 0.2
"""Smallest fitted depth after a step, relative to before: it must stay positive."""


@dataclass(frozen=True, eq=False)
class DepthFit:
    """Fits y = scale * predicted + shift of H rows; y is the depth, or the inverse depth."""

    scale: Float64
    """(H,) NaN where no fit was possible."""
    shift: Float64
    """(H,)."""
    sigma: Float64
    """(H,) robust standard deviation of the log ratios of the fitted entries (1.4826 MAD)."""
    log_ratios: Float64
    """(H, K) ln(depth / fitted depth); NaN where either is unknown."""


def fit_depths(
    predicted: Float64, depths: Float64, kind: DepthKind, fitted: Bool | None = None
) -> DepthFit:
    """Least absolute deviations of log depth, by iteratively reweighted least squares.

    Args:
        predicted: (K,) values of a depth map; NaN where unknown.
        depths: (H, K) along the optical axis; NaN or not positive where unknown.
        kind: kind of the depth map; "metric" fits the scale alone.
        fitted: (H, K) mask of the entries used in the fit; None for all.
    """
    with np.errstate(invalid="ignore"):
        is_predicted = (predicted > 0) & (predicted < np.inf)
        known = (depths > 0) & (depths < np.inf) & is_predicted
    d = np.where(is_predicted, predicted, 1.0)
    log_y = np.log(depths, out=np.zeros(depths.shape), where=known)
    if kind == "inverse":
        log_y *= -1
    chosen, mask = _sample(known if fitted is None else known & fitted)
    rows = np.arange(len(depths))[:, None]
    scale, shift, residuals = _fit(
        d[chosen], log_y[rows, chosen], mask, with_shift=kind != "metric"
    )
    sigma = MAD_TO_SIGMA * masked_median(np.abs(residuals), mask)
    if shift.any():
        log_y -= np.log(_line(d, scale, shift))
    else:
        log_y -= np.log(d) + np.log(scale)[:, None]
    if kind == "inverse":
        log_y *= -1
    log_y[~known] = np.nan
    return DepthFit(scale, shift, sigma, log_y)


def masked_median(values: Float64, mask: Bool) -> Float64:
    """(H,) median of each row of (H, K) values over the True entries; NaN if there are none."""
    if values.shape[1] == 0:
        return np.full(len(values), np.nan)
    ordered = np.sort(np.where(mask, values, np.inf), axis=1)
    count = mask.sum(axis=1)
    rows = np.arange(len(values))
    low = ordered[rows, np.maximum(count - 1, 0) // 2]
    high = ordered[rows, np.minimum(count // 2, values.shape[1] - 1)]
    return np.where(count > 0, low / 2 + high / 2, np.nan)


def _sample(usable: Bool) -> tuple[Int64, Bool]:
    """(H, S) columns of True entries, evenly spread if many, and the mask of valid ones."""
    counts = usable.sum(axis=1)
    size = min(MAX_SAMPLE, int(counts.max(initial=0)))
    chosen = np.zeros((len(usable), size), np.int64)
    for row, count in enumerate(counts):
        found = np.flatnonzero(usable[row])
        if count > size:
            found = found[np.arange(size) * count // size]
        chosen[row, : len(found)] = found
    return chosen, np.arange(size) < counts[:, None]


def _fit(
    d: Float64, log_y: Float64, mask: Bool, *, with_shift: bool
) -> tuple[Float64, Float64, Float64]:
    """Scale, shift and (H, S) log residuals; shift is 0 where it does not improve the fit."""
    log_ratios = log_y - np.log(d)
    middle = masked_median(log_ratios, mask)
    scale, shift = np.exp(middle), np.zeros_like(middle)
    log_ratios -= middle[:, None]
    if not with_shift or not mask.any():
        return scale, shift, log_ratios
    slope, offset, residuals = _line_fit(d, log_y, mask, np.where(mask.any(axis=1), scale, 1.0))
    before = (np.abs(log_ratios) * mask).sum(axis=1)
    after = (np.abs(residuals) * mask).sum(axis=1)
    better = (slope > 0) & (after < before)  # the order of depths must hold
    return (
        np.where(better, slope, scale),
        np.where(better, offset, 0.0),
        np.where(better[:, None], residuals, log_ratios),
    )


def _line_fit(
    d: Float64, log_y: Float64, mask: Bool, slope: Float64
) -> tuple[Float64, Float64, Float64]:
    """Gauss-Newton on ln(slope d + offset), starting from a line through the origin."""
    unit = np.median(d[mask])
    d, slope, offset = d / unit, slope * unit, np.zeros_like(slope)
    ends = np.array([d[mask].min(), d[mask].max()])
    residuals = log_y - np.log(_line(d, slope, offset))
    for _ in range(NUM_STEPS):
        a = 1 / _line(d, slope, offset)
        b = a * d
        weights = mask / np.maximum(np.abs(residuals), MIN_RESIDUAL)
        wa, wb = weights * a, weights * b
        aa, ab, bb = (wa * a).sum(axis=1), (wa * b).sum(axis=1), (wb * b).sum(axis=1)
        ar, br = (wa * residuals).sum(axis=1), (wb * residuals).sum(axis=1)
        determinant = aa * bb - ab * ab
        solvable = determinant > 1e-9 * aa * bb  # otherwise all predictions are equal
        inverse = np.where(solvable, 1 / np.where(solvable, determinant, 1.0), 0.0)
        d_slope, d_offset = (aa * br - ab * ar) * inverse, (bb * ar - ab * br) * inverse
        step = _positive_step(ends, slope, offset, d_slope, d_offset)
        slope, offset = slope + step * d_slope, offset + step * d_offset
        residuals = log_y - np.log(_line(d, slope, offset))
    return slope / unit, offset, residuals


def _line(d: Float64, slope: Float64, offset: Float64) -> Float64:
    return np.maximum(slope[:, None] * d + offset[:, None], 1e-12)


def _positive_step(
    ends: Float64, slope: Float64, offset: Float64, d_slope: Float64, d_offset: Float64
) -> Float64:
    """(H,) largest step length in [0, 1] that keeps the line positive at both ends."""
    now = slope[:, None] * ends + offset[:, None]
    change = d_slope[:, None] * ends + d_offset[:, None]
    falls = change < 0
    allowed = np.where(falls, (1 - MIN_DEPTH_RATIO) * now / np.where(falls, -change, 1.0), 1.0)
    return np.clip(allowed.min(axis=1), 0.0, 1.0)
