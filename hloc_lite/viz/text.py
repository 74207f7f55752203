"""HTML of the panel: legend, and the numbers and reasons of a query. All text is escaped."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np

from hloc_lite.maps.units import length_text
from hloc_lite.types import LocalizationResult
from hloc_lite.viz.colors import LegendRow, css_colour, query_colour
from hloc_lite.viz.ellipsoids import SIGMAS_95, center_covariance
from hloc_lite.viz.queries import QueryMark
from hloc_lite.viz.scene import status_text

_SWATCH = "display:inline-block;width:26px;height:10px;border-radius:2px;margin-right:8px"


def legend_html(rows: Sequence[LegendRow]) -> str:
    """Colours and their meaning, one per line."""
    lines = (
        f'<div><span style="{_SWATCH};background:{row.css}"></span>{escape(row.text)}</div>'
        for row in rows
    )
    return "".join(lines)


def lines_html(lines: Sequence[str]) -> str:
    """Lines of plain text."""
    return _frame("".join(f"<div>{escape(line)}</div>" for line in lines))


def query_html(query: QueryMark, scale: float | None) -> str:
    """Numbers of a query and the reason of its status.

    Args:
        scale: metres per map unit; None if unknown.
    """
    result = query.result
    colour = css_colour(query_colour(result))
    head = (
        f'<div style="font-weight:600;overflow-wrap:anywhere">'
        f'<span style="{_SWATCH};background:{colour}"></span>{escape(query.name)}</div>'
    )
    cells = "".join(
        f'<tr><td style="padding-right:10px;opacity:0.7;vertical-align:top">{escape(key)}</td>'
        f'<td style="overflow-wrap:anywhere">{escape(value)}</td></tr>'
        for key, value in query_rows(query, scale)
    )
    return _frame(f'{head}<table style="border-spacing:0">{cells}</table>')


def query_rows(query: QueryMark, scale: float | None) -> list[tuple[str, str]]:
    """(label, value) of what is known about a query."""
    result, errors = query.result, query.errors
    rows: list[tuple[str, str | None]] = [
        ("status", status_text(result.status)),
        ("confidence", _confidence_text(result)),
        ("reason", result.reason),
        ("inliers", _inliers_text(result)),
        ("uncertainty", _uncertainty_text(result, scale)),
        ("error", None if errors is None else _error_text(errors, scale)),
        ("retrieved", ", ".join(result.hits.names[:3]) or None),
        ("fallback", result.fallback_name if result.pose is None else None),
        ("time", f"{result.timings_ms['total']:.0f} ms" if "total" in result.timings_ms else None),
    ]
    return [(label, value) for label, value in rows if value]


def _confidence_text(result: LocalizationResult) -> str | None:
    if result.confidence is None:
        return None
    least = result.min_confidence
    return f"{result.confidence:.2f}" + ("" if least is None else f" (given from {least:.2f})")


def _inliers_text(result: LocalizationResult) -> str | None:
    if result.pose is None:
        return None
    text = f"{result.pose.num_inliers} of {len(result.pose.inlier_mask)} correspondences"
    return None if text in result.reason else text


def _uncertainty_text(result: LocalizationResult, scale: float | None) -> str | None:
    """Longest half axis of the ellipsoid, and the standard deviation of the orientation."""
    covariance = None if result.pose is None else center_covariance(result.pose)
    if result.pose is None or result.pose.covariance is None or covariance is None:
        return None
    longest = SIGMAS_95 * float(np.sqrt(max(np.linalg.eigvalsh(covariance)[-1], 0)))
    turn = float(np.sqrt(max(np.linalg.eigvalsh(result.pose.covariance[:3, :3])[-1], 0)))
    return (
        f"{length_text(longest, scale)} (longest half axis, 95 %), "
        f"{np.degrees(turn):.2g}° (one standard deviation)"
    )


def _error_text(errors: tuple[float, float], scale: float | None) -> str:
    return f"{length_text(errors[0], scale)}, {errors[1]:.3g}° from the truth"


def _frame(inner_html: str) -> str:
    return (
        f'<div style="padding:2px 12px 6px;font-size:0.8125rem;line-height:1.5">{inner_html}</div>'
    )
