"""One self-contained HTML page on a run: scores, curves, plan view, pictures, failures, times."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import jinja2

from hloc_lite.evaluation.curves import inliers_svg, position_curve_svg, rotation_curve_svg
from hloc_lite.evaluation.errors import BootstrapConfig
from hloc_lite.evaluation.evaluate import Evaluation, evaluate
from hloc_lite.evaluation.evidence_picture import weight_gradient, weight_ticks
from hloc_lite.evaluation.records import QueryRecord, records_of_results
from hloc_lite.evaluation.report_parts import (
    failure_groups,
    flat_config,
    plan_part,
    query_rows,
    recall_rows,
    stage_rows,
    tiles,
)
from hloc_lite.evaluation.showcase import match_cards
from hloc_lite.evaluation.thresholds import DistanceUnit, Threshold, parse_thresholds
from hloc_lite.io.files import write_text_atomic
from hloc_lite.types import LabelMap, LocalizationResult, Photo, Rigid3, SfmModel

FILE_NAME = "report.html"


def no_photo(_: str) -> Photo | None:
    """A loader that knows no photo."""
    return None


def no_labels(_: Photo) -> LabelMap | None:
    """A segmenter that knows nothing."""
    return None


@dataclass(frozen=True, eq=False)
class ReportInput:
    """What a report is made of; everything but the queries may be missing."""

    title: str
    records: Sequence[QueryRecord]
    """Every query that was tried; with ``evaluation``, under the names of the truth."""
    evaluation: Evaluation | None = None
    model: SfmModel | None = None
    """Of the map: for the plan view and the match pictures."""
    load_result: Callable[[str], LocalizationResult | None] = field(default=lambda _: None)
    """The full result by query name, asked for the few that are shown."""
    load_query_photo: Callable[[str], Photo | None] = no_photo
    load_map_photo: Callable[[str], Photo | None] = no_photo
    load_labels: Callable[[Photo], LabelMap | None] = no_labels
    """Of a query's photo, for the pictures of evidence."""
    subtitle: str = ""
    config: Mapping[str, Any] = field(default_factory=dict)
    """Nested plain values, e.g. ``config.model_dump()``."""
    versions: Mapping[str, str] = field(default_factory=dict)
    notes: Sequence[str] = ()
    """Sentences shown above everything."""


def report_input_of_results(
    results: Sequence[LocalizationResult],
    *,
    title: str,
    conditions: Mapping[str, Mapping[str, Rigid3]] | None = None,
    thresholds: Sequence[Threshold] | None = None,
    unit: DistanceUnit | None = None,
    bootstrap: BootstrapConfig | None = None,
    **rest: Any,
) -> ReportInput:
    """The input for results in memory, scored if ``conditions`` (name -> true poses) are given.

    ``rest`` goes to ``ReportInput`` (model, load_query_photo, load_map_photo, config, ...).
    """
    evaluation = None
    if conditions:
        estimated = {
            result.query_name: result.pose.cam_from_world
            for result in results
            if result.pose is not None
        }
        tried = [result.query_name for result in results]
        chosen = thresholds or parse_thresholds(["aachen"])
        evaluation = evaluate(estimated, conditions, chosen, unit, bootstrap, tried)
    records = records_of_results(results, evaluation)
    by_name = {result.query_name: result for result in results}
    return ReportInput(title, records, evaluation, load_result=by_name.get, **rest)


def write_report(out: Path, report: ReportInput) -> Path:
    """Write the page to ``out`` (a folder: ``report.html`` in it; or a file *.html).

    Returns:
        The file written.

    Raises:
        HlocLiteError: it cannot be written.
    """
    path = report_file(out)
    write_text_atomic(path, render_report(report))
    return path


def report_file(out: Path) -> Path:
    """The page that ``write_report`` writes to ``out``."""
    return out if out.suffix.lower() in (".html", ".htm") else out / FILE_NAME


def render_report(report: ReportInput) -> str:
    """The page as HTML; it refers to nothing outside itself."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("hloc_lite.evaluation", "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html.j2").render(**_context(report))


def _context(report: ReportInput) -> dict[str, Any]:
    evaluation = report.evaluation
    unit = evaluation.unit if evaluation else DistanceUnit("map units")
    records = _complete_records(report)
    errors = {error.name: error for error in evaluation.overall.errors} if evaluation else {}
    return {
        "title": report.title,
        "subtitle": report.subtitle,
        "written": datetime.now().astimezone().strftime("%Y-%m-%d %H:%M %Z"),
        "notes": [*report.notes, *(evaluation.caveats if evaluation else [])],
        "tiles": tiles(records, evaluation),
        "recalls": recall_rows(evaluation) if evaluation else None,
        "position_curve": position_curve_svg(evaluation.rows, unit) if evaluation else None,
        "rotation_curve": rotation_curve_svg(evaluation.rows) if evaluation else None,
        "inliers_curve": inliers_svg(
            [
                (record.num_inliers, errors[record.name].distance)
                for record in records
                if record.num_inliers is not None and record.name in errors
            ],
            unit,
        ),
        "plan": plan_part(records, evaluation, report.model, unit),
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


def _complete_records(report: ReportInput) -> list[QueryRecord]:
    """The records in order, and one for each query of the truth that was never tried."""
    records = list(report.records)
    if report.evaluation is None:
        return records
    known = {record.name for record in records}
    never = [e.name for e in report.evaluation.overall.errors if e.name not in known]
    missing = [QueryRecord(name, "missing", "it was not among the queries", None) for name in never]
    return records + missing
