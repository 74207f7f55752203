"""Recall of place recognition: share of queries with a right map image among the first N.

It is the score of NetVLAD (Arandjelovic et al., CVPR 2016) and of later work on Pitts30k and
Nordland. Queries without any right map image count as failures, as they do there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from hloc_lite.errors import HlocLiteError
from hloc_lite.evaluation.table_text import TextTable

COUNTS = (1, 5, 10, 20)
"""Numbers N of the recalls."""


def recognition_recalls(
    retrieved: Mapping[str, Sequence[str]],
    positives: Mapping[str, Iterable[str]],
    counts: Sequence[int] = COUNTS,
) -> tuple[float, ...]:
    """Recall at each N, from 0 to 1.

    Args:
        retrieved: query -> retrieved map images, the best first; repeated ones count once.
        positives: query -> map images that show its location; possibly none.
        counts: numbers N.

    Raises:
        HlocLiteError: no queries, or nothing was retrieved for any of them.
    """
    if retrieved.keys().isdisjoint(positives):
        raise HlocLiteError("nothing was retrieved for any of the queries of the truth")
    first = [_first_right(retrieved.get(name, ()), right) for name, right in positives.items()]
    return tuple(sum(rank < count for rank in first) / len(first) for count in counts)


def recognition_table(
    retrieved: Mapping[str, Sequence[str]],
    positives: Mapping[str, Sequence[str]],
    max_distance: float,
) -> TextTable:
    """Table of the recalls of a data set, in percent.

    Args:
        retrieved, positives: see ``recognition_recalls``.
        max_distance: distance within which a map image is right, in the unit of the truth.

    Raises:
        HlocLiteError: see ``recognition_recalls``.
    """
    recalls = recognition_recalls(retrieved, positives)
    without = sum(not right for right in positives.values())
    absent = sum(name not in retrieved for name in positives)
    fewest = min(len(dict.fromkeys(names)) for names in retrieved.values())
    caption = (
        f"Percent of {len(positives)} queries with a map image within {max_distance:g} among the "
        f"first N; {without} have none in the map, and {absent} are not in the pairs"
    )
    counts = [count for count in COUNTS if count <= fewest] or [COUNTS[0]]
    header = ("", *(f"R@{count}" for count in counts))
    row = ("recall", *(f"{100 * value:.1f}" for value in recalls[: len(counts)]))
    return TextTable(header, (row,), caption)


def _first_right(names: Sequence[str], right: Iterable[str]) -> float:
    """Rank from 0 of the first right image; infinite without one."""
    wanted = set(right)
    ranks = (rank for rank, name in enumerate(dict.fromkeys(names)) if name in wanted)
    return next(ranks, float("inf"))
