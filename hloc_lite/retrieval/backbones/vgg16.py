"""``vgg16-pitts30k``: the convolutions of the authors' NetVLAD, trained for places."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hloc_lite.registry import Runtime
from hloc_lite.retrieval.pooling import MapKind

if TYPE_CHECKING:
    import torch


class Vgg16Backbone:
    """conv5_3 of VGG16: 512 channels at stride 16; responses are those after ReLU."""

    class_weights = None

    def __init__(self, name: str, runtime: Runtime) -> None:
        from hloc_lite.networks.vgg16_netvlad import Vgg16, read_netvlad_mat

        weights = read_netvlad_mat(runtime.weights.read("netvlad-pitts30k"))
        self._network = Vgg16(weights, runtime.device)

    def feature_map(self, rgb: torch.Tensor, kind: MapKind) -> torch.Tensor:
        """(1, 512, h, w) map of a (1, 3, H, W) RGB photo in [0, 1]."""
        local = self._network.pyramid(rgb)[-1]
        return local if kind is MapKind.LOCAL else local.relu()
