"""Evaluation of estimated poses: aligns names, scores them, explains recalls near zero."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from hloc_lite.evaluation.conditions import grouped_conditions
from hloc_lite.evaluation.confidence_scores import (
    GivenButWrong,
    ScoredAnswers,
    given_but_wrong,
    scored_answers,
)
from hloc_lite.evaluation.diagnosis import diagnose
from hloc_lite.evaluation.metrics import (
    BootstrapConfig,
    Scores,
    merge_conditions,
    score_conditions,
)
from hloc_lite.evaluation.names import NameAlignment, align_names
from hloc_lite.evaluation.thresholds import (
    MAP_UNITS,
    DistanceUnit,
    Threshold,
    correct_within,
    strict_thresholds,
)
from hloc_lite.types import Rigid3

SUSPICIOUS_RECALL = 0.1
"""Recall at the loosest threshold below which other pose conventions are tried."""


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Scores by condition, with caveats."""

    rows: Mapping[str, Scores]
    """Condition or group of conditions -> scores; the last row is all conditions together."""
    conditions: Mapping[str, Mapping[str, Rigid3]]
    """Condition -> true cam_from_world poses."""
    names: NameAlignment
    """How the names of the queries were matched with those of the ground truth."""
    unit: DistanceUnit
    hint: str | None
    """Probable cause of a recall near zero, such as a wrong pose convention."""
    correct: Threshold = field(default_factory=correct_within)
    """Errors within which a given pose is correct; beyond, it is wrong."""
    confidences: Mapping[str, float] = field(default_factory=dict)
    """True name -> confidence of the given poses, where known."""

    @property
    def overall(self) -> Scores:
        """Scores of all conditions together."""
        return list(self.rows.values())[-1]

    @property
    def given_but_wrong(self) -> GivenButWrong:
        """Wrong poses among the given ones, over all conditions."""
        return given_but_wrong(self.overall.errors, self.correct)

    @property
    def answers(self) -> ScoredAnswers:
        """Given poses with a confidence, over all conditions."""
        return scored_answers(self.overall.errors, self.confidences, self.correct)

    @property
    def failures(self) -> list[str]:
        """Sentences on the queries without a pose, or with a fallback only; empty if none are."""
        failed = self.overall.failed_names
        fallbacks = [error.name for error in self.overall.errors if error.is_fallback]
        of_all = f"of {self.overall.num_queries} queries"
        notes = []
        if failed:
            notes.append(
                f"{len(failed)} {of_all} have no pose and count as failures: {_some(failed)}"
            )
        if fallbacks:
            notes.append(
                f"{len(fallbacks)} {of_all} have a fallback only, the pose of a map image: it "
                f"counts in the recalls, and not as given: {_some(fallbacks)}"
            )
        return notes

    @property
    def caveats(self) -> list[str]:
        """Sentences to read before trusting the scores."""
        notes = []
        names = self.names
        if names.num_parts is not None:
            notes.append(names.explanation)
        if names.unknown:
            notes.append(
                f"{len(names.unknown)} names are not in the ground truth and are not scored: "
                f"{_some(names.unknown)}"
            )
        if self.hint is not None:
            notes.append(f"hint: {self.hint}")
        return notes


def evaluate(
    estimated: Mapping[str, Rigid3],
    conditions: Mapping[str, Mapping[str, Rigid3]],
    thresholds: Sequence[Threshold],
    unit: DistanceUnit | None = None,
    bootstrap: BootstrapConfig | None = None,
    query_names: Collection[str] | None = None,
    confidences: Mapping[str, float] | None = None,
    correct: Threshold | None = None,
    fallbacks: Collection[str] = (),
    *,
    groups: Mapping[str, Sequence[str]] | None = None,
    strict: bool = False,
) -> Evaluation:
    """Score estimated ``cam_from_world`` poses (name -> pose) against the true ones.

    Args:
        estimated: query name -> estimated cam_from_world.
        conditions: condition -> query name -> true cam_from_world.
        thresholds: accuracy thresholds of the recalls.
        unit: unit of the distances shown; default: map units.
        bootstrap: settings of the confidence intervals.
        query_names: all queries of the run, with or without a pose. With them, a run that localized
            nothing still shows whether its names match those of the ground truth.
        confidences: query name -> confidence in its pose, where known.
        correct: errors within which a given pose is correct; default: ``correct_within`` the unit.
        fallbacks: queries whose estimated pose is that of the most similar map image
            (``LocalizationResult.fallback``).
        groups: group -> conditions in it, for further rows (see ``grouped_conditions``).
        strict: take errors below the thresholds and ``correct`` only, as hloc and LaMAR do, instead
            of at most these.

    Raises:
        HlocLiteError: no true poses, names that match none or several true ones, conditions with
            different true poses of one query, or a bad group.
    """
    unit = unit or MAP_UNITS
    correct = correct_within(unit) if correct is None else correct
    if strict:
        thresholds, (correct,) = strict_thresholds(thresholds), strict_thresholds([correct])
    true = merge_conditions(conditions)
    names = align_names(estimated if query_names is None else query_names, true)
    renamed = {names.true_names[n]: pose for n, pose in estimated.items() if n in names.true_names}
    known_fallbacks = {names.true_names[n] for n in fallbacks if n in names.true_names}
    rows = {
        condition: _with_fallbacks(scores, known_fallbacks)
        for condition, scores in score_conditions(
            renamed, grouped_conditions(conditions, groups or {}), thresholds, bootstrap
        ).items()
    }
    recalls = list(rows.values())[-1].recalls
    suspicious = bool(recalls) and recalls[-1].value < SUSPICIOUS_RECALL
    hint = diagnose(renamed, true) if suspicious else None
    known = {
        names.true_names[n]: c for n, c in (confidences or {}).items() if n in names.true_names
    }
    return Evaluation(rows, conditions, names, unit, hint, correct, known)


def _with_fallbacks(scores: Scores, fallbacks: Collection[str]) -> Scores:
    """Scores whose errors tell which poses are fallbacks."""
    errors = [replace(error, is_fallback=error.name in fallbacks) for error in scores.errors]
    return replace(scores, errors=tuple(errors))


def _some(names: Sequence[str], count: int = 5) -> str:
    return ", ".join(names[:count]) + (", ..." if len(names) > count else "")
