"""LoFTR (Sun 2021) on kornia's network: a transformer that matches two photos without detector."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hloc_lite.config import MatchingConfig
from hloc_lite.io.image_resizing import resize, resized_size
from hloc_lite.io.torch_checkpoints import checkpoint_errors, load_parameters, read_checkpoint
from hloc_lite.matching.seen_pixels import is_seen
from hloc_lite.protocols import WeightsFile
from hloc_lite.registry import Runtime
from hloc_lite.types import Float32, PairMatches, Photo

if TYPE_CHECKING:
    import torch
    from kornia.feature import LoFTR

STRIDE = 8
"""Side of a coarse cell; photos are shrunk to multiples of it."""
MIN_SIDE_PX = 48
"""Photos with a smaller side have no cell away from the border: they get no matches."""


class LoftrMatcher:
    """Matches photos by LoFTR: first keypoints lie on a grid of 8 px, second ones between pixels.

    Args:
        architecture: kornia's configuration of a network of another size; None for the authors'.
    """

    def __init__(
        self,
        name: str,
        config: MatchingConfig,
        runtime: Runtime,
        architecture: Mapping[str, Any] | None = None,
    ) -> None:
        self._config, self._device = config, runtime.device
        self._network = load_loftr(
            runtime.weights.read(name),
            name,
            min_score=config.dense_min_certainty,
            device=runtime.device,
            architecture=architecture,
        )

    def match_photos(self, pairs: Sequence[tuple[Photo, Photo]]) -> list[PairMatches]:
        """Matches of each pair, in order, best first; scores are the network's confidences."""
        return [self._match(first, second) for first, second in pairs]

    def _match(self, first: Photo, second: Photo) -> PairMatches:
        import torch

        sizes = (first.width, first.height), (second.width, second.height)
        inputs = [self._gray(photo) for photo in (first, second)]
        none = np.zeros((0, 2), np.float32)
        if min(min(each.shape[2:]) for each in inputs) < MIN_SIDE_PX:
            return PairMatches(none, none, none[:, 0], *sizes)
        with torch.inference_mode():
            found = self._network({"image0": inputs[0], "image1": inputs[1]})
        # In the frame that the networks were trained in, (0.5, 0.5) is the middle of the first
        # pixel, as here (kornia's documentation of LoFTR)
        keypoints = [
            _in_photo(found[f"keypoints{side}"], inputs[side], photo)
            for side, photo in enumerate((first, second))
        ]
        scores = found["confidence"].float().clamp(0, 1).cpu().numpy()
        inside = is_seen(keypoints[0], first) & is_seen(keypoints[1], second)
        rows = np.flatnonzero(inside)
        rows = rows[np.argsort(-scores[rows], kind="stable")][: self._config.dense_max_matches]
        return PairMatches(keypoints[0][rows], keypoints[1][rows], scores[rows], *sizes)

    def _gray(self, photo: Photo) -> torch.Tensor:
        """(1, 1, h, w) grey values in [0, 1], at the resolution of the network."""
        import cv2
        import torch

        size = resized_size(photo.width, photo.height, self._config.dense_side_px, STRIDE)
        gray = cv2.cvtColor(resize(photo.pixels, size), cv2.COLOR_RGB2GRAY)
        return torch.tensor(gray, device=self._device)[None, None].float() / 255


def load_loftr(
    file: Path | WeightsFile,
    name: str,
    *,
    min_score: float,
    device: str,
    architecture: Mapping[str, Any] | None = None,
) -> LoFTR:
    """The network with the weights of a file, ready for inference.

    Args:
        name: name of the weights; those trained indoors need the corrected positional encoding.
        min_score: least confidence of a match.
        architecture: as for ``LoftrMatcher``.

    Raises:
        WeightsError: the file is not such a checkpoint.
    """
    from kornia.feature import LoFTR
    from kornia.feature.loftr.loftr import default_cfg

    chosen: Mapping[str, Any] = default_cfg if architecture is None else architecture
    is_indoor = name == "loftr-indoor"
    config = {
        **chosen,
        "coarse": {**chosen["coarse"], "temp_bug_fix": is_indoor},
        "match_coarse": {**chosen["match_coarse"], "thr": min_score},
    }
    with checkpoint_errors(file, "LoFTR", name):
        parameters = read_checkpoint(file)["state_dict"]
        return load_parameters(LoFTR(pretrained=None, config=config), dict(parameters), device)


def _in_photo(keypoints: torch.Tensor, image: torch.Tensor, photo: Photo) -> Float32:
    """(K, 2) keypoints of the network's image in pixels of the original photo."""
    height, width = image.shape[2:]
    scale = np.array([photo.width / width, photo.height / height], np.float32)
    return keypoints.float().cpu().numpy() * scale
