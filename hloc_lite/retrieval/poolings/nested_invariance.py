"""NIP: nested invariance pooling over translations, turns and scales (Morere et al., ICMR 2017)."""

from __future__ import annotations

import numpy as np

from hloc_lite.retrieval.pooling import FeatureMaps, Pooling
from hloc_lite.types import Float32

LEVELS = 3
"""Scales: crops about the centre, of the whole sides, two thirds and one third of them."""


def scale_crops(feature_map: Float32) -> list[Float32]:
    """Central crops of a (C, H, W) map: the whole, 2/3 and 1/3 of its sides, at least 1 x 1."""
    height, width = feature_map.shape[1:]
    crops = []
    for level in range(LEVELS, 0, -1):
        rows, columns = max(1, height * level // LEVELS), max(1, width * level // LEVELS)
        top, left = (height - rows) // 2, (width - columns) // 2
        crops.append(feature_map[:, top : top + rows, left : left + columns])
    return crops


def nested_invariance(turned: tuple[Float32, ...]) -> Float32:
    """(C,) vector: mean over translations, root mean square over scales, maximum over turns.

    Each group has a higher moment than the one before. Turning the photo by 90 degrees permutes
    the last group, so the vector stays the same up to the network's own errors.

    Args:
        turned: (C, H, W) maps of the photo turned by 0, 90, 180 and 270 degrees.
    """
    by_turn = [
        np.sqrt(np.mean([np.square(crop.mean(axis=(1, 2))) for crop in scale_crops(each)], axis=0))
        for each in turned
    ]
    return np.max(by_turn, axis=0)


class NestedInvariance(Pooling):
    """Moments over the groups of translations, scales and quarter turns."""

    quarter_turns = 4

    def pool(self, maps: FeatureMaps) -> Float32:
        """(C,) vector of a photo."""
        return nested_invariance(maps.views)
