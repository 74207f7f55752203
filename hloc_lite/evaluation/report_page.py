"""Values of the report's template: tables, and plots as SVG. Imports matplotlib."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from hloc_lite.evaluation.confidence_plots import reliability_svg, risk_coverage_svg
from hloc_lite.evaluation.confidence_scores import reliability, risk_coverage
from hloc_lite.evaluation.cue_picture import weight_gradient, weight_ticks
from hloc_lite.evaluation.curves import inlier_scatter_svg, position_curve_svg, rotation_curve_svg
from hloc_lite.evaluation.evaluate import Evaluation
from hloc_lite.evaluation.match_cards import match_cards
from hloc_lite.evaluation.plan_view import plan_values
from hloc_lite.evaluation.records import QueryRecord
from hloc_lite.evaluation.report_input import ReportInput
from hloc_lite.evaluation.report_tables import (
    confidence_tiles,
    failure_groups,
    flat_config,
    query_rows,
    recall_rows,
    stage_rows,
    summary_tiles,
)
from hloc_lite.evaluation.thresholds import MAP_UNITS, DistanceUnit


def page_values(report: ReportInput) -> dict[str, Any]:
    """Make the variables of ``report.html.j2``."""
    evaluation = report.evaluation
    without_truth = DistanceUnit() if report.is_metric else MAP_UNITS
    unit = evaluation.unit if evaluation else without_truth
    records = _complete_records(report)
    errors = {error.name: error for error in evaluation.overall.errors} if evaluation else {}
    return {
        "title": report.title,
        "subtitle": report.subtitle,
        "written": datetime.now().astimezone().strftime("%Y-%m-%d %H:%M %Z"),
        "notes": [*report.notes, *(evaluation.caveats if evaluation else [])],
        "tiles": summary_tiles(records, evaluation),
        "recalls": recall_rows(evaluation) if evaluation else None,
        "confidence": _confidence_values(evaluation),
        "position_curve": position_curve_svg(evaluation.rows, unit) if evaluation else None,
        "rotation_curve": rotation_curve_svg(evaluation.rows) if evaluation else None,
        "inliers_curve": inlier_scatter_svg(
            [
                (record.num_inliers, errors[record.name].distance)
                for record in records
                if record.num_inliers is not None and record.name in errors
            ],
            unit,
        ),
        "plan": plan_values(records, evaluation, report.model, unit),
        "cards": match_cards(report, records, errors, unit),
        "weight_gradient": weight_gradient(),
        "weight_ticks": weight_ticks(),
        "failures": failure_groups(records),
        "num_records": len(records),
        "unit": unit.symbol,
        "queries": query_rows(records, errors, evaluation),
        "stages": stage_rows(records),
        "config": flat_config(report.config),
        "versions": dict(report.versions),
    }


def _confidence_values(evaluation: Evaluation | None) -> dict[str, Any] | None:
    """Tiles and plots of the confidence; None where no confidence is known."""
    if evaluation is None or not len(evaluation.answers):
        return None
    answers = evaluation.answers
    return {
        "num": len(answers),
        "tiles": confidence_tiles(answers),
        "risk_curve": risk_coverage_svg(risk_coverage(answers)),
        "reliability": reliability_svg(reliability(answers)),
    }


def _complete_records(report: ReportInput) -> list[QueryRecord]:
    """All records, then one for each query of the ground truth that was not localized at all."""
    records = list(report.records)
    if report.evaluation is None:
        return records
    known = {record.name for record in records}
    absent = [e.name for e in report.evaluation.overall.errors if e.name not in known]
    missing = [
        QueryRecord(name, "missing", "it was not among the queries", None) for name in absent
    ]
    return records + missing
