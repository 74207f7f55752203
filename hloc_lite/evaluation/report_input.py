"""Input of the HTML report."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hloc_lite.evaluation.evaluate import Evaluation, evaluate
from hloc_lite.evaluation.metrics import BootstrapConfig
from hloc_lite.evaluation.records import (
    QueryRecord,
    confidences_of,
    promises_of,
    records_from_results,
)
from hloc_lite.evaluation.thresholds import WITHOUT_UNIT, DistanceUnit, Threshold, parse_thresholds
from hloc_lite.geometry.surface_rendering import ViewableSurface
from hloc_lite.scene import SfmModel
from hloc_lite.types import LabelMap, LocalizationResult, Photo, Rigid3, Surface


def no_photo(_: str) -> Photo | None:
    """Photo loader that finds no photo."""
    return None


def no_labels(_: Photo) -> LabelMap | None:
    """Segmenter that returns no label map."""
    return None


@dataclass(frozen=True, eq=False)
class ReportInput:
    """Data shown in a report; only the title and the records are required."""

    title: str
    records: Sequence[QueryRecord]
    """All queries of the run; with ``evaluation``, named as in the ground truth."""
    evaluation: Evaluation | None = None
    model: SfmModel | None = None
    """SfM model of the map, for the plan view and the match pictures."""
    load_result: Callable[[str], LocalizationResult | None] = field(default=lambda _: None)
    """Query name -> full result; called only for the queries shown as pictures."""
    load_query_photo: Callable[[str], Photo | None] = no_photo
    load_map_photo: Callable[[str], Photo | None] = no_photo
    surface: Surface | ViewableSurface | None = None
    """Surface of the map, for synthesized views beside the photos."""
    load_labels: Callable[[Photo], LabelMap | None] = no_labels
    """Query photo -> its label map, for the cue pictures."""
    subtitle: str = ""
    config: Mapping[str, Any] = field(default_factory=dict)
    """Nested plain values, such as ``config.model_dump()``."""
    versions: Mapping[str, str] = field(default_factory=dict)
    is_metric: bool = False
    """True if the poses are in metres, for plans without an evaluation."""
    notes: Sequence[str] = ()
    """Sentences shown at the top of the page."""


def report_input_from_results(
    results: Sequence[LocalizationResult],
    *,
    title: str,
    conditions: Mapping[str, Mapping[str, Rigid3]] | None = None,
    thresholds: Sequence[Threshold] | None = None,
    unit: DistanceUnit | None = None,
    bootstrap: BootstrapConfig | None = None,
    **rest: Any,
) -> ReportInput:
    """Make the report input for results in memory.

    Args:
        results: one per query.
        title: heading of the page.
        conditions: condition -> query name -> true cam_from_world; without it nothing is scored.
        thresholds: accuracy thresholds; default: the numbers of Aachen Day-Night.
        unit: unit of the distances shown; default: map units.
        bootstrap: settings of the confidence intervals.
        rest: other fields of ``ReportInput`` (model, load_query_photo, config, ...).
    """
    evaluation = None
    if conditions:
        estimated = {
            result.query_name: result.pose.cam_from_world
            for result in results
            if result.pose is not None
        }
        query_names = [result.query_name for result in results]
        chosen = thresholds or parse_thresholds([WITHOUT_UNIT])
        evaluation = evaluate(
            estimated, conditions, chosen, unit, bootstrap, query_names, confidences_of(results)
        )
    records = records_from_results(results, evaluation)
    by_name = {result.query_name: result for result in results}
    rest["notes"] = [*rest.get("notes", ()), *promises_of(results)]
    return ReportInput(title, records, evaluation, load_result=by_name.get, **rest)
