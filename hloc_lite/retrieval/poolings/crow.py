"""CroW: cross-dimensional weighting (Kalantidis et al., ECCV 2016 workshops)."""

from __future__ import annotations

import numpy as np

from hloc_lite.retrieval.pooling import Pooling
from hloc_lite.types import Float32

SPATIAL_POWER = 0.5
"""Power of the spatial weights, as in the paper (a = b = 2: square root of the L2-normalized)."""


def spatial_weights(feature_map: Float32) -> Float32:
    """(H, W) weights of positions: (S / |S|)^(1/2) of the sum S over channels, S >= 0."""
    total = np.maximum(feature_map.sum(axis=0), 0)
    norm = float(np.linalg.norm(total))
    return np.sqrt(total / norm) if norm > 0 else total


def channel_weights(feature_map: Float32) -> Float32:
    """(C,) weights of channels: ln(sum_n Q_n / Q_k), Q_k the share of positions where k responds.

    Rare channels weigh more, as by an inverse document frequency; silent ones weigh nothing.
    """
    shares = (feature_map > 0).mean(axis=(1, 2))
    weights = np.zeros(len(shares), np.float32)
    active = shares > 0
    weights[active] = np.log(shares.sum() / shares[active])
    return weights


def crow(feature_map: Float32) -> Float32:
    """(C,) sums of the channels of a (C, H, W) map, weighted by position and by channel."""
    sums = np.einsum("chw,hw->c", feature_map, spatial_weights(feature_map))
    return channel_weights(feature_map) * sums


class Crow(Pooling):
    """Sum with weights of positions and channels."""

    def pool_map(self, feature_map: Float32) -> Float32:
        """(C,) vector of a (C, H, W) map."""
        return crow(feature_map)
