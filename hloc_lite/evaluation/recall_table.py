"""Table of recalls as papers print it: a row for each method, a column for each condition.

Published rows, with their source, stand above our own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from hloc_lite.errors import HlocLiteError
from hloc_lite.evaluation.metrics import Scores
from hloc_lite.evaluation.scene_means import SceneMeans
from hloc_lite.evaluation.table_text import TextTable
from hloc_lite.evaluation.tables import error_text
from hloc_lite.evaluation.thresholds import DistanceUnit, Threshold

UNKNOWN = "-"
"""Text of a cell of which nothing is known."""


@dataclass(frozen=True)
class MethodRow:
    """Recalls, and medians where known, of one method by condition."""

    method: str
    recalls_percent: Mapping[str, Sequence[float]]
    """Condition -> percent of the queries within each threshold."""
    medians: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    """Condition -> median distance in the table's unit, and median angle in degrees."""
    source: str = ""
    """Paper or page that published the row; empty for our own."""

    def __post_init__(self) -> None:
        for condition, recalls in self.recalls_percent.items():
            if not all(0 <= recall <= 100 for recall in recalls):
                raise HlocLiteError(
                    f"{self.method!r}, {condition!r}: recalls are percents from 0 to 100, got "
                    f"{list(recalls)}"
                )


def published_row(
    method: str,
    source: str,
    recalls_percent: Mapping[str, Sequence[float]],
    medians: Mapping[str, tuple[float, float]] | None = None,
) -> MethodRow:
    """Make the row of published recalls, which needs a source.

    Raises:
        HlocLiteError: no source, or recalls that are no percents.
    """
    if not source.strip():
        raise HlocLiteError(f"the published row of {method!r} needs a source")
    return MethodRow(method, recalls_percent, medians or {}, source)


def own_row(
    method: str, rows: Mapping[str, Scores | SceneMeans], unit: DistanceUnit | None = None
) -> MethodRow:
    """Make the row of our own scores by condition; medians are in a unit (default: metres)."""
    unit = unit or DistanceUnit()
    recalls = {condition: _percents(scores) for condition, scores in rows.items()}
    return MethodRow(method, recalls, {c: _medians(s, unit) for c, s in rows.items()})


def recall_table(
    rows: Sequence[MethodRow],
    thresholds: Sequence[Threshold],
    *,
    truth: str = "",
    medians: bool = False,
    unit: DistanceUnit | None = None,
) -> TextTable:
    """Arrange rows of methods as a table, published ones first.

    Args:
        rows: rows of methods; conditions that a row lacks are shown as ``-``.
        thresholds: thresholds of the recalls, for the caption.
        truth: name of the ground truth, for the caption: rankings may differ between two truths.
        medians: show median errors, in a further column for each condition.
        unit: unit of the medians; default: metres.

    Raises:
        HlocLiteError: no rows, or a cell without one recall for each threshold.
    """
    if not rows:
        raise HlocLiteError("a table of recalls needs at least one row")
    _check_counts(rows, len(thresholds))
    ordered = [row for row in rows if row.source] + [row for row in rows if not row.source]
    num_published = sum(bool(row.source) for row in rows)
    conditions = list(dict.fromkeys(c for row in rows for c in row.recalls_percent))
    unit = unit or DistanceUnit()
    header = ["method"]
    for condition in conditions:
        header += [condition, *([f"{condition}, median {unit.symbol} / deg"] if medians else [])]
    cells = [_cells(row, conditions, medians) for row in ordered]
    if num_published:
        header.append("source")
        cells = [[*line, row.source or "ours"] for line, row in zip(cells, ordered, strict=True)]
    is_mixed = 0 < num_published < len(rows)
    return TextTable(
        tuple(header),
        tuple(tuple(line) for line in cells),
        _caption(thresholds, truth),
        (num_published,) if is_mixed else (),
        (0, len(header) - 1) if num_published else (0,),
    )


def _cells(row: MethodRow, conditions: Sequence[str], medians: bool) -> list[str]:
    cells = [row.method]
    for condition in conditions:
        recalls = row.recalls_percent.get(condition)
        cells.append(UNKNOWN if recalls is None else " / ".join(f"{r:.1f}" for r in recalls))
        if medians:
            found = row.medians.get(condition)
            cells.append(UNKNOWN if found is None else " / ".join(map(error_text, found)))
    return cells


def _caption(thresholds: Sequence[Threshold], truth: str) -> str:
    labels = " / ".join(threshold.label for threshold in thresholds)
    bound = "below" if any(threshold.strict for threshold in thresholds) else "of at most"
    against = f", against {truth}" if truth else ""
    return f"Percent of the queries with errors {bound} {labels}{against}"


def _check_counts(rows: Sequence[MethodRow], num: int) -> None:
    for row in rows:
        for condition, recalls in row.recalls_percent.items():
            if len(recalls) != num:
                raise HlocLiteError(
                    f"{row.method!r}, {condition!r}: expected {num} recalls, one for each "
                    f"threshold, got {len(recalls)}"
                )


def _percents(scores: Scores | SceneMeans) -> list[float]:
    if isinstance(scores, SceneMeans):
        return [100 * recall for recall in scores.recalls]
    return [100 * recall.value for recall in scores.recalls]


def _medians(scores: Scores | SceneMeans, unit: DistanceUnit) -> tuple[float, float]:
    if isinstance(scores, SceneMeans):
        return unit.convert(scores.median_distance), scores.median_angle_deg
    return unit.convert(scores.median_distance.value), scores.median_angle_deg.value
