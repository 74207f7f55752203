"""Selective deep convolutional features (Hoang et al., ACM Multimedia 2017): masks, then VLAD."""

from __future__ import annotations

import numpy as np

from hloc_lite.retrieval.aggregation import l2_normalized
from hloc_lite.retrieval.pooling import local_rows
from hloc_lite.retrieval.poolings.netvlad import VocabularyPooling
from hloc_lite.retrieval.poolings.vlad import vlad
from hloc_lite.types import Bool, Float32


def max_mask(feature_map: Float32) -> Bool:
    """(H, W) positions where at least one channel of a (C, H, W) map has its maximum."""
    channels, height, width = feature_map.shape
    mask = np.zeros(height * width, bool)
    mask[feature_map.reshape(channels, -1).argmax(axis=1)] = True
    return mask.reshape(height, width)


def sum_mask(feature_map: Float32) -> Bool:
    """(H, W) positions whose sum over channels is at least the median."""
    total = feature_map.sum(axis=0)
    return total >= np.median(total)


class SelectiveVlad(VocabularyPooling):
    """VLAD, with hard assignment, of the positions that the maximum mask keeps."""

    def pool_map(self, feature_map: Float32) -> Float32:
        """(K * D,) vector of a (D, H, W) map."""
        _, assignment, words = self.assigned(feature_map)
        kept = max_mask(feature_map).ravel()
        local = l2_normalized(local_rows(feature_map))[kept]
        nearest = assignment[kept].argmax(axis=1)
        return vlad(local, nearest, words.centers).ravel()
