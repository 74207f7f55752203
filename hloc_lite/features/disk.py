"""DISK (Tyszkiewicz 2020) on kornia's U-Net, with the authors' depth-supervised weights."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from hloc_lite.config import FeaturesConfig
from hloc_lite.features.candidates import Candidates, extract_with
from hloc_lite.features.networks import local_maxima, pad_with_zeros, to_tensor
from hloc_lite.io.torch_checkpoints import checkpoint_errors, load_parameters, read_checkpoint
from hloc_lite.registry import Runtime
from hloc_lite.types import LocalFeatures, Photo, UInt8

STRIDE = 16
"""The U-Net downsamples by 16."""
NMS_RADIUS = 2
"""The authors' window of 5 pixels."""
SCORE_THRESHOLD = 0.0
"""The authors' default, on logits."""


class DiskExtractor:
    """DISK extractor with keypoints at whole pixels of the resized image; scores are logits."""

    descriptor_dim = 128

    def __init__(self, name: str, config: FeaturesConfig, runtime: Runtime) -> None:
        from kornia.feature import DISK

        file = runtime.weights.read(name)
        with checkpoint_errors(file, "DISK", name):
            parameters = read_checkpoint(file)["extractor"]
            network = load_parameters(DISK(self.descriptor_dim), parameters, runtime.device)
        self._network = network
        self._config = config
        self._device = runtime.device

    def extract(self, photos: Sequence[Photo]) -> list[LocalFeatures]:
        """Features of each photo, in order; photos of equal size run in one batch."""
        return extract_with(self._detect, self.descriptor_dim, photos, self._config)

    @torch.inference_mode()
    def _detect(self, images: Sequence[UInt8]) -> list[Candidates]:
        height, width = images[0].shape[:2]
        tensor = to_tensor(images, self._device, STRIDE, pad_with_zeros)
        heatmaps, dense = self._network.heatmap_and_dense_descriptors(tensor)
        return [
            _candidates(heatmap[0, :height, :width], features)
            for heatmap, features in zip(heatmaps, dense, strict=True)
        ]


def _candidates(heatmap: torch.Tensor, features: torch.Tensor) -> Candidates:
    x, y, _ = local_maxima(heatmap, NMS_RADIUS, SCORE_THRESHOLD)
    return Candidates(
        indices_xy=torch.stack([x, y], dim=1).float().cpu().numpy(),
        scores=heatmap[y, x].cpu().numpy(),
        describe=lambda rows: features[:, y[rows], x[rows]].T.cpu().numpy(),
    )
