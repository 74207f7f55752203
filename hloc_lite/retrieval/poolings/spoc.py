"""SPoC: sum-pooled features with a centre prior (Babenko and Lempitsky, ICCV 2015)."""

from __future__ import annotations

import numpy as np

from hloc_lite.retrieval.pooling import Pooling
from hloc_lite.types import Float32

SIGMA_RATIO = 1 / 3
"""Standard deviation of the prior over the distance from the centre to the nearest border."""


def centre_prior(height: int, width: int) -> Float32:
    """(H, W) weights exp(-(dx^2 + dy^2) / (2 sigma^2)) about the centre of a map.

    The centre lies between positions where a side is even, so that the weights are symmetric.
    """
    y = np.arange(height) - (height - 1) / 2
    x = np.arange(width) - (width - 1) / 2
    sigma = SIGMA_RATIO * min(height, width) / 2
    squared = np.square(y)[:, None] + np.square(x)
    return np.exp(-squared / (2 * sigma**2)).astype(np.float32)


def spoc(feature_map: Float32) -> Float32:
    """(C,) sums of the channels of a (C, H, W) map, weighted by the centre prior."""
    weights = centre_prior(*feature_map.shape[1:])
    return np.einsum("chw,hw->c", feature_map, weights)


class Spoc(Pooling):
    """Sum with centre prior."""

    def pool_map(self, feature_map: Float32) -> Float32:
        """(C,) vector of a (C, H, W) map."""
        return spoc(feature_map)
