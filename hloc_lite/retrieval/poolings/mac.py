"""MAC: maximum activations of convolutions (Tolias et al., ICLR 2016)."""

from __future__ import annotations

from hloc_lite.retrieval.pooling import Pooling
from hloc_lite.types import Float32


def mac(feature_map: Float32) -> Float32:
    """(C,) maximum of each channel of a (C, H, W) map."""
    return feature_map.max(axis=(1, 2))


class Mac(Pooling):
    """Maximum of each channel."""

    def pool_map(self, feature_map: Float32) -> Float32:
        """(C,) vector of a (C, H, W) map."""
        return mac(feature_map)
