"""Interface of backbones: a photo -> the feature maps that poolings take."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from hloc_lite.retrieval.pooling import MapKind
from hloc_lite.types import Float32

if TYPE_CHECKING:
    import torch


class Backbone(Protocol):
    """A network with feature maps."""

    class_weights: Float32 | None
    """(classes, C) weights of its linear classifier; None if it has none."""

    def feature_map(self, rgb: torch.Tensor, kind: MapKind) -> torch.Tensor:
        """(1, C, h, w) map of a (1, 3, H, W) RGB photo in [0, 1]."""
