"""Quality of predicted probabilities: AUROC, calibration error, Brier score."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss, roc_auc_score

from hloc_lite.types import Bool, Float64

NUM_BINS = 10


@dataclass(frozen=True)
class ProbabilityMetrics:
    """Quality of the predicted probabilities of some poses."""

    num: int
    share_correct: float
    auroc: float
    """NaN if all poses are correct, or none is."""
    ece: float
    """Expected calibration error over ``NUM_BINS`` bins of equal width."""
    brier: float

    def __str__(self) -> str:
        return (
            f"{self.num} poses, {100 * self.share_correct:.1f} % correct: "
            f"AUROC {self.auroc:.4f}, ECE {self.ece:.4f}, Brier {self.brier:.4f}"
        )


@dataclass(frozen=True)
class Bin:
    """Non-empty bin of a reliability diagram."""

    low: float
    num: int
    mean_probability: float
    share_correct: float


def probability_metrics(probability: Float64, correct: Bool) -> ProbabilityMetrics:
    """Compare (N,) predicted probabilities with (N,) outcomes."""
    is_mixed = correct.any() and not correct.all()
    errors = [
        each.num * abs(each.mean_probability - each.share_correct)
        for each in reliability(probability, correct)
    ]
    return ProbabilityMetrics(
        len(correct),
        float(correct.mean()),
        float(roc_auc_score(correct, probability)) if is_mixed else np.nan,
        sum(errors) / len(correct),
        float(brier_score_loss(correct, probability, pos_label=True)),
    )


def reliability(probability: Float64, correct: Bool) -> list[Bin]:
    """Reliability diagram of (N,) predicted probabilities."""
    shares, means = calibration_curve(correct, probability, pos_label=True, n_bins=NUM_BINS)
    edges = np.linspace(0, 1, NUM_BINS + 1)
    counts = np.bincount(np.searchsorted(edges[1:-1], probability), minlength=NUM_BINS)
    filled = np.flatnonzero(counts)
    return [
        Bin(float(edges[i]), int(counts[i]), float(mean), float(share))
        for i, mean, share in zip(filled, means, shares, strict=True)
    ]


def print_reliability(probability: Float64, correct: Bool) -> None:
    """Print the reliability diagram as a Markdown table."""
    print("| probability | poses | mean | share correct |\n|---|---|---|---|")
    for each in reliability(probability, correct):
        print(
            f"| {each.low:.1f} to {each.low + 1 / NUM_BINS:.1f} | {each.num} "
            f"| {each.mean_probability:.3f} | {each.share_correct:.3f} |"
        )
