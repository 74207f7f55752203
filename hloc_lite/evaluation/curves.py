"""Plots of the report as SVG: cumulative errors, and number of inliers against error."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axis import Axis
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from hloc_lite.evaluation.figures import (
    DASHES,
    INK,
    PALETTE,
    add_legend,
    figure_svg,
    label_axes,
    log_limits,
    new_axes,
)
from hloc_lite.evaluation.metrics import Scores
from hloc_lite.evaluation.thresholds import DistanceUnit
from hloc_lite.types import Float64

MIN_ERROR = 1e-6
"""Smaller errors (exact poses in synthetic tests) are drawn here: a log axis has no zero."""


def position_curve_svg(rows: Mapping[str, Scores], unit: DistanceUnit) -> str:
    """Plot the share of queries within each position error, one line per condition."""
    curves = {
        condition: np.array([unit.convert(error.distance) for error in scores.errors])
        for condition, scores in rows.items()
    }
    marks = [unit.convert(t.max_distance) for t in next(iter(rows.values())).thresholds]
    return _cumulative_svg(curves, marks, f"position error ({unit.symbol})")


def rotation_curve_svg(rows: Mapping[str, Scores]) -> str:
    """Plot the share of queries within each rotation error, one line per condition."""
    curves = {
        condition: np.array([error.angle_deg for error in scores.errors])
        for condition, scores in rows.items()
    }
    marks = [t.max_angle_deg for t in next(iter(rows.values())).thresholds]
    return _cumulative_svg(curves, marks, "rotation error (deg)")


def inlier_scatter_svg(pairs: Sequence[tuple[int, float]], unit: DistanceUnit) -> str | None:
    """Plot (inliers, position error) of localized queries; None for fewer than three."""
    known = [(n, max(unit.convert(e), MIN_ERROR)) for n, e in pairs if math.isfinite(e)]
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
    return figure_svg(figure, f"Inliers against position error of {len(known)} localized queries")


def _cumulative_svg(curves: Mapping[str, Float64], marks: Sequence[float], label: str) -> str:
    figure, axes = new_axes(6.2, 3.6)
    everything = np.concatenate([*curves.values(), np.asarray(marks, np.float64)])
    low, high = log_limits(np.maximum(everything, MIN_ERROR))
    for mark in dict.fromkeys(marks):
        axes.axvline(mark, color=INK, alpha=0.35, linewidth=0.8, linestyle=(0, (2, 3)))
    for i, (condition, errors) in enumerate(curves.items()):
        finite = np.sort(np.maximum(errors[np.isfinite(errors)], MIN_ERROR))
        # failed queries count in the denominator: a curve ends at the share of localized queries
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
    return figure_svg(figure, f"Cumulative {label}; dotted lines are the thresholds")


def _plain_ticks(axis: Axis) -> None:
    """Label a log axis with plain numbers; also at 2 and 5 if it spans few decades."""
    low, high = axis.get_view_interval()
    if high / low < 300:
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))

    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())
