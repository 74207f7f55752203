"""Risk control: the lowest confidence at which few enough of the given answers are wrong.

Learn then test (Angelopoulos, Bates, Candes, Jordan and Lei 2021): for each threshold from strict
to loose, "more than ``max_wrong`` of the answers above it are wrong" is tested on answers whose
correctness is known, and the walk ends at the first threshold that fails. The promise then holds
with probability 1 - ``delta``, if future answers are exchangeable with these.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import betainc

from hloc_lite.errors import ShapeError
from hloc_lite.types import Bool, Float64, Int64, freeze_field

THRESHOLDS = np.concatenate(
    [np.arange(50, 95) / 100, np.arange(950, 990, 5) / 1000, np.arange(990, 1000) / 1000, [0.9995]]
)
"""(T,) confidences that are tried, ascending; a grid that depends on no answer."""


@dataclass(frozen=True, eq=False)
class KnownAnswers:
    """Confidences of K answers whose correctness is known."""

    confidences: Float64
    """(K,) in [0, 1]; photos without any pose are left out."""
    is_wrong: Bool
    """(K,) True if the pose is wrong."""
    is_unmapped: Bool
    """(K,) True if the photo shows a place that the map lacks: any pose of it is wrong."""
    scenes: Int64
    """(K,) number of the scene of each answer, from 0; answers of one scene err together."""
    num_mapped: int
    """Number of photos of the mapped place, with or without a pose."""
    num_unmapped: int
    """Number of photos of other places."""

    def __post_init__(self) -> None:
        freeze_field(self, "confidences", np.float64, None)
        for name, dtype in (("is_wrong", np.bool_), ("is_unmapped", np.bool_), ("scenes", int)):
            freeze_field(self, name, dtype, len(self.confidences))
        if not ((self.confidences >= 0) & (self.confidences <= 1)).all():
            raise ShapeError("KnownAnswers.confidences: expected numbers from 0 to 1")

    def __len__(self) -> int:
        return len(self.confidences)

    def weights(self, unmapped_share: float) -> Float64:
        """(K,) weights under which at most ``unmapped_share`` of the photos are of other places."""
        return np.where(self.is_unmapped, self.unmapped_weight(unmapped_share), 1.0)

    def unmapped_weight(self, unmapped_share: float) -> float:
        """Weight of a photo of another place, as in ``weights``."""
        wanted = unmapped_share / (1 - unmapped_share) * self.num_mapped
        return min(1.0, wanted / max(1, self.num_unmapped))


def wrong_share_p_value(num_wrong: float, num_given: float, max_wrong: float) -> float:
    """P-value of "more than ``max_wrong`` of the answers are wrong".

    It is the probability of at most ``num_wrong`` wrong ones among ``num_given``, if the share is
    ``max_wrong``: the binomial distribution, continued to weighted counts by the incomplete beta
    function.
    """
    if num_given <= num_wrong:
        return 1.0
    return float(betainc(num_given - num_wrong, num_wrong + 1, 1 - max_wrong))


def answers_needed(max_wrong: float, delta: float) -> int:
    """Least number of given answers, all right, that show a promise: 229 for 1 % and delta 0.1."""
    return math.ceil(math.log(delta) / math.log1p(-max_wrong))


def overdispersion(num_wrong: Float64, num_given: Float64) -> float:
    """Variance of the wrong answers between scenes over that of a binomial distribution, >= 1.

    Counts divided by it have the information of independent answers (quasi-likelihood, McCullagh
    and Nelder 1989).

    Args:
        num_wrong: (S,) wrong answers of each scene.
        num_given: (S,) given answers of each scene.
    """
    wrong, given = num_wrong[num_given > 0], num_given[num_given > 0]
    share = wrong.sum() / max(given.sum(), 1e-12)
    if len(given) < 2 or not 0 < share < 1:
        return 1.0
    chi2 = float((np.square(wrong - given * share) / (given * share * (1 - share))).sum())
    return max(1.0, chi2 / (len(given) - 1))


def lowest_safe_threshold(
    answers: KnownAnswers, max_wrong: float, delta: float, unmapped_share: float
) -> float | None:
    """Lowest confidence that keeps the promise; None if these answers cannot show it.

    The walk begins at the strictest threshold that the answers to a quarter of the photos exceed,
    and as many as the promise needs. That depends on confidences alone, so it does not spoil the
    test. Answers of little confidence may be left out: they change nothing.

    Args:
        answers: known answers.
        max_wrong: largest share of given answers that may be wrong.
        delta: probability that the promise is broken, over calibration sets.
        unmapped_share: assumed share of photos of places that the map lacks.
    """
    weights = answers.weights(unmapped_share)
    num_photos = answers.num_mapped + answers.unmapped_weight(unmapped_share) * answers.num_unmapped
    start = max(answers_needed(max_wrong, delta), num_photos / 4)
    safe: float | None = None
    for threshold in THRESHOLDS[::-1]:
        wrong, given = _weighted_counts(answers, weights, threshold)
        if given.sum() < start:
            continue
        scale = overdispersion(wrong, given)
        p_value = wrong_share_p_value(wrong.sum() / scale, given.sum() / scale, max_wrong)
        if p_value > delta:
            break
        safe = float(threshold)
    return safe


def lowest_empirical_threshold(
    answers: KnownAnswers, max_wrong: float, unmapped_share: float, floor: float
) -> float:
    """Lowest confidence from ``floor`` on above which at most ``max_wrong`` of answers are wrong.

    This is no promise: the share wrong of other answers may be larger. Just above the most
    confident wrong answer if no threshold of the grid is strict enough.
    """
    for threshold in [floor, *THRESHOLDS[floor < THRESHOLDS]]:
        num_wrong, num_given = wrong_and_given(answers, threshold, unmapped_share)
        if num_wrong <= max_wrong * num_given:
            return float(threshold)
    return float(np.nextafter(answers.confidences[answers.is_wrong].max(), 2.0))


def wrong_and_given(
    answers: KnownAnswers, threshold: float, unmapped_share: float
) -> tuple[float, float]:
    """Weighted numbers of wrong and of given answers at a threshold."""
    wrong, given = _weighted_counts(answers, answers.weights(unmapped_share), threshold)
    return float(wrong.sum()), float(given.sum())


def contradicts(
    answers: KnownAnswers, threshold: float, max_wrong: float, delta: float, unmapped_share: float
) -> bool:
    """Return True if too many answers above a threshold are wrong to believe the promise.

    It is the test of the other side, "at most ``max_wrong`` are wrong", at the level ``delta``.
    """
    num_wrong, num_given = wrong_and_given(answers, threshold, unmapped_share)
    if num_wrong == 0:
        return False
    at_least = 1 - wrong_share_p_value(num_wrong - min(1.0, num_wrong), num_given, max_wrong)
    return at_least < delta


def _weighted_counts(
    answers: KnownAnswers, weights: Float64, threshold: float
) -> tuple[Float64, Float64]:
    """(S,) wrong and (S,) given answers of each scene at a threshold."""
    given = np.where(answers.confidences >= threshold, weights, 0.0)
    wrong = np.where(answers.is_wrong, given, 0.0)
    counts = (np.bincount(answers.scenes, values) for values in (wrong, given))
    num_wrong, num_given = (np.asarray(values, np.float64) for values in counts)
    return num_wrong, num_given
