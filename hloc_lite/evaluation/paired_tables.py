"""Paired comparisons as tables, lines for the terminal, and JSON values."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from hloc_lite.evaluation.paired import Comparison, Flip, PairedMedian, PairedRecall, PairedScores
from hloc_lite.evaluation.query_error import QueryError
from hloc_lite.evaluation.table_text import TextTable
from hloc_lite.evaluation.tables import (
    angle_text,
    distance_text,
    error_text,
    error_to_json,
    finite_or_none,
    interval_to_json,
    threshold_to_json,
)
from hloc_lite.evaluation.thresholds import DistanceUnit

SCHEMA_VERSION = 1
UNKNOWN = "-"


def solved_table(comparison: Comparison) -> TextTable:
    """Table of the queries that both, one or none of two methods solve, with p values."""
    first, second = comparison.first, comparison.second
    header = ("", "within", "queries", "both", f"only {first}", f"only {second}", "none",
              "difference", "p")  # fmt: skip
    rows = [
        (condition, *_recall_cells(recall))
        for condition, scores in comparison.rows.items()
        for recall in scores.recalls
    ]
    starts = range(0, len(rows), max(1, len(rows) // len(comparison.rows)))
    caption = (
        f"{first} and {second}: queries that both, one or none solve; difference of recalls "
        f"({second} minus {first}) in percent points; p of McNemar's exact test"
    )
    return TextTable(header, tuple(rows), caption, tuple(starts[1:]), (0, 1))


def median_table(comparison: Comparison, unit: DistanceUnit) -> TextTable:
    """Table of the median errors of two methods and of their differences, with intervals."""
    first, second = comparison.first, comparison.second
    rows = [
        row
        for condition, scores in comparison.rows.items()
        for row in (
            (condition, "position", unit.symbol, *_median_cells(scores.distance, unit.length)),
            (condition, "rotation", "deg", *_median_cells(scores.angle_deg, 1)),
        )
    ]
    header = ("", "median of", "unit", first, second, "difference")
    caption = f"Medians of {first} and {second}, and their difference ({second} minus {first})"
    return TextTable(header, tuple(rows), caption, tuple(range(2, len(rows), 2)), (0, 1, 2))


def flip_lines(comparison: Comparison, unit: DistanceUnit, count: int) -> list[str]:
    """List the first ``count`` queries of all conditions that only one method solves, a line each.

    For each threshold, with the errors of both methods; those that differ most come first.
    """
    lines = []
    overall = list(comparison.rows.values())[-1]
    for recall in overall.recalls:
        shown = recall.flips[:count]
        if not shown:
            continue
        num = len(recall.flips)
        queries = "1 query" if num == 1 else f"{len(shown)} of {num} queries"
        lines.append(f"{recall.threshold.label}: {queries} that only one solves")
        lines += [f"  {_flip_text(flip, comparison, unit)}" for flip in shown]
    return lines


def comparisons_to_json(comparisons: Sequence[Comparison], unit: DistanceUnit) -> dict[str, Any]:
    """Convert to JSON values without NaN or infinity, which are null."""
    return {
        "schema_version": SCHEMA_VERSION,
        "distance_unit": {"symbol": unit.symbol, "length_in_map_units": unit.length},
        "comparisons": [
            {
                "first": comparison.first,
                "second": comparison.second,
                "conditions": {
                    condition: _scores_to_json(scores)
                    for condition, scores in comparison.rows.items()
                },
            }
            for comparison in comparisons
        ],
    }


def _recall_cells(recall: PairedRecall) -> tuple[str, ...]:
    difference = recall.difference
    low, high = 100 * difference.low, 100 * difference.high
    return (
        recall.threshold.label,
        str(recall.num_queries),
        str(recall.num_both),
        str(recall.num_only_first),
        str(recall.num_only_second),
        str(recall.num_neither),
        f"{100 * difference.value:+.1f} [{low:+.1f}, {high:+.1f}]",
        f"{recall.p_value:.2g}",
    )


def _median_cells(median: PairedMedian, length: float) -> tuple[str, str, str]:
    difference = median.difference
    texts = [f"{x / length:+.3g}" for x in (difference.value, difference.low, difference.high)]
    both = [error_text(median.first / length), error_text(median.second / length)]
    change = UNKNOWN if math.isnan(difference.value) else f"{texts[0]} [{texts[1]}, {texts[2]}]"
    return both[0], both[1], change


def _flip_text(flip: Flip, comparison: Comparison, unit: DistanceUnit) -> str:
    first, second = pose_error_text(flip.first, unit), pose_error_text(flip.second, unit)
    return f"{flip.name}: {comparison.first} {first}, {comparison.second} {second}"


def pose_error_text(error: QueryError, unit: DistanceUnit) -> str:
    """Format both errors of a query for people, or ``no pose``."""
    if not error.localized:
        return "no pose"
    return f"{distance_text(error.distance, unit)} and {angle_text(error.angle_deg)}"


def _scores_to_json(scores: PairedScores) -> dict[str, Any]:
    return {
        "recalls": [
            {
                **threshold_to_json(recall.threshold),
                "num_both": recall.num_both,
                "num_only_first": recall.num_only_first,
                "num_only_second": recall.num_only_second,
                "num_neither": recall.num_neither,
                "difference": interval_to_json(recall.difference),
                "p_value": recall.p_value,
                "flips": {
                    flip.name: {
                        "first": error_to_json(flip.first),
                        "second": error_to_json(flip.second),
                    }
                    for flip in recall.flips
                },
            }
            for recall in scores.recalls
        ],
        "median_distance": _median_to_json(scores.distance),
        "median_angle_deg": _median_to_json(scores.angle_deg),
    }


def _median_to_json(median: PairedMedian) -> dict[str, Any]:
    return {
        "first": finite_or_none(median.first),
        "second": finite_or_none(median.second),
        "difference": interval_to_json(median.difference),
    }
