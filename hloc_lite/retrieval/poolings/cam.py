"""Class-weighted features by class activation maps (Jimenez et al., BMVC 2017)."""

from __future__ import annotations

import numpy as np

from hloc_lite.errors import HlocLiteError
from hloc_lite.retrieval.aggregation import l2_normalized
from hloc_lite.retrieval.pooling import FeatureMaps, Pooling
from hloc_lite.retrieval.poolings.crow import channel_weights
from hloc_lite.types import Float32

NUM_CLASSES = 64
"""Classes of a photo that are pooled, as in the paper."""


def class_activation_maps(feature_map: Float32, class_weights: Float32) -> Float32:
    """(K, H, W) maps sum_k w_kc X_k of K classes, each scaled to [0, 1].

    Args:
        feature_map: (C, H, W) before the global average of the classifier.
        class_weights: (K, C).
    """
    maps = np.tensordot(class_weights, feature_map, axes=1)
    lowest = maps.min(axis=(1, 2), keepdims=True)
    spans = maps.max(axis=(1, 2), keepdims=True) - lowest
    return np.divide(maps - lowest, spans, out=np.zeros_like(maps), where=spans > 0)


def class_weighted(feature_map: Float32, class_weights: Float32, num_classes: int) -> Float32:
    """(C,) sum of the unit vectors of the most probable classes of a photo.

    The classes are the photo's own (OfA in the paper, without the PCA of each class vector).

    Args:
        feature_map: (C, H, W).
        class_weights: (classes, C) of all classes.
        num_classes: most classes that are pooled.
    """
    logits = class_weights @ feature_map.mean(axis=(1, 2))
    best = np.argsort(-logits, kind="stable")[:num_classes]
    maps = class_activation_maps(feature_map, class_weights[best])
    vectors = np.einsum("chw,khw->kc", feature_map, maps, optimize=True)
    return l2_normalized(channel_weights(feature_map) * vectors).sum(axis=0)


class Cam(Pooling):
    """Sum of class-weighted vectors; for backbones that end in a linear classifier."""

    needs_classes = True

    def pool(self, maps: FeatureMaps) -> Float32:
        """(C,) vector. Raises HlocLiteError if the backbone has no classifier."""
        weights = maps.class_weights
        if weights is None:
            raise HlocLiteError(
                "cam pools by the classes of the network, but this backbone has no classifier; "
                "use lite0, lite1 or lite2"
            )
        vectors = [l2_normalized(class_weighted(view, weights, NUM_CLASSES)) for view in maps.views]
        return np.mean(vectors, axis=0, dtype=np.float32)
