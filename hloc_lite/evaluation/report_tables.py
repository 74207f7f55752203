"""Tables of the report as plain values for its template."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from hloc_lite.evaluation.confidence_scores import (
    GivenButWrong,
    ScoredAnswers,
    given_but_wrong,
    reliability,
    risk_coverage,
)
from hloc_lite.evaluation.evaluate import Evaluation
from hloc_lite.evaluation.metrics import QueryError
from hloc_lite.evaluation.records import QueryRecord
from hloc_lite.evaluation.tables import degree_text, distance_text
from hloc_lite.evaluation.thresholds import MAP_UNITS, Threshold


def summary_tiles(
    records: Sequence[QueryRecord], evaluation: Evaluation | None
) -> list[dict[str, str]]:
    """Key figures at the top of the page."""
    num_localized = sum(record.localized for record in records)
    share = f"{100 * num_localized / len(records):.1f} %" if records else "none"
    tiles = [_tile("localized", share, f"{num_localized} of {len(records)} queries")]
    if evaluation is not None:
        counted = evaluation.given_but_wrong
        value = f"{counted.num_wrong} of {counted.num_given}"
        tiles.insert(0, _tile("given but wrong", value, _definition(counted)))
        overall = evaluation.overall
        for threshold, recall in zip(overall.thresholds, overall.recalls, strict=True):
            interval = f"95 %: {100 * recall.low:.0f} to {100 * recall.high:.0f} %"
            tiles.append(
                _tile(
                    f"within {threshold_text(threshold)}", f"{100 * recall.value:.1f} %", interval
                )
            )
        distance, angle = overall.median_distance, overall.median_angle_deg
        tiles.append(
            _tile(
                "median position",
                distance_text(distance.value, evaluation.unit),
                "over all queries",
            )
        )
        tiles.append(_tile("median rotation", degree_text(angle.value), "over all queries"))
    else:
        inliers = [record.num_inliers for record in records if record.num_inliers is not None]
        if inliers:
            tiles.append(_tile("median inliers", f"{np.median(inliers):.0f}", "of localized"))
    totals = [record.total_ms for record in records if record.total_ms is not None]
    if totals:
        p95 = f"95 % under {_time_text(float(np.quantile(totals, 0.95)))}"
        tiles.append(_tile("median time", _time_text(float(np.median(totals))), p95))
    return tiles


def recall_rows(evaluation: Evaluation) -> dict[str, Any]:
    """Header and rows of the recall table; recalls in percent."""
    rows = []
    for condition, scores in evaluation.rows.items():
        recalls = [
            {
                "value": f"{100 * recall.value:.1f}",
                "interval": f"{100 * recall.low:.1f} to {100 * recall.high:.1f}",
                "low": 100 * recall.low,
                "width": 100 * (recall.high - recall.low),
                "mid": 100 * recall.value,
                "count": f"{scores.num_within(threshold)} of {scores.num_queries}",
            }
            for threshold, recall in zip(scores.thresholds, scores.recalls, strict=True)
        ]
        rows.append(
            {
                "condition": condition,
                "num_queries": scores.num_queries,
                "num_localized": scores.num_localized,
                "num_wrong": given_but_wrong(scores.errors, evaluation.correct).num_wrong,
                "recalls": recalls,
                "distance": distance_text(scores.median_distance.value, evaluation.unit),
                "distance_interval": _between(
                    distance_text(scores.median_distance.low, evaluation.unit),
                    distance_text(scores.median_distance.high, evaluation.unit),
                ),
                "angle": degree_text(scores.median_angle_deg.value),
                "angle_interval": _between(
                    degree_text(scores.median_angle_deg.low),
                    degree_text(scores.median_angle_deg.high),
                ),
            }
        )
    labels = [threshold_text(threshold) for threshold in evaluation.overall.thresholds]
    return {"thresholds": labels, "rows": rows}


def threshold_text(threshold: Threshold) -> str:
    """Format the label ``0.25m,2deg`` as ``0.25 m, 2°``; without a unit it is in map units."""
    distance, separator, angle = threshold.label.partition(",")
    if not separator:
        return threshold.label
    digits = distance.rstrip("cm%")
    unit = distance[len(digits) :] or MAP_UNITS.symbol
    return f"{digits} {unit}, {angle.removesuffix('deg')}°"


def query_rows(
    records: Sequence[QueryRecord],
    errors: Mapping[str, QueryError],
    evaluation: Evaluation | None,
) -> list[dict[str, Any]]:
    """One row per query; numbers are for sorting, texts for display."""
    condition_of = _conditions_by_name(evaluation)
    rows = []
    for record in records:
        error = errors.get(record.name)
        known = error is not None and error.localized
        unit = evaluation.unit if evaluation else MAP_UNITS
        rows.append(
            {
                "name": record.name,
                "condition": condition_of.get(record.name, ""),
                "status": record.status.replace("_", " "),
                "localized": record.localized,
                "reason": record.reason + _fallback_text(record),
                "inliers": record.num_inliers,
                "confidence": record.confidence,
                "confidence_text": ""
                if record.confidence is None
                else f"{math.floor(1000 * record.confidence) / 1000:.3f}",
                "wrong": bool(
                    evaluation and error and known and not error.within(evaluation.correct)
                ),
                "distance": unit.convert(error.distance) if error and known else None,
                "distance_text": f"{unit.convert(error.distance):.3g}" if error and known else "",
                "angle": error.angle_deg if error and known else None,
                "angle_text": f"{error.angle_deg:.3g}" if error and known else "",
                "total_ms": record.total_ms,
                "total_text": "" if record.total_ms is None else f"{record.total_ms:.0f}",
            }
        )
    return rows


def confidence_tiles(answers: ScoredAnswers) -> list[dict[str, str]]:
    """Key figures of the confidence."""
    curve, diagram = risk_coverage(answers), reliability(answers)
    return [
        _tile("calibration error", f"{diagram.calibration_error:.3f}", "expected; 0 is perfect"),
        _tile("risk over coverage", f"{curve.area:.4f}", "area; 0 is perfect"),
        _tile("AUC of precision", f"{curve.precision_area:.4f}", "as map-free relocalization"),
    ]


def failure_groups(records: Sequence[QueryRecord]) -> list[dict[str, Any]]:
    """Queries without a pose grouped by status, most frequent first."""
    groups: dict[str, list[QueryRecord]] = {}
    for record in records:
        if not record.localized:
            groups.setdefault(record.status, []).append(record)
    ordered = sorted(groups.items(), key=lambda item: (-len(item[1]), item[0]))
    return [
        {
            "status": status.replace("_", " "),
            "queries": [{"name": r.name, "reason": r.reason + _fallback_text(r)} for r in group],
        }
        for status, group in ordered
    ]


def stage_rows(records: Sequence[QueryRecord]) -> list[dict[str, Any]]:
    """Median, 95th percentile and share of total time of each stage, in order of appearance."""
    times: dict[str, list[float]] = {}
    for record in records:
        for stage, time_ms in record.timings_ms.items():
            times.setdefault(stage, []).append(time_ms)
    total = sum(sum(values) for stage, values in times.items() if stage != "total")
    return [
        {
            "stage": stage.replace("_", " "),
            "num": len(values),
            "median": _time_text(float(np.median(values))),
            "p95": _time_text(float(np.quantile(values, 0.95))),
            "share": 100 * sum(values) / total if total and stage != "total" else None,
        }
        for stage, values in times.items()
    ]


def flat_config(config: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Flatten nested values to (dotted key, text)."""
    rows: list[tuple[str, str]] = []
    for key, value in config.items():
        if isinstance(value, Mapping):
            rows += flat_config(value, f"{prefix}{key}.")
        else:
            rows.append((f"{prefix}{key}", str(value)))
    return rows


def _conditions_by_name(evaluation: Evaluation | None) -> dict[str, str]:
    if evaluation is None or len(evaluation.conditions) < 2:
        return {}
    return {name: condition for condition, poses in evaluation.conditions.items() for name in poses}


def _fallback_text(record: QueryRecord) -> str:
    if record.fallback_name is None:
        return ""
    return f" (fallback written: pose of the retrieved image {record.fallback_name})"


def _definition(counted: GivenButWrong) -> str:
    beyond = "at or beyond" if counted.correct.strict else "beyond"
    return f"wrong: {beyond} {threshold_text(counted.correct).replace(', ', ' or ')}"


def _tile(label: str, value: str, detail: str) -> dict[str, str]:
    return {"label": label, "value": value, "detail": detail}


def _between(low: str, high: str) -> str:
    return f"{low} to {high}"


def _time_text(time_ms: float) -> str:
    if not math.isfinite(time_ms):
        return "unknown"
    return f"{time_ms / 1000:.2f} s" if time_ms >= 1000 else f"{time_ms:.3g} ms"
