"""Plots of the confidence as SVG: risk over coverage, and the reliability diagram."""

from __future__ import annotations

import numpy as np

from hloc_lite.evaluation.confidence_scores import Reliability, RiskCoverage
from hloc_lite.evaluation.figures import INK, PALETTE, figure_svg, label_axes, new_axes


def risk_coverage_svg(curve: RiskCoverage) -> str | None:
    """Plot the share of wrong answers over the share of photos answered; None without answers."""
    if not len(curve.coverage):
        return None
    figure, axes = new_axes(6.2, 3.4)
    coverage, risk = 100 * curve.coverage, 100 * curve.risk
    axes.step(np.append(0, coverage), np.append(risk[0], risk), where="pre", color=PALETTE[1])
    axes.plot(coverage[-1:], risk[-1:], "o", color=PALETTE[1], markersize=5, clip_on=False)
    axes.set_xlim(0, 100)
    axes.set_ylim(0, max(5.0, 1.15 * float(risk.max())))
    label_axes(axes, "photos answered, the most confident first (%)", "wrong among them (%)")
    return figure_svg(figure, "Share of wrong answers over the share of photos answered")


def reliability_svg(diagram: Reliability) -> str | None:
    """Plot the share of right answers over the stated confidence; None without answers.

    The number of answers stands at each bin.
    """
    filled = diagram.counts > 0
    if not filled.any():
        return None
    figure, axes = new_axes(6.2, 3.4)
    axes.plot([0, 1], [0, 1], color=INK, alpha=0.35, linewidth=0.8, linestyle=(0, (2, 3)))
    centers = (diagram.edges[:-1] + diagram.edges[1:]) / 2
    axes.bar(
        centers[filled],
        diagram.share_right[filled],
        width=0.085,
        color=PALETTE[0],
        alpha=0.45,
        linewidth=0,
    )
    stated = diagram.mean_confidence[filled]
    axes.plot(stated, diagram.share_right[filled], "o", color=PALETTE[0], markersize=4.5)
    for x, share, count in zip(
        centers[filled], diagram.share_right[filled], diagram.counts[filled], strict=True
    ):
        axes.annotate(
            str(count), (x, share), (0, 5), textcoords="offset points", ha="center", color=INK,
            fontsize=8.5,
        )  # fmt: skip
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1.12)
    axes.set_yticks(np.linspace(0, 1, 6))
    label_axes(axes, "confidence", "share of right answers")
    return figure_svg(figure, "Reliability diagram: share of right answers over confidence")
