"""Average pooling: the neural codes (Babenko et al., ECCV 2014) of convolutional networks."""

from __future__ import annotations

from hloc_lite.retrieval.pooling import Pooling
from hloc_lite.types import Float32


class Average(Pooling):
    """Mean of each channel: what the classifier of such a network sees of a photo."""

    def pool_map(self, feature_map: Float32) -> Float32:
        """(C,) vector of a (C, H, W) map."""
        return feature_map.mean(axis=(1, 2))
