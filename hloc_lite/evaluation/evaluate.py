"""Estimated poses against true ones: names aligned, scored, and explained where they score zero."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from hloc_lite.evaluation.diagnosis import diagnose
from hloc_lite.evaluation.errors import (
    BootstrapConfig,
    Scores,
    merge_conditions,
    score_conditions,
)
from hloc_lite.evaluation.names import NameAlignment, align_names
from hloc_lite.evaluation.thresholds import DistanceUnit, Threshold
from hloc_lite.types import Rigid3

SUSPICIOUS_RECALL = 0.1
"""At the last threshold; below, the poses are tried under other conventions."""


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Scores by condition, and what to know before believing them."""

    rows: Mapping[str, Scores]
    """Condition -> scores; the last row is all of them."""
    conditions: Mapping[str, Mapping[str, Rigid3]]
    """Condition -> true cam_from_world poses."""
    names: NameAlignment
    """Of all queries that were tried."""
    unit: DistanceUnit
    hint: str | None
    """What is probably wrong with the poses, if they score next to nothing."""

    @property
    def overall(self) -> Scores:
        return list(self.rows.values())[-1]

    @property
    def failures(self) -> list[str]:
        """One sentence on the queries without a pose, if there are any."""
        failed = self.overall.failed_names
        count = f"{len(failed)} of {self.overall.num_queries} queries"
        return [f"{count} have no pose and count as failures: {_some(failed)}"] if failed else []

    @property
    def caveats(self) -> list[str]:
        """What a reader must know before believing the scores, a sentence each."""
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
    tried: Collection[str] | None = None,
) -> Evaluation:
    """Score estimated ``cam_from_world`` poses (name -> pose) against each condition's true ones.

    ``tried`` are the names of all queries, with or without a pose, if known: a run that localized
    nothing then still shows whether its names are those of the truth.

    Raises:
        HlocLiteError: no true poses, names that do not match or match several, or conditions that
            contradict each other.
    """
    true = merge_conditions(conditions)
    names = align_names(estimated if tried is None else tried, true)
    renamed = {names.true_names[n]: pose for n, pose in estimated.items() if n in names.true_names}
    rows = score_conditions(renamed, conditions, thresholds, bootstrap)
    recalls = list(rows.values())[-1].recalls
    suspicious = bool(recalls) and recalls[-1].value < SUSPICIOUS_RECALL
    hint = diagnose(renamed, true) if suspicious else None
    return Evaluation(rows, conditions, names, unit or DistanceUnit(), hint)


def _some(names: Sequence[str], count: int = 5) -> str:
    return ", ".join(names[:count]) + (", ..." if len(names) > count else "")
