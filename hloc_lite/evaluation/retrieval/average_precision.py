"""Ranks of the right images of a query, and the scores that are made of them.

Images to ignore leave the ranking before ranks are counted, and a repeated image counts where it
first stands. Right images that were not delivered add nothing to any score.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Set
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hloc_lite.errors import HlocLiteError, ShapeError
from hloc_lite.types import Int64


@dataclass(frozen=True)
class RankedPositives:
    """Positions of the right images in the ranking of one query."""

    ranks: tuple[int, ...]
    """Ranks from 0 of those that were delivered, ascending; ignored images are not counted."""
    num_positives: int
    """Number of right images, delivered or not."""

    def __post_init__(self) -> None:
        if not len(self.ranks) <= self.num_positives:
            raise HlocLiteError(
                f"{len(self.ranks)} right images were delivered, of {self.num_positives} in all"
            )


@dataclass(frozen=True)
class Metric:
    """Score of one query, whose mean over the queries is printed."""

    name: str
    score: Callable[[RankedPositives], float]
    most: float = 1.0
    """Best score; those up to 1 are printed in percent."""


def rank_positives(
    ranking: Iterable[str],
    positives: Set[str],
    ignored: Set[str] = frozenset(),
    unit_of: Callable[[str], str] | None = None,
) -> RankedPositives:
    """Find the right images in a ranking.

    Args:
        ranking: database images, the most similar first.
        positives: right images.
        ignored: images that are taken out of the ranking first.
        unit_of: database image -> unit, such as a panorama, of which only the first image stays in
            the ranking; None to keep all.
    """
    kept = [name for name in dict.fromkeys(ranking) if name not in ignored]
    if unit_of is not None:
        best: dict[str, str] = {}
        for name in kept:
            best.setdefault(unit_of(name), name)
        kept = list(best.values())
    ranks = tuple(rank for rank, name in enumerate(kept) if name in positives)
    return RankedPositives(ranks, len(positives))


def ranking_of(similarities: npt.ArrayLike) -> Int64:
    """(M,) columns of (M,) similarities, or (Q, M) of (Q, M), the highest first.

    Equal ones keep their order, so that a ranking does not depend on the sorting algorithm.

    Raises:
        ShapeError: no numbers, or NaN among them.
    """
    values = np.asarray(similarities, np.float64)
    if values.ndim not in (1, 2) or np.isnan(values).any():
        raise ShapeError(f"expected similarities (M,) or (Q, M) without NaN, got {values.shape}")
    order: Int64 = np.argsort(-values, axis=-1, kind="stable").astype(np.int64)
    return order


def trapezoidal_ap(ranked: RankedPositives) -> float:
    """Average precision as the area under the curve of precision over recall, by trapezoids.

    The right image at rank r, the j-th from 0, adds the mean of the precisions j/r before it (1 at
    rank 0) and (j+1)/(r+1) with it (Philbin et al., CVPR 2007; Radenovic et al., CVPR 2018).
    """
    total = 0.0
    for found, rank in enumerate(ranked.ranks):
        before = found / rank if rank else 1.0
        total += (before + (found + 1) / (rank + 1)) / 2
    return total / ranked.num_positives if ranked.num_positives else 0.0


def average_precision_at(ranked: RankedPositives, count: int) -> float:
    """Mean precision at the right images among the first ones, the score of Google Landmarks v2.

    It is divided by the number of right images, or by ``count`` if there are more of them (Weyand
    et al., CVPR 2020). MSLS and ILIAS have the same rule.
    """
    if not ranked.num_positives:
        return 0.0
    within = [rank for rank in ranked.ranks if rank < count]
    precisions = [(found + 1) / (rank + 1) for found, rank in enumerate(within)]
    return sum(precisions) / min(ranked.num_positives, count)


def adaptive_precision_at(ranked: RankedPositives, count: int) -> float:
    """Precision at the last right image, or at ``count`` if it stands below (revisited Oxford).

    A right image that was not delivered stands below all that were (Radenovic et al., CVPR 2018).
    """
    last = count
    if ranked.ranks and len(ranked.ranks) == ranked.num_positives:
        last = min(ranked.ranks[-1] + 1, count)
    return sum(rank < last for rank in ranked.ranks) / last


def precision_at(ranked: RankedPositives, count: int) -> float:
    """Share of right images among the first ones; missing ones are wrong."""
    return sum(rank < count for rank in ranked.ranks) / count


def recall_at(ranked: RankedPositives, count: int) -> float:
    """1 if a right image is among the first ones, or 0 (Arandjelovic et al., CVPR 2016)."""
    return float(bool(ranked.ranks) and ranked.ranks[0] < count)


def num_right_at(ranked: RankedPositives, count: int) -> float:
    """Number of right images among the first ones: N-S of UKBench for four (CVPR 2006)."""
    return float(sum(rank < count for rank in ranked.ranks))
