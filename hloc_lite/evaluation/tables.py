"""Scores as a text table for the terminal and as JSON values."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from hloc_lite.evaluation.confidence_scores import (
    GivenButWrong,
    ScoredAnswers,
    given_but_wrong,
    reliability,
    risk_coverage,
)
from hloc_lite.evaluation.evaluate import Evaluation
from hloc_lite.evaluation.metrics import Interval, Scores
from hloc_lite.evaluation.query_error import QueryError
from hloc_lite.evaluation.table_text import TextTable, plain_table
from hloc_lite.evaluation.thresholds import DistanceUnit, Threshold

SCHEMA_VERSION = 1


def text_table(rows: Mapping[str, Scores], unit: DistanceUnit, correct: Threshold) -> str:
    """Format scores as a table: condition, queries, localized, wrong, recalls in percent, medians.

    Args:
        correct: errors beyond which a given pose is wrong.
    """
    first = next(iter(rows.values()))
    labels = [threshold.label for threshold in first.thresholds]
    header = ["", "queries", "localized", "wrong", *labels, "median", "median"]
    lines = [
        (
            condition,
            str(scores.num_queries),
            str(scores.num_localized),
            str(given_but_wrong(scores.errors, correct).num_wrong),
            *(percent_text(recall) for recall in scores.recalls),
            distance_text(scores.median_distance.value, unit),
            angle_text(scores.median_angle_deg.value),
        )
        for condition, scores in rows.items()
    ]
    return plain_table(TextTable(tuple(header), tuple(lines)))


def confidence_lines(answers: ScoredAnswers) -> list[str]:
    """Scores of the confidence, a line each; none where no confidence is known."""
    if not len(answers):
        return []
    curve = risk_coverage(answers)
    error = reliability(answers).calibration_error
    return [
        f"confidence of {len(answers)} given poses: expected calibration error {error:.3f}, "
        f"area under risk over coverage {curve.area:.4f}, AUC of precision (map-free) "
        f"{curve.precision_area:.4f}"
    ]


def percent_text(recall: Interval) -> str:
    """Format a recall and its interval in percent: ``97.5 [92.5, 100.0]``."""
    return f"{100 * recall.value:.1f} [{100 * recall.low:.1f}, {100 * recall.high:.1f}]"


def distance_text(distance: float, unit: DistanceUnit) -> str:
    """Format a distance with three digits and its unit; an infinite one as ``no pose``."""
    return f"{unit.convert(distance):.3g} {unit.symbol}" if math.isfinite(distance) else "no pose"


def error_text(error: float) -> str:
    """Format an error with three digits, without its unit; an infinite one as ``no pose``."""
    return f"{error:.3g}" if math.isfinite(error) else "no pose"


def angle_text(angle_deg: float) -> str:
    """Format an angle with three digits, as ``1.23 deg``; an infinite one as ``no pose``."""
    return f"{angle_deg:.3g} deg" if math.isfinite(angle_deg) else "no pose"


def degree_text(angle_deg: float) -> str:
    """Format an angle like ``angle_text``, with the degree sign."""
    return angle_text(angle_deg).replace(" deg", "°")


def evaluation_to_json(evaluation: Evaluation) -> dict[str, Any]:
    """Convert to JSON values without NaN or infinity; errors of failures are null."""
    unit = evaluation.unit
    return {
        "schema_version": SCHEMA_VERSION,
        "distance_unit": {"symbol": unit.symbol, "length_in_map_units": unit.length},
        "given_but_wrong": _wrong_to_json(evaluation.given_but_wrong),
        "confidence": _confidence_to_json(evaluation.answers),
        "conditions": {
            name: {
                **_scores_to_json(scores),
                "num_wrong": given_but_wrong(scores.errors, evaluation.correct).num_wrong,
            }
            for name, scores in evaluation.rows.items()
        },
        "unknown_names": list(evaluation.names.unknown),
        "notes": evaluation.caveats,
    }


def _wrong_to_json(counted: GivenButWrong) -> dict[str, Any]:
    return {
        "num_wrong": counted.num_wrong,
        "num_given": counted.num_given,
        "max_distance": counted.correct.max_distance,
        "max_angle_deg": counted.correct.max_angle_deg,
    }


def _confidence_to_json(answers: ScoredAnswers) -> dict[str, Any] | None:
    """Scores of the confidence and its two curves; None where no confidence is known."""
    if not len(answers):
        return None
    curve, diagram = risk_coverage(answers), reliability(answers)
    return {
        "num_answers": len(answers),
        "expected_calibration_error": diagram.calibration_error,
        "risk_coverage_area": curve.area,
        "precision_auc": curve.precision_area,
        "coverage": curve.coverage.tolist(),
        "risk": curve.risk.tolist(),
        "reliability": {
            "edges": diagram.edges.tolist(),
            "counts": diagram.counts.tolist(),
            "mean_confidence": [finite_or_none(value) for value in diagram.mean_confidence],
            "share_right": [finite_or_none(value) for value in diagram.share_right],
        },
    }


def _scores_to_json(scores: Scores) -> dict[str, Any]:
    return {
        "num_queries": scores.num_queries,
        "num_localized": scores.num_localized,
        "recalls": [
            {
                **threshold_to_json(threshold),
                "num_within": scores.num_within(threshold),
                **interval_to_json(recall),
            }
            for threshold, recall in zip(scores.thresholds, scores.recalls, strict=True)
        ],
        "median_distance": interval_to_json(scores.median_distance),
        "median_angle_deg": interval_to_json(scores.median_angle_deg),
        "errors": {error.name: error_to_json(error) for error in scores.errors},
    }


def threshold_to_json(threshold: Threshold) -> dict[str, Any]:
    """Convert a threshold to JSON values; distances are in map units."""
    return {
        "threshold": threshold.label,
        "max_distance": threshold.max_distance,
        "max_angle_deg": threshold.max_angle_deg,
        "strict": threshold.strict,
    }


def error_to_json(error: QueryError) -> dict[str, float | None]:
    """Convert errors to JSON values; those of a failure are null."""
    return {
        "distance": finite_or_none(error.distance),
        "angle_deg": finite_or_none(error.angle_deg),
    }


def interval_to_json(interval: Interval) -> dict[str, float | None]:
    """Convert to JSON values; what is not finite is null."""
    return {
        "value": finite_or_none(interval.value),
        "low": finite_or_none(interval.low),
        "high": finite_or_none(interval.high),
    }


def finite_or_none(value: float) -> float | None:
    """Return a finite number as it is, and None for others, which JSON lacks."""
    return float(value) if math.isfinite(value) else None
