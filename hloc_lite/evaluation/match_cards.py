"""Picture cards of a report: the best, middle, worst and failed queries with their matches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hloc_lite.evaluation.cue_picture import cue_rows, draw_cues
from hloc_lite.evaluation.evaluate import Evaluation
from hloc_lite.evaluation.match_picture import draw_matches
from hloc_lite.evaluation.metrics import QueryError
from hloc_lite.evaluation.records import QueryRecord
from hloc_lite.evaluation.report_input import ReportInput
from hloc_lite.evaluation.shared_view import best_map_image
from hloc_lite.evaluation.tables import degree_text, distance_text
from hloc_lite.evaluation.thresholds import DistanceUnit
from hloc_lite.evaluation.view_picture import draw_view
from hloc_lite.types import LocalizationResult, Photo

NUM_PER_KIND = 2
"""Queries shown of each kind."""


def match_cards(
    report: ReportInput,
    records: Sequence[QueryRecord],
    errors: Mapping[str, QueryError],
    unit: DistanceUnit,
) -> list[dict[str, Any]]:
    """Make a card for each selected query whose result and photo can be loaded."""
    cards = []
    for kind, record in _select_queries(records, errors, report.evaluation):
        result = report.load_result(record.query_name)
        photo = report.load_query_photo(record.query_name)
        if result is None or photo is None:
            continue
        best = best_map_image(result, report.model) if report.model else None
        map_photo = report.load_map_photo(best.name) if best else None
        map_image = (best, map_photo) if best and map_photo else None
        error = errors.get(record.name)
        cards.append(
            {
                "kind": kind,
                "name": record.name,
                "picture": draw_matches(result, photo, map_image),
                "rank": 1 + result.hits.names.index(best.name) if best else None,
                "num_retrieved": len(result.hits.names),
                "num_inliers": record.num_inliers,
                "num_matches": len(result.correspondences) if result.correspondences else 0,
                "errors": f"{distance_text(error.distance, unit)}, {degree_text(error.angle_deg)}"
                if error and error.localized
                else None,
                "reason": record.reason,
                "cues": _cue_values(report, result, photo),
                "view": None
                if report.surface is None
                else draw_view(result, photo, report.surface),
            }
        )
    return cards


def _cue_values(
    report: ReportInput, result: LocalizationResult, photo: Photo
) -> dict[str, Any] | None:
    """Values of the template for the cues of a query; None if it used none."""
    if not result.cues or result.correspondences is None or len(result.correspondences) == 0:
        return None
    return {
        "picture": draw_cues(result, photo, report.load_labels(photo)),
        "rows": cue_rows(result),
    }


def _select_queries(
    records: Sequence[QueryRecord],
    errors: Mapping[str, QueryError],
    evaluation: Evaluation | None,
) -> list[tuple[str, QueryRecord]]:
    """Select queries by their error relative to the first threshold; unscored ones by inliers."""
    localized = [r for r in records if r.localized and (evaluation is None or r.name in errors)]
    if evaluation is not None and evaluation.overall.thresholds:
        first = evaluation.overall.thresholds[0]

        def rank_key(record: QueryRecord) -> float:
            error = errors[record.name]
            return max(error.distance / first.max_distance, error.angle_deg / first.max_angle_deg)
    else:

        def rank_key(record: QueryRecord) -> float:
            return -(record.num_inliers or 0)

    ranked = sorted(localized, key=rank_key)
    middle = max(0, (len(ranked) - NUM_PER_KIND) // 2)
    best, worst = ("best", "worst") if evaluation else ("most inliers", "fewest inliers")
    picks = [(best, r) for r in ranked[:NUM_PER_KIND]]
    picks += [(worst, r) for r in ranked[NUM_PER_KIND:][::-1][:NUM_PER_KIND]]
    picks += [("middle", r) for r in ranked[middle : middle + NUM_PER_KIND]]
    picks += [("failed", r) for r in [r for r in records if not r.localized][:NUM_PER_KIND]]
    once: dict[str, tuple[str, QueryRecord]] = {}
    for kind, record in picks:
        once.setdefault(record.name, (kind, record))
    order = [best, "middle", worst, "failed"]
    return sorted(once.values(), key=lambda pick: order.index(pick[0]))
