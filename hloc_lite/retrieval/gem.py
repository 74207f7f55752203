"""``gem-lite0``: generalized mean of EfficientNet-Lite0's last feature map."""

from __future__ import annotations

from hloc_lite.config import RetrievalConfig
from hloc_lite.registry import Runtime
from hloc_lite.retrieval.aggregation import gem, l2_normalized
from hloc_lite.retrieval.pixels import local_vectors, rgb_tensor
from hloc_lite.retrieval.pretrained import PretrainedDescriptor
from hloc_lite.types import Float32, Photo


class GemLite(PretrainedDescriptor):
    """GeM with p = 3 (Radenovic 2018) over 1280 channels at stride 32."""

    def __init__(self, name: str, config: RetrievalConfig, runtime: Runtime) -> None:
        from hloc_lite.networks.efficientnet_lite import HEAD_CHANNELS, load_efficientnet_lite

        self.descriptor_dim = HEAD_CHANNELS
        self._max_side_px = config.max_side_px
        self._device = runtime.device
        self._backbone = load_efficientnet_lite(
            runtime.weights.read("efficientnet-lite0"), runtime.device
        )

    def describe_one(self, photo: Photo) -> Float32:
        """(1280,) unit vector of a photo."""
        import torch

        with torch.inference_mode():
            rgb = rgb_tensor(photo, self._max_side_px, self._device)
            feature_map = self._backbone.head(self._backbone.stride16(rgb))
        return l2_normalized(gem(local_vectors(feature_map)))
