"""INRIA Holidays: groups of photos, told by the numbers that are their names.

A photo whose number is divisible by 100 is a query. The right images are the following numbers up
to the next query, and the query itself is left out of its ranking (Jegou et al., ECCV 2008; rules
as in https://github.com/Relja/netvlad, datasets/dbHolidays.m).
"""

from __future__ import annotations

from pathlib import Path

from hloc_lite.errors import FormatError
from hloc_lite.formats.listed_names import read_listed_names
from hloc_lite.formats.retrieval_truth import RetrievalTruth, truth_of_groups, without_suffix

QUERY_STEP = 100
"""Numbers divisible by it are queries."""
MAX_DIGITS = 18
"""Longer names are no numbers of this data set, whose own have six digits."""


def read_holidays(path: Path) -> RetrievalTruth:
    """Truth of Holidays; images are named by their number, such as ``100001``.

    Args:
        path: folder of the images, or a list of their names; see ``read_listed_names``.

    Raises:
        FormatError: a name that is no number or occurs twice, or images before the first query.
    """
    numbers: dict[int, str] = {}
    for name in read_listed_names(path):
        stem = without_suffix(name.rpartition("/")[2])
        if not (stem.isascii() and stem.isdigit() and len(stem) <= MAX_DIGITS):
            raise FormatError(f"{path}: names in Holidays are numbers, got {name[:120]!r}")
        if int(stem) in numbers:
            raise FormatError(f"{path}: the number {stem} occurs twice")
        numbers[int(stem)] = stem
    groups: list[list[str]] = []
    for number in sorted(numbers):
        if number % QUERY_STEP == 0:
            groups.append([])
        elif not groups:
            raise FormatError(
                f"{path}: expected a query, whose number is divisible by {QUERY_STEP}, before "
                f"{numbers[number]!r}"
            )
        groups[-1].append(numbers[number])
    return truth_of_groups(groups, queries=[group[0] for group in groups], own_image_counts=False)
