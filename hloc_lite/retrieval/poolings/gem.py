"""GeM: generalized mean (Radenovic et al., TPAMI 2018)."""

from __future__ import annotations

import numpy as np

from hloc_lite.retrieval.aggregation import gem, l2_normalized
from hloc_lite.retrieval.pooling import FeatureMaps, Pooling, local_rows
from hloc_lite.types import Float32

POWER = 3.0
"""Value before training, and near where training ends."""


class Gem(Pooling):
    """Generalized mean with power 3."""

    def pool_map(self, feature_map: Float32) -> Float32:
        """(C,) vector of a (C, H, W) map."""
        return gem(local_rows(feature_map), POWER)

    def pool(self, maps: FeatureMaps) -> Float32:
        """(C,) vector; of several views, their generalized mean, as its authors do."""
        vectors = np.array([l2_normalized(self.pool_map(view)) for view in maps.views])
        return vectors[0] if len(vectors) == 1 else gem(vectors, POWER)
