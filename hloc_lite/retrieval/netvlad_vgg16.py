"""``netvlad-pitts30k``: the authors' NetVLAD on VGG16, from their MATLAB file."""

from __future__ import annotations

import numpy as np

from hloc_lite.config import RetrievalConfig
from hloc_lite.networks.vgg16_netvlad import Vgg16, read_netvlad_mat
from hloc_lite.registry import Runtime
from hloc_lite.retrieval.aggregation import l2_normalized, netvlad
from hloc_lite.retrieval.pixels import local_vectors, rgb_tensor
from hloc_lite.retrieval.pretrained import PretrainedDescriptor
from hloc_lite.types import Float32, Photo


class NetVladVgg16(PretrainedDescriptor):
    """NetVLAD over L2-normalized conv5_3 features of VGG16 without ReLU, whitened."""

    def __init__(self, name: str, config: RetrievalConfig, runtime: Runtime) -> None:
        self._max_side_px = config.max_side_px
        self._device = runtime.device
        self._weights = read_netvlad_mat(runtime.weights.read(name))
        self.descriptor_dim = len(self._weights.whitening_bias)
        self._network = Vgg16(self._weights, self._device)

    def describe_one(self, photo: Photo) -> Float32:
        """(4096,) unit vector of a photo."""
        import torch

        weights = self._weights
        with torch.inference_mode():
            rgb = rgb_tensor(photo, self._max_side_px, self._device)
            local = l2_normalized(local_vectors(self._network.pyramid(rgb)[-1]))
        no_bias = np.zeros(len(weights.centers), np.float32)
        words = netvlad(local, weights.assignment, no_bias, weights.centers)
        return l2_normalized(words.T.ravel() @ weights.whitening + weights.whitening_bias)
