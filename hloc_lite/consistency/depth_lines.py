"""Linear relation between predicted depths of one view and depths in another, found robustly."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hloc_lite.types import Float64

NUM_LINES = 128
"""Lines through two matches each: at 20 % inliers, five of them go through two inliers."""
MAX_ROWS = 128
"""Matches on which lines are scored."""
NUM_RANDOM_PAIRINGS = 4
"""Random pairings of the same depths that estimate the score by chance."""


@dataclass(frozen=True, eq=False)
class Line:
    """The line y = slope * predicted + offset with the best score."""

    residuals: Float64
    """(N,) ln(y / line)."""
    fit_share: float
    """Share of matches near the line, minus the share that random pairing reaches."""


def find_line(
    predicted: Float64, log_y: Float64, max_log_ratio: float, *, with_shift: bool
) -> Line:
    """The best line among those through two matches and those through the origin.

    The score is the truncated squared error (MSAC) of log ratios. The best line fits some matches
    even if the two depths are unrelated, as between views that differ much. So the same search also
    runs on random pairings, and their score is subtracted.

    Args:
        predicted: (N,) positive, ascending (only the order of ties affects the result).
        log_y: (N,) logarithms of values that should be linear in ``predicted``.
        max_log_ratio: log ratio above which a match is an outlier of a line.
        with_shift: False for lines through the origin only.
    """
    rng = np.random.default_rng(0)
    count = len(predicted)
    rows = np.arange(count) if count <= MAX_ROWS else np.arange(MAX_ROWS) * count // MAX_ROWS
    d, log_y_of_rows = predicted[rows], log_y[rows]
    slope, offset, score = _search(rng, d, log_y_of_rows, max_log_ratio, with_shift=with_shift)
    random_scores = [
        _search(rng, d, rng.permutation(log_y_of_rows), max_log_ratio, with_shift=with_shift)[2]
        for _ in range(NUM_RANDOM_PAIRINGS)
    ]
    line = slope * predicted + offset
    residuals = np.where(line > 0, log_y - np.log(np.where(line > 0, line, 1.0)), np.inf)
    chance = np.mean(random_scores) + np.std(random_scores)
    return Line(residuals, float(score - chance) / len(rows))


def _search(
    rng: np.random.Generator, d: Float64, log_y: Float64, max_log_ratio: float, *, with_shift: bool
) -> tuple[float, float, float]:
    """Slope, offset and score of the best line."""
    count = len(d)
    y = np.exp(log_y)
    through = rng.integers(0, count, NUM_LINES if not with_shift else NUM_LINES // 2)
    slopes, offsets = [y[through] / d[through]], [np.zeros(len(through))]
    if with_shift:
        # one match of the lower half and one of the upper: far apart, so well determined
        first = rng.integers(0, (count + 1) // 2, NUM_LINES)
        second = rng.integers(count // 2, count, NUM_LINES)
        apart = d[second] - d[first]
        slope = (y[second] - y[first]) / np.where(apart > 0, apart, np.inf)
        slopes.append(slope)
        offsets.append(y[first] - slope * d[first])
    slope, offset = np.concatenate(slopes), np.concatenate(offsets)
    scores = _line_scores(d, log_y, slope, offset, max_log_ratio)
    scores[~(slope > 0)] = -1  # the order of depths must hold
    best = int(scores.argmax())
    return float(slope[best]), float(offset[best]), float(scores[best])


def _line_scores(
    d: Float64, log_y: Float64, slope: Float64, offset: Float64, max_log_ratio: float
) -> Float64:
    """(L,) sum of max(0, 1 - (log ratio / max_log_ratio)^2) over the matches.

    In single precision, since most of the time is spent here.
    """
    line = slope[:, None].astype(np.float32) * d.astype(np.float32)
    line += offset[:, None].astype(np.float32)
    np.maximum(line, np.float32(1e-20), out=line)
    ratios = np.log(line, out=line)
    ratios -= log_y.astype(np.float32)
    ratios /= np.float32(max_log_ratio)
    np.square(ratios, out=ratios)
    np.minimum(ratios, 1, out=ratios)
    return len(d) - ratios.sum(axis=1, dtype=np.float64)
