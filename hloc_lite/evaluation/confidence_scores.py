"""Scores of the confidence of given poses: risk and coverage, map-free's AUC, calibration.

A photo without a pose is not answered. It counts in the coverage, and is neither right nor wrong.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hloc_lite.evaluation.query_error import QueryError
from hloc_lite.evaluation.thresholds import Threshold
from hloc_lite.types import Bool, Float64, Int64, freeze_field

NUM_BINS = 10


@dataclass(frozen=True, eq=False)
class ScoredAnswers:
    """Given poses that have a confidence, and whether they are right."""

    confidences: Float64
    """(G,) stated probability that the pose is correct."""
    is_right: Bool
    """(G,) True if the pose is correct."""
    num_queries: int
    """Number of photos with true poses, answered or not."""

    def __post_init__(self) -> None:
        freeze_field(self, "confidences", np.float64, None)
        freeze_field(self, "is_right", np.bool_, len(self.confidences))

    def __len__(self) -> int:
        return len(self.confidences)


@dataclass(frozen=True, eq=False)
class RiskCoverage:
    """Share of wrong answers among the most confident ones, for each number of them.

    Answers of equal confidence are one step.
    """

    coverage: Float64
    """(T,) share of all photos that are answered, ascending."""
    risk: Float64
    """(T,) share of wrong ones among these answers."""

    @property
    def area(self) -> float:
        """Mean risk over the coverage (Geifman and El-Yaniv 2017); NaN without answers.

        Each step counts with the risk at its end; 0 is perfect.
        """
        if not len(self.coverage):
            return math.nan
        steps = np.diff(self.coverage, prepend=0.0)
        return float((steps * self.risk).sum() / self.coverage[-1])

    @property
    def precision_area(self) -> float:
        """AUC of precision over the share of photos answered; NaN without answers.

        It is the score of map-free relocalization (Arnold et al. 2022): photos without a pose count
        as not answered, so the largest possible value is the share of answered photos.
        """
        if not len(self.coverage):
            return math.nan
        return float((np.diff(self.coverage, prepend=0.0) * (1 - self.risk)).sum())


@dataclass(frozen=True, eq=False)
class Reliability:
    """Reliability diagram: stated confidence and share of right answers in bins of equal width."""

    edges: Float64
    """(B + 1,) bounds of the bins."""
    counts: Int64
    """(B,) answers in each bin."""
    mean_confidence: Float64
    """(B,) NaN in empty bins."""
    share_right: Float64
    """(B,) NaN in empty bins."""

    @property
    def calibration_error(self) -> float:
        """Expected calibration error (Naeini, Cooper and Hauskrecht 2015); NaN without answers."""
        if not self.counts.sum():
            return math.nan
        gaps = np.nan_to_num(np.abs(self.mean_confidence - self.share_right))
        return float((self.counts * gaps).sum() / self.counts.sum())


@dataclass(frozen=True)
class GivenButWrong:
    """Number of wrong poses among those that were given."""

    num_wrong: int
    num_given: int
    correct: Threshold
    """Errors within which a pose is correct."""

    def __str__(self) -> str:
        return f"given but wrong: {self.num_wrong} of {self.num_given}"

    @property
    def definition(self) -> str:
        """Definition of wrong, in words."""
        distance, _, angle = self.correct.label.partition(",")
        beyond = "wrong: at or beyond" if self.correct.strict else "wrong: beyond"
        return f"{beyond} {distance} or {angle}" if angle else f"{beyond} {distance}"


def given_but_wrong(errors: Sequence[QueryError], correct: Threshold) -> GivenButWrong:
    """Count the given poses, and those of them that are wrong; fallbacks are not given ones."""
    given = [error for error in errors if error.localized and not error.is_fallback]
    return GivenButWrong(sum(not error.within(correct) for error in given), len(given), correct)


def scored_answers(
    errors: Sequence[QueryError], confidences: Mapping[str, float], correct: Threshold
) -> ScoredAnswers:
    """Given poses whose confidence is known.

    Args:
        errors: one for each true pose.
        confidences: query name -> confidence.
        correct: errors within which a pose is correct.
    """
    given = [error for error in errors if error.localized and error.name in confidences]
    return ScoredAnswers(
        np.array([confidences[error.name] for error in given]),
        np.array([error.within(correct) for error in given], bool),
        len(errors),
    )


def risk_coverage(answers: ScoredAnswers) -> RiskCoverage:
    """Risk at each coverage, the most confident answers first."""
    order = np.argsort(-answers.confidences, kind="stable")
    confidences, is_wrong = answers.confidences[order], ~answers.is_right[order]
    is_last = np.append(np.diff(confidences) != 0, True)[: len(order)]
    numbers = np.arange(1, len(order) + 1)[is_last]
    wrong = np.cumsum(is_wrong)[is_last]
    return RiskCoverage(numbers / max(1, answers.num_queries), wrong / numbers)


def reliability(answers: ScoredAnswers) -> Reliability:
    """Reliability diagram over ``NUM_BINS`` bins."""
    edges = np.linspace(0, 1, NUM_BINS + 1)
    bins = np.clip(np.searchsorted(edges, answers.confidences, side="right") - 1, 0, NUM_BINS - 1)
    counts = np.bincount(bins, minlength=NUM_BINS)
    sums = np.bincount(bins, answers.confidences, NUM_BINS)
    right = np.bincount(bins, answers.is_right, NUM_BINS)
    with np.errstate(invalid="ignore"):
        return Reliability(edges, counts, sums / counts, right / counts)
