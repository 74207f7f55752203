"""``lite0``, ``lite1``, ``lite2``: EfficientNet-Lite, trained on ImageNet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hloc_lite.registry import Runtime
from hloc_lite.retrieval.pooling import MapKind

if TYPE_CHECKING:
    import torch


class EfficientNetLiteBackbone:
    """1280 channels of responses in [0, 6] at stride 32; 112 or 120 signed ones at stride 16."""

    def __init__(self, name: str, runtime: Runtime) -> None:
        from hloc_lite.networks.efficientnet_lite import load_efficientnet_lite

        weights = f"efficientnet-{name}"
        self._network = load_efficientnet_lite(
            runtime.weights.read(weights), runtime.device, weights
        )
        self.class_weights = self._network.fc.weight.cpu().numpy()

    def feature_map(self, rgb: torch.Tensor, kind: MapKind) -> torch.Tensor:
        """(1, C, h, w) map of a (1, 3, H, W) RGB photo in [0, 1]."""
        local = self._network.stride16(rgb)
        return local if kind is MapKind.LOCAL else self._network.head(local)
