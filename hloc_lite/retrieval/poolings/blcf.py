"""BLCF: bags of local convolutional features (Mohedano et al., ICMR 2016; weighted, 2017)."""

from __future__ import annotations

import numpy as np

from hloc_lite.retrieval.pooling import local_rows
from hloc_lite.retrieval.poolings.netvlad import VocabularyPooling
from hloc_lite.types import Float32


class Blcf(VocabularyPooling):
    """Histogram of visual words, each position weighted by the norm of its local vector."""

    def pool_map(self, feature_map: Float32) -> Float32:
        """(K,) vector of a (D, H, W) map."""
        _, assignment, words = self.assigned(feature_map)
        norms = np.linalg.norm(local_rows(feature_map), axis=1)
        counts = np.bincount(assignment.argmax(axis=1), norms, len(words.centers))
        return counts.astype(np.float32)
