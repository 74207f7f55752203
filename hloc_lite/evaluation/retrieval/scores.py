"""Mean scores of rankings against a truth, as a table and as JSON."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hloc_lite.errors import HlocLiteError
from hloc_lite.evaluation.retrieval.average_precision import Metric, rank_positives
from hloc_lite.evaluation.table_text import TextTable
from hloc_lite.formats.retrieval_truth import RetrievalTruth


@dataclass(frozen=True)
class Condition:
    """Row of a table: a truth, such as that of one difficulty or one part of the queries."""

    name: str
    truth: RetrievalTruth
    unit_of: Callable[[str], str] | None = None
    """See ``rank_positives``."""


@dataclass(frozen=True)
class ConditionScores:
    """Mean scores of one condition."""

    name: str
    values: Mapping[str, float]
    """Metric -> mean over the scored queries."""
    num_queries: int
    """Queries that are in the mean."""
    num_without_positives: int
    """Queries of the truth without any right image."""
    num_unanswered: int
    """Queries in the mean without a ranking: they score 0."""


@dataclass(frozen=True)
class RetrievalReport:
    """Scores by a protocol."""

    protocol: str
    rule: str
    """How it scores, for people."""
    best: Mapping[str, float]
    """Score -> its best value; scores of at most 1 are shown in percent."""
    conditions: tuple[ConditionScores, ...]
    notes: tuple[str, ...] = ()
    """Sentences on what the ranking lacks or has too much."""

    def table(self) -> TextTable:
        """Table with a row for each condition; scores up to 1 in percent."""
        header = ("", *self.best, "queries")
        rows = tuple(
            (
                each.name,
                *(_text(each.values[name], most) for name, most in self.best.items()),
                str(each.num_queries),
            )
            for each in self.conditions
        )
        unit = " (percent)" if max(self.best.values()) == 1 else ""
        return TextTable(header, rows, f"{self.protocol}: {self.rule}{unit}")

    def to_json(self) -> dict[str, Any]:
        """Plain value with all numbers; shares are from 0 to 1."""
        rows = {
            each.name: {
                "scores": dict(each.values),
                "num_queries": each.num_queries,
                "num_without_positives": each.num_without_positives,
                "num_unanswered": each.num_unanswered,
            }
            for each in self.conditions
        }
        return {
            "protocol": self.protocol,
            "rule": self.rule,
            "conditions": rows,
            "notes": list(self.notes),
        }


def score_condition(
    condition: Condition,
    rankings: Mapping[str, Sequence[str]],
    metrics: Sequence[Metric],
    *,
    count_empty: bool,
) -> ConditionScores:
    """Mean scores of rankings against the truth of a condition.

    Args:
        condition: truth and its name.
        rankings: query -> database images, the most similar first. Queries of the truth without one
            score 0; other queries are in no score.
        metrics: scores of a query.
        count_empty: True if queries without any right image score 0; False to leave them out.

    Raises:
        HlocLiteError: no query has a right image.
    """
    truth = condition.truth
    empty = [query for query, right in truth.positives.items() if not right]
    if len(empty) == len(truth.positives):
        raise HlocLiteError(
            f"{condition.name}: none of {len(empty)} queries has a right image in the database: "
            f"expected the whole truth, and the database that belongs to it"
        )
    asked = [query for query, right in truth.positives.items() if right or count_empty]
    totals = dict.fromkeys((metric.name for metric in metrics), 0.0)
    for query in asked:
        ranked = rank_positives(
            rankings.get(query, ()),
            truth.positives[query],
            truth.ignored.get(query, frozenset()),
            condition.unit_of,
        )
        for metric in metrics:
            totals[metric.name] += metric.score(ranked)
    return ConditionScores(
        condition.name,
        {name: total / len(asked) for name, total in totals.items()},
        len(asked),
        len(empty),
        sum(query not in rankings for query in asked),
    )


def _text(value: float, most: float) -> str:
    return f"{100 * value:.2f}" if most == 1 else f"{value:.2f}"
