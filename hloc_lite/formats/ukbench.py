"""UKBench: photos in groups of four consecutive names (Nister and Stewenius, CVPR 2006)."""

from __future__ import annotations

from pathlib import Path

from hloc_lite.errors import FormatError
from hloc_lite.formats.listed_names import read_listed_names
from hloc_lite.formats.retrieval_truth import RetrievalTruth, truth_of_groups

GROUP_SIZE = 4
"""Photos of each object."""


def read_ukbench(path: Path) -> RetrievalTruth:
    """Truth of UKBench: every photo is a query, and all four of its group are right, itself, too.

    Args:
        path: folder of the images, or a list of their names; their natural order makes the groups.

    Raises:
        FormatError: no multiple of four images.
    """
    names = read_listed_names(path)
    if len(names) % GROUP_SIZE:
        raise FormatError(
            f"{path}: UKBench has groups of {GROUP_SIZE} images, got {len(names)} images: some are "
            f"missing, or others are among them"
        )
    groups = [names[start : start + GROUP_SIZE] for start in range(0, len(names), GROUP_SIZE)]
    return truth_of_groups(groups, queries=names, own_image_counts=True)
