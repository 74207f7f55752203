"""R-MAC: regional maximum activations of convolutions (Tolias et al., ICLR 2016)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from hloc_lite.retrieval.aggregation import l2_normalized
from hloc_lite.retrieval.pooling import Pooling
from hloc_lite.types import Float32

LEVELS = 3
"""Scales of the regions, as in the paper."""
OVERLAP = 0.4
"""Wanted overlap of neighbouring regions of the coarsest scale."""
STEPS = np.arange(2, 8)
"""Regions along the longer side that are tried for it."""


def regions(height: int, width: int, levels: int = LEVELS) -> Iterator[tuple[int, int, int]]:
    """Square regions of a map (top, left, side), in positions.

    Level l has squares of the side 2 min(H, W) / (l + 1): l of them along the shorter side, and
    more along the longer one, so that neighbours overlap by about 40 % at the first level.
    """
    short, long = min(height, width), max(height, width)
    extra = _extra_regions(short, long)
    for level in range(1, levels + 1):
        side = 2 * short // (level + 1)
        if side == 0:
            return
        for top in _starts(height, side, level + extra * (height > width)):
            for left in _starts(width, side, level + extra * (width > height)):
                yield top, left, side


def rmac(feature_map: Float32, levels: int = LEVELS) -> Float32:
    """(C,) sum of the unit MAC vectors of all regions of a (C, H, W) map."""
    height, width = feature_map.shape[1:]
    vectors = [
        feature_map[:, top : top + side, left : left + side].max(axis=(1, 2))
        for top, left, side in regions(height, width, levels)
    ]
    return l2_normalized(np.array(vectors)).sum(axis=0)


class Rmac(Pooling):
    """Sum of the unit vectors of regions."""

    def pool_map(self, feature_map: Float32) -> Float32:
        """(C,) vector of a (C, H, W) map."""
        return rmac(feature_map)


def _extra_regions(short: int, long: int) -> int:
    """Regions along the longer side beyond those along the shorter one."""
    if short == long:
        return 0
    stride = (long - short) / (STEPS - 1)
    overlap = 1 - stride / short
    return int(STEPS[np.argmin(np.abs(overlap - OVERLAP))]) - 1


def _starts(size: int, side: int, count: int) -> list[int]:
    """Starts of ``count`` regions, evenly spread over a side."""
    if count == 1:
        return [0]
    return [int(step * (size - side) / (count - 1)) for step in range(count)]
