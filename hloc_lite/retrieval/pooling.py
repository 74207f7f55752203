"""Interface of poolings: the feature map of a photo -> one vector."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar

import numpy as np

from hloc_lite.config import RetrievalConfig
from hloc_lite.retrieval.aggregation import l2_normalized
from hloc_lite.types import Float32


class MapKind(StrEnum):
    """Which feature map of a backbone a pooling takes."""

    RESPONSES = "responses"
    """Last map after its ReLU: not negative, coarse, of many channels."""
    LOCAL = "local"
    """Map of stride 16 before its ReLU: signed local vectors, finer."""


@dataclass(frozen=True, eq=False)
class FeatureMaps:
    """Feature maps of one photo.

    Shapes: (C, H, W) float32 each; H and W differ between scales and turns.
    """

    views: tuple[Float32, ...]
    """Map of the photo itself first; then of its scaled and turned copies, if a pooling asks."""
    class_weights: Float32 | None = None
    """(classes, C) weights of the classifier behind the map, for class activation maps."""

    @property
    def first(self) -> Float32:
        """Map of the photo itself."""
        return self.views[0]


class Pooling:
    """A pooling; the default methods are those of one that learns nothing.

    Args:
        config: sizes of what is learned, and the seed.
    """

    map_kind: ClassVar[MapKind] = MapKind.RESPONSES
    quarter_turns: ClassVar[int] = 1
    """Copies of the photo, each turned by a further 90 degrees, that are pooled."""
    needs_classes: ClassVar[bool] = False
    """True for poolings that read ``FeatureMaps.class_weights``."""

    def __init__(self, config: RetrievalConfig) -> None:
        self.config = config

    def fit(self, samples: Sequence[FeatureMaps]) -> None:
        """Learn from the feature maps of some map images; nothing by default."""

    def state(self) -> dict[str, Float32]:
        """Learned arrays by name; empty before ``fit``, and where nothing is learned."""
        return {}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Restore the ``state`` of another instance. Raises HlocLiteError if a part is missing."""

    def pool_map(self, feature_map: Float32) -> Float32:
        """(E,) vector of a (C, H, W) map, to be implemented unless ``pool`` is."""
        raise NotImplementedError

    def pool(self, maps: FeatureMaps) -> Float32:
        """(E,) vector of a photo; of several views, the mean of their unit vectors."""
        vectors = [l2_normalized(self.pool_map(view)) for view in maps.views]
        return np.mean(vectors, axis=0, dtype=np.float32)


def local_rows(feature_map: Float32) -> Float32:
    """(H * W, C) local vectors of a (C, H, W) map, row by row."""
    return np.ascontiguousarray(feature_map.reshape(len(feature_map), -1).T)
