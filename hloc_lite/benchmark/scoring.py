"""Scores of a benchmark run where the true poses are public, beside published ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hloc_lite.benchmark.parts import PartAnswers
from hloc_lite.config import load_config
from hloc_lite.datasets.cards import Card
from hloc_lite.evaluation.evaluate import Evaluation, evaluate
from hloc_lite.evaluation.metrics import Scores
from hloc_lite.evaluation.recall_table import (
    MethodRow,
    own_row,
    published_row,
    recall_table,
)
from hloc_lite.evaluation.scene_means import SceneMeans, mean_over_scenes
from hloc_lite.evaluation.table_text import TextTable
from hloc_lite.evaluation.thresholds import DistanceUnit, Threshold, parse_thresholds
from hloc_lite.types import Rigid3

MEAN = "mean of the parts"
"""Row of means over parts that have a map each, as papers print them for scenes."""


def joined_name(part: PartAnswers, name: str, *, is_only: bool) -> str:
    """Name of a query among those of all parts: sequences of two scenes have equal names."""
    return name if is_only else f"{part.dataset.name}/{name}"


def joined_poses(parts: Sequence[PartAnswers]) -> dict[str, Rigid3]:
    """Poses of all parts by joined names."""
    is_only = len(parts) == 1
    return {
        joined_name(part, name, is_only=is_only): pose
        for part in parts
        for name, pose in part.poses.items()
    }


def asked_poses(parts: Sequence[PartAnswers]) -> dict[str, Rigid3]:
    """Poses of all parts by joined names, in the frames that the data set asks for."""
    is_only = len(parts) == 1
    return {
        joined_name(part, name, is_only=is_only): pose
        for part in parts
        for name, pose in part.asked_poses.items()
    }


def evaluate_parts(card: Card, parts: Sequence[PartAnswers]) -> Evaluation | None:
    """Score the poses of all parts; None where no true pose is public.

    Each part is a condition if there are several, else the conditions are those of the data set.

    Raises:
        HlocLiteError: thresholds of the card that cannot be read, or names that do not match.
    """
    is_only = len(parts) == 1
    conditions: dict[str, dict[str, Rigid3]] = {}
    confidences: dict[str, float] = {}
    for part in parts:
        for condition, truth in part.dataset.ground_truth.items():
            row = condition if is_only else part.dataset.name
            named = {joined_name(part, name, is_only=is_only): p for name, p in truth.items()}
            conditions.setdefault(row, {}).update(named)
        for name, value in part.confidences.items():
            confidences[joined_name(part, name, is_only=is_only)] = value
    if not conditions:
        return None
    limits = parse_thresholds(card.thresholds)
    groups = {name: members for name, members in card.groups.items() if is_only}
    known = {n: m for n, m in groups.items() if set(m) <= conditions.keys()}
    fallbacks = [
        joined_name(part, name, is_only=is_only) for part in parts for name in part.fallbacks
    ]
    return evaluate(
        joined_poses(parts), conditions, limits, DistanceUnit(), confidences=confidences,
        fallbacks=fallbacks, strict=card.strict, groups=known,
    )  # fmt: skip


def score_rows(evaluation: Evaluation, num_parts: int) -> Mapping[str, Scores | SceneMeans]:
    """Rows of a table; with several parts also their mean."""
    if num_parts == 1:
        return evaluation.rows
    return {**evaluation.rows, MEAN: mean_over_scenes(evaluation.rows)}


def comparison(
    card: Card, evaluation: Evaluation, thresholds: Sequence[Threshold], num_parts: int, name: str
) -> TextTable:
    """Table of our recalls beside the published ones of the same thresholds.

    Args:
        name: our row.
    """
    ours = own_row(name, score_rows(evaluation, num_parts))
    return recall_table([*published_rows(card, len(thresholds)), ours], thresholds)


def published_rows(card: Card, num_thresholds: int) -> list[MethodRow]:
    """Published recalls of a card, those with as many thresholds as ours."""
    by_method: dict[tuple[str, str], dict[str, tuple[float, ...]]] = {}
    for score in card.published:
        if score.unit == "percent" and len(score.values) == num_thresholds:
            key = (score.method, score.source)
            by_method.setdefault(key, {})[score.condition] = score.values
    return [published_row(method, source, rows) for (method, source), rows in by_method.items()]


def sure_but_wrong(evaluation: Evaluation) -> str:
    """Sentence on poses that users would have been given, and that are wrong."""
    least = load_config().confidence.min_confidence
    answers = evaluation.answers
    sure = answers.confidences >= least
    wrong = int((sure & ~answers.is_right).sum())
    return (
        f"sure but wrong: {wrong} of {int(sure.sum())} poses with a confidence of {least:g} or "
        f"more; all poses are scored, also the {len(answers) - int(sure.sum())} with less"
    )
