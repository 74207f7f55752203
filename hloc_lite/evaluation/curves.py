"""Curves of the report: cumulative errors, and inliers against errors."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axis import Axis
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from hloc_lite.evaluation.errors import Scores
from hloc_lite.evaluation.figures import (
    DASHES,
    INK,
    PALETTE,
    add_legend,
    label_axes,
    log_limits,
    new_axes,
    svg_of,
)
from hloc_lite.evaluation.thresholds import DistanceUnit
from hloc_lite.types import Float64

SMALLEST = 1e-6
"""Errors below (exact poses of synthetic tests) are drawn here: a log axis has no zero."""


def position_curve_svg(rows: Mapping[str, Scores], unit: DistanceUnit) -> str:
    """Share of all queries within each position error, a line per condition."""
    curves = {
        condition: np.array([unit.of(error.distance) for error in scores.errors])
        for condition, scores in rows.items()
    }
    marks = [unit.of(t.max_distance) for t in next(iter(rows.values())).thresholds]
    return _cumulative_svg(curves, marks, f"position error ({unit.symbol})")


def rotation_curve_svg(rows: Mapping[str, Scores]) -> str:
    """Share of all queries within each rotation error, a line per condition."""
    curves = {
        condition: np.array([error.angle_deg for error in scores.errors])
        for condition, scores in rows.items()
    }
    marks = [t.max_angle_deg for t in next(iter(rows.values())).thresholds]
    return _cumulative_svg(curves, marks, "rotation error (deg)")


def inliers_svg(inliers_and_errors: Sequence[tuple[int, float]], unit: DistanceUnit) -> str | None:
    """Inliers against position error of the localized queries; None if fewer than three."""
    known = [(n, max(unit.of(e), SMALLEST)) for n, e in inliers_and_errors if math.isfinite(e)]
    if len(known) < 3:
        return None
    inliers, errors = np.array(known, np.float64).T
    figure, axes = new_axes(6.2, 3.4)
    axes.scatter(inliers, errors, s=16, color=PALETTE[0], alpha=0.65, linewidths=0)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlim(*log_limits(inliers))
    axes.set_ylim(*log_limits(errors))
    label_axes(axes, "inliers of the pose", f"position error ({unit.symbol})")
    _plain_ticks(axes.xaxis)
    _plain_ticks(axes.yaxis)
    return svg_of(figure, f"Inliers against position error of {len(known)} localized queries")


def _cumulative_svg(curves: Mapping[str, Float64], marks: Sequence[float], label: str) -> str:
    figure, axes = new_axes(6.2, 3.6)
    everything = np.concatenate([*curves.values(), np.asarray(marks, np.float64)])
    low, high = log_limits(np.maximum(everything, SMALLEST))
    for mark in dict.fromkeys(marks):
        axes.axvline(mark, color=INK, alpha=0.35, linewidth=0.8, linestyle=(0, (2, 3)))
    for i, (condition, errors) in enumerate(curves.items()):
        finite = np.sort(np.maximum(errors[np.isfinite(errors)], SMALLEST))
        # failures stay in the denominator: a curve ends at the share of localized queries
        heights = 100 * np.arange(1, len(finite) + 1) / len(errors)
        last = heights[-1] if len(heights) else 0.0
        axes.step(
            np.concatenate([[low], finite, [high]]),
            np.concatenate([[0.0], heights, [last]]),
            where="post",
            color=INK if len(curves) > 1 and i == len(curves) - 1 else PALETTE[i % len(PALETTE)],
            linestyle=DASHES[i // len(PALETTE) % len(DASHES)],
            linewidth=1.1 if len(curves) > 1 and i == len(curves) - 1 else 2.0,
            label=condition,
        )
    axes.set_xscale("log")
    axes.set_xlim(low, high)
    axes.set_ylim(0, 102)
    label_axes(axes, label, "share of all queries (%)")
    _plain_ticks(axes.xaxis)
    if len(curves) > 1:
        add_legend(axes, loc="upper left")
    return svg_of(figure, f"Cumulative {label}; dotted lines are the thresholds")


def _plain_ticks(axis: Axis) -> None:
    """Plain numbers on a logarithmic axis; at 2 and 5, too, where there are few decades."""
    low, high = axis.get_view_interval()
    if high / low < 300:
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))

    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())
