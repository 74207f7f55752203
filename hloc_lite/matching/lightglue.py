"""LightGlue (Lindenberger 2023): a transformer that matches two sets of local features."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from hloc_lite.config import MatchingConfig
from hloc_lite.errors import ShapeError
from hloc_lite.registry import Runtime
from hloc_lite.types import LocalFeatures, Matches

if TYPE_CHECKING:
    import torch


class Adaptivity(NamedTuple):
    """Thresholds for stopping early and pruning keypoints; -1 disables either."""

    depth_confidence: float
    """Share of keypoints with confident predictions at which the remaining layers are skipped."""
    width_confidence: float
    """Keypoints more confident than this to have no match are pruned in the remaining layers."""


AUTHORS_ADAPTIVITY = Adaptivity(0.95, 0.99)
"""For ALIKED on 12 pairs of real photos: a third of the time of the full network, 98 % of its
matches kept, 2 % others (pipelines/benchmarks/speed/lightglue.py)."""
ADAPTIVITY: Mapping[str, Adaptivity] = {
    "lightglue-aliked": AUTHORS_ADAPTIVITY,
    "lightglue-disk": AUTHORS_ADAPTIVITY,
    "lighterglue-xfeat": Adaptivity(-1, 0.95),
}
EDGE_TOLERANCE_PX = 1.0
"""Keypoints may lie so far outside their image because of rounding; farther ones are an error."""


class LightGlueMatcher:
    """LightGlue for ALIKED, DISK and XFeat features on kornia's network."""

    def __init__(self, name: str, config: MatchingConfig, runtime: Runtime) -> None:
        from hloc_lite.matching.lightglue_network import load_lightglue

        depth_confidence, width_confidence = ADAPTIVITY.get(name, AUTHORS_ADAPTIVITY)
        self._name = name
        self._batch_size = config.batch_size
        self._device = runtime.device
        self._network = load_lightglue(
            runtime.weights.read(name),
            min_score=config.min_score,
            depth_confidence=depth_confidence,
            # pruned pairs differ in size, so a batch cannot prune
            width_confidence=width_confidence if config.batch_size == 1 else -1,
            device=runtime.device,
        )

    def match(self, pairs: Sequence[tuple[LocalFeatures, LocalFeatures]]) -> list[Matches]:
        """Matches of each pair, in order; scores are the network's assignment probabilities.

        Pairs of equal keypoint counts run in batches of up to ``config.batch_size``. A batch stops
        at the layer where its last pair may stop, so matches can depend on the other pairs.

        Raises:
            ShapeError: descriptors have another dimension than the network's, or keypoints lie
                outside their image.
        """
        import torch

        on_device: dict[int, dict[str, torch.Tensor]] = {}  # copied once for several pairs
        for image in (image for pair in pairs for image in pair):
            if id(image) not in on_device:
                on_device[id(image)] = self._tensors(image)
        matches = [Matches.empty()] * len(pairs)
        for batch in self._batches(pairs):
            sides = [[on_device[id(pairs[index][side])] for index in batch] for side in (0, 1)]
            with torch.inference_mode():
                found = self._network({"image0": _stack(sides[0]), "image1": _stack(sides[1])})
            for index, indices, scores in zip(
                batch, found["matches"], found["scores"], strict=True
            ):
                matches[index] = Matches(
                    indices.cpu().numpy().astype(np.int32),
                    scores.float().clamp(0, 1).cpu().numpy(),
                )
        return matches

    def _tensors(self, features: LocalFeatures) -> dict[str, torch.Tensor]:
        import torch

        input_dim = self._network.conf.input_dim
        if len(features) and features.descriptors.shape[1] != input_dim:
            raise ShapeError(
                f"{self._name} takes {input_dim}-dimensional descriptors, got "
                f"{features.descriptors.shape[1]}; set matching.name=auto for the right matcher"
            )
        size = np.asarray(features.image_size, np.float32)
        keypoints = np.clip(features.keypoints, 0, size)  # the network refuses others
        if len(features) and np.abs(keypoints - features.keypoints).max() > EDGE_TOLERANCE_PX:
            raise ShapeError(
                f"keypoints lie outside their image of {size[0]:.0f} x {size[1]:.0f} px; give "
                f"pixels of the original image"
            )
        # The centre of the top-left pixel is (0.5, 0.5) here and (0, 0) in training. The network
        # only uses differences of positions within an image, so that shift has no effect.
        return {
            "keypoints": torch.tensor(keypoints, device=self._device),
            "descriptors": torch.tensor(features.descriptors, device=self._device),
            "image_size": torch.tensor(size, device=self._device),
        }

    def _batches(self, pairs: Sequence[tuple[LocalFeatures, LocalFeatures]]) -> list[list[int]]:
        """Indices of pairs that run in one batch; pairs with an empty side are left out."""
        groups: defaultdict[tuple[int, int], list[int]] = defaultdict(list)
        for index, (features0, features1) in enumerate(pairs):
            if len(features0) and len(features1):
                groups[len(features0), len(features1)].append(index)
        step = self._batch_size
        return [
            group[start : start + step]
            for group in groups.values()
            for start in range(0, len(group), step)
        ]


def _stack(images: list[dict[str, torch.Tensor]]) -> dict[str, torch.Tensor]:
    import torch

    return {key: torch.stack([image[key] for image in images]) for key in images[0]}
