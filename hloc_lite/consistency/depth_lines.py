"""The relation of the depths of two views: found among wrong matches, or found not to exist."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hloc_lite.types import Float64

NUM_LINES = 128
"""Through two matches each: at 20 % right ones, five of them are through two right ones."""
MAX_ROWS = 128
"""Matches that lines are scored on."""
NUM_NULLS = 4
"""Random pairings of the same depths that a line has to beat."""


@dataclass(frozen=True, eq=False)
class Line:
    """y = slope * predicted + offset, as many matches as possible near it."""

    residuals: Float64
    """(N,) ln(y / line)."""
    gain: float
    """Share of matches near the line, beyond what the same depths paired at random reach."""


def find_line(predicted: Float64, log_y: Float64, log_bound: float, *, with_shift: bool) -> Line:
    """The line of most support, among lines through pairs of matches and through the origin.

    Support is the truncated squared error (MSAC) of log ratios. Lines through random pairs fit
    some matches even where the two depths have nothing to do with each other, as between views that
    differ much: so the same search runs on random pairings, too.

    Args:
        predicted: (N,) positive, ascending (the answer depends on the order of ties only).
        log_y: (N,) logarithms of what they should be proportional to, but for an offset.
        log_bound: log ratio beyond which a match does not support a line.
        with_shift: False: lines through the origin only.
    """
    rng = np.random.default_rng(0)
    count = len(predicted)
    rows = np.arange(count) if count <= MAX_ROWS else np.arange(MAX_ROWS) * count // MAX_ROWS
    d, seen = predicted[rows], log_y[rows]
    slope, offset, score = _search(rng, d, seen, log_bound, with_shift=with_shift)
    nulls = [
        _search(rng, d, rng.permutation(seen), log_bound, with_shift=with_shift)[2]
        for _ in range(NUM_NULLS)
    ]
    line = slope * predicted + offset
    residuals = np.where(line > 0, log_y - np.log(np.where(line > 0, line, 1.0)), np.inf)
    chance = np.mean(nulls) + np.std(nulls)
    return Line(residuals, float(score - chance) / len(rows))


def _search(
    rng: np.random.Generator, d: Float64, log_y: Float64, log_bound: float, *, with_shift: bool
) -> tuple[float, float, float]:
    """Slope, offset and support of the best line."""
    count = len(d)
    y = np.exp(log_y)
    through = rng.integers(0, count, NUM_LINES if not with_shift else NUM_LINES // 2)
    slopes, offsets = [y[through] / d[through]], [np.zeros(len(through))]
    if with_shift:
        # one of the lower half and one of the upper: far apart, so well determined
        first = rng.integers(0, (count + 1) // 2, NUM_LINES)
        second = rng.integers(count // 2, count, NUM_LINES)
        apart = d[second] - d[first]
        slope = (y[second] - y[first]) / np.where(apart > 0, apart, np.inf)
        slopes.append(slope)
        offsets.append(y[first] - slope * d[first])
    slope, offset = np.concatenate(slopes), np.concatenate(offsets)
    support = _support(d, log_y, slope, offset, log_bound)
    support[~(slope > 0)] = -1  # nearer must stay nearer
    best = int(support.argmax())
    return float(slope[best]), float(offset[best]), float(support[best])


def _support(
    d: Float64, log_y: Float64, slope: Float64, offset: Float64, log_bound: float
) -> Float64:
    """(L,) sum of max(0, 1 - (log ratio / bound)^2); in single precision: it takes the time."""
    line = slope[:, None].astype(np.float32) * d.astype(np.float32)
    line += offset[:, None].astype(np.float32)
    np.maximum(line, np.float32(1e-20), out=line)
    ratios = np.log(line, out=line)
    ratios -= log_y.astype(np.float32)
    ratios /= np.float32(log_bound)
    np.square(ratios, out=ratios)
    np.minimum(ratios, 1, out=ratios)
    return len(d) - ratios.sum(axis=1, dtype=np.float64)
