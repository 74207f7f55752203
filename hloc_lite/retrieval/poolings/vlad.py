"""VLAD (Jegou et al., CVPR 2010), with intra-normalization (Arandjelovic, CVPR 2013)."""

from __future__ import annotations

import numpy as np

from hloc_lite.retrieval.aggregation import l2_normalized
from hloc_lite.retrieval.poolings.netvlad import VocabularyPooling
from hloc_lite.types import Float32

POWER = 0.5
"""Power law on the residuals of each word, against bursts of repeated structure."""


def vlad(local: Float32, nearest: np.ndarray, centers: Float32) -> Float32:
    """(K, D) residuals x - c, summed for each word, to the power 1/2 with their sign, unit rows.

    Args:
        local: (N, D) local vectors.
        nearest: (N,) index of the word of each.
        centers: (K, D) words.
    """
    residuals = np.zeros_like(centers)
    np.add.at(residuals, nearest, local - centers[nearest])
    return l2_normalized(np.sign(residuals) * np.abs(residuals) ** POWER, axis=1)


class Vlad(VocabularyPooling):
    """Residuals to the nearest words: K * D values."""

    def pool_map(self, feature_map: Float32) -> Float32:
        """(K * D,) vector of a (D, H, W) map."""
        local, assignment, words = self.assigned(feature_map)
        return vlad(local, assignment.argmax(axis=1), words.centers).ravel()
