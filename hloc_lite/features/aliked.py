"""ALIKED (Zhao 2023) on kornia's network with the authors' weights: t16, n16, n16rot, n32."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from hloc_lite.config import FeaturesConfig
from hloc_lite.features.aliked_descriptors import FeaturePixels, describe
from hloc_lite.features.aliked_network import prepare_for_inference, scores_and_features
from hloc_lite.features.candidates import Candidates, extract_with
from hloc_lite.features.networks import local_maxima, pad_with_edge, to_tensor
from hloc_lite.io.torch_checkpoints import checkpoint_errors, load_parameters, read_checkpoint
from hloc_lite.registry import Runtime
from hloc_lite.types import Float32, Int64, LocalFeatures, Photo, UInt8

NMS_RADIUS = 2
"""The authors' default; also the radius of the sub-pixel refinement."""
SCORE_THRESHOLD = 0.2
"""The authors' default, on the score map in (0, 1)."""
TEMPERATURE = 0.1
"""Temperature of the soft-argmax over a window, the authors' default."""


class AlikedExtractor:
    """ALIKED extractor with sub-pixel keypoints and scores in (0, 1)."""

    def __init__(self, name: str, config: FeaturesConfig, runtime: Runtime) -> None:
        from kornia.feature import ALIKED

        file = runtime.weights.read(name)
        network = ALIKED(name)
        with checkpoint_errors(file, "ALIKED", name):
            parameters = read_checkpoint(file)
            # a constant of the detector that the files do not hold
            parameters.setdefault("dkd.hw_grid", network.dkd.hw_grid)
            network = load_parameters(network, parameters, runtime.device)
        self._network = prepare_for_inference(network)
        aggregation: torch.Tensor = network.desc_head.agg_weights  # type: ignore[assignment]
        self.descriptor_dim = int(aggregation.shape[-1])
        self._config = config
        self._device = runtime.device

    def extract(self, photos: Sequence[Photo]) -> list[LocalFeatures]:
        """Features of each photo, in order; photos of equal size run in one batch."""
        return extract_with(self._detect, self.descriptor_dim, photos, self._config)

    @torch.inference_mode()
    def _detect(self, images: Sequence[UInt8]) -> list[Candidates]:
        height, width = images[0].shape[:2]
        tensor = to_tensor(images, self._device, 1, pad_with_edge)
        scores, features = scores_and_features(self._network, tensor)
        return [
            self._candidates(score_map[:height, :width], pixels)
            for score_map, pixels in zip(scores, features, strict=True)
        ]

    def _candidates(self, score_map: torch.Tensor, features: FeaturePixels) -> Candidates:
        xy, scores = _refined_maxima(score_map)

        def describe_rows(rows: Int64) -> Float32:
            with torch.inference_mode():
                descriptors = describe(self._network.desc_head, features, xy[rows])
            array: Float32 = descriptors.cpu().numpy()
            return array

        return Candidates(xy.cpu().numpy(), scores.cpu().numpy(), describe_rows)


def _refined_maxima(score_map: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Sub-pixel local maxima of an (H, W) map: (N, 2) x, y and (N,) interpolated scores."""
    x, y, windows = local_maxima(score_map, NMS_RADIUS, SCORE_THRESHOLD)
    offsets = torch.arange(-NMS_RADIUS, NMS_RADIUS + 1, device=x.device, dtype=score_map.dtype)
    grid = torch.cartesian_prod(offsets, offsets).flip(1)  # (x, y), row by row
    shares = torch.softmax(windows / TEMPERATURE, dim=1)
    xy = torch.stack([x, y], dim=1) + shares @ grid
    return xy, _bilinear(score_map, xy)


def _bilinear(score_map: torch.Tensor, xy: torch.Tensor) -> torch.Tensor:
    """(N,) values of an (H, W) map at (N, 2) positions."""
    height, width = score_map.shape
    corner = torch.minimum(xy.floor().long(), xy.new_tensor([width - 2, height - 2]).long())
    fx, fy = (xy - corner).unbind(1)
    x, y = corner.clamp(min=0).unbind(1)
    above = score_map[y, x] * (1 - fx) + score_map[y, x + 1] * fx
    below = score_map[y + 1, x] * (1 - fx) + score_map[y + 1, x + 1] * fx
    return above * (1 - fy) + below * fy
