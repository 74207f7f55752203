"""XFeat (Potje 2024), the sparse variant, on kornia's network with the authors' weights."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F

from hloc_lite.config import FeaturesConfig
from hloc_lite.features.candidates import Candidates, extract_with
from hloc_lite.features.networks import (
    fold_batch_norms,
    local_maxima,
    pad_with_edge,
    to_tensor,
)
from hloc_lite.io.torch_checkpoints import checkpoint_errors, load_parameters, read_checkpoint
from hloc_lite.registry import Runtime
from hloc_lite.types import Float32, Int64, LocalFeatures, Photo, UInt8

STRIDE = 32
"""The network downsamples by 32; like the authors' code, sides are rounded DOWN to multiples."""
NMS_RADIUS = 2
"""The authors' window of 5 pixels."""
SCORE_THRESHOLD = 0.05
"""The authors' default, on the probability that a pixel is a keypoint."""


class XFeatExtractor:
    """XFeat extractor with keypoints at whole pixels; scores are probability x reliability."""

    descriptor_dim = 64

    def __init__(self, name: str, config: FeaturesConfig, runtime: Runtime) -> None:
        from kornia.feature.xfeat import XFeatModel

        file = runtime.weights.read(name)
        with checkpoint_errors(file, "XFeat", name):
            network = load_parameters(XFeatModel(), read_checkpoint(file), runtime.device)
        # innermost channels are 10 % faster on CPUs
        folded = fold_batch_norms(network)
        self._network = folded.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._config = config
        self._device = runtime.device

    def extract(self, photos: Sequence[Photo]) -> list[LocalFeatures]:
        """Features of each photo, in order; photos of equal size run in one batch."""
        return extract_with(self._detect, self.descriptor_dim, photos, self._config, STRIDE)

    @torch.inference_mode()
    def _detect(self, images: Sequence[UInt8]) -> list[Candidates]:
        height, width = images[0].shape[:2]
        tensor = to_tensor(images, self._device, STRIDE, pad_with_edge)
        features, logits, reliability = self._network(tensor)
        features = F.normalize(features, dim=1)
        # 64 channels are the 8 x 8 pixels of a cell, the 65th stands for no keypoint
        heatmaps = F.pixel_shuffle(F.softmax(logits, dim=1)[:, :64], 8)
        return [
            _candidates(heatmap[0, :height, :width], heatmap.shape[1:], *maps)
            for heatmap, *maps in zip(heatmaps, reliability, features, strict=True)
        ]


def _candidates(
    heatmap: torch.Tensor,
    padded: torch.Size,
    reliability: torch.Tensor,
    features: torch.Tensor,
) -> Candidates:
    x, y, _ = local_maxima(heatmap, NMS_RADIUS, SCORE_THRESHOLD)
    xy = torch.stack([x, y], dim=1).float()
    reliable = _sample(reliability, xy, padded, "bilinear")[:, 0]

    def describe(rows: Int64) -> Float32:
        with torch.inference_mode():
            sampled: Float32 = _sample(features, xy[rows], padded, "bicubic").cpu().numpy()
        return sampled

    return Candidates(
        indices_xy=xy.cpu().numpy(),
        scores=(heatmap[y, x] * reliable).cpu().numpy().astype(np.float32),
        describe=describe,
    )


def _sample(maps: torch.Tensor, xy: torch.Tensor, size: torch.Size, mode: str) -> torch.Tensor:
    """(N, C) values of (C, h, w) maps at (N, 2) pixels of an input of (height, width).

    The grid is stretched by half a cell at the borders (pixels divided by W - 1, sampled with
    ``align_corners=False``). It must stay so, since the weights were trained with it.
    """
    if len(xy) == 0:
        return maps.new_zeros((0, maps.shape[0]))
    height, width = size
    grid = 2 * xy / xy.new_tensor([width - 1, height - 1]) - 1
    sampled = F.grid_sample(maps[None], grid[None, :, None], mode=mode, align_corners=False)
    return sampled[0, :, :, 0].T
