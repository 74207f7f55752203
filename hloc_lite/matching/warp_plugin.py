"""Seam for dense matchers of other packages: RoMa and LoMa are taken unchanged.

Neither is a dependency. Whoever has installed one registers it in three lines (docs/mapping.md):

    class Roma(WarpMatcher):
        def __init__(self, name, config, runtime):
            super().__init__(romatch.roma_outdoor(runtime.device), config)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from hloc_lite.config import MatchingConfig
from hloc_lite.matching.seen_pixels import is_seen
from hloc_lite.types import Float32, PairMatches, Photo

if TYPE_CHECKING:
    import torch
    from PIL.Image import Image


class WarpModel(Protocol):
    """Public signature of RoMa (Edstedt 2024) and its kind."""

    def match(self, im_A: Image, im_B: Image, /) -> tuple[torch.Tensor, torch.Tensor]:
        """Dense warp (H, W, 4) and certainty (H, W): positions in both photos in [-1, 1]."""

    def sample(
        self, matches: torch.Tensor, certainty: torch.Tensor, /, num: int
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """``num`` rows (K, 4) of the warp, spread over the photos, and their certainty (K,)."""

    def to_pixel_coordinates(
        self, matches: torch.Tensor, H_A: int, W_A: int, H_B: int, W_B: int, /
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """(K, 2) pixels of both photos."""


class KeypointModel(Protocol):
    """Public signature of LoMa (Nordstroem 2026) and its kind."""

    def match(
        self, image_A: torch.Tensor, image_B: torch.Tensor, /
    ) -> tuple[np.ndarray, np.ndarray]:
        """(K, 2) matched pixels of two (1, 3, H, W) RGB images in [0, 1]."""


class WarpMatcher:
    """``PairMatcher`` on a model that warps one photo onto another.

    Args:
        model: ready for use; its [-1, 1] are the borders of the photos.
        config: ``dense_max_matches`` are sampled, ``dense_min_certainty`` is the least certainty.
        seed: seed of the model's random sample; each pair starts with it, so runs are alike.
    """

    def __init__(self, model: WarpModel, config: MatchingConfig, seed: int = 0) -> None:
        self._model, self._config, self._seed = model, config, seed

    def match_photos(self, pairs: Sequence[tuple[Photo, Photo]]) -> list[PairMatches]:
        """Matches of each pair, in order, most certain first."""
        return [self._match(first, second) for first, second in pairs]

    def _match(self, first: Photo, second: Photo) -> PairMatches:
        import torch
        from PIL import Image

        images = [Image.fromarray(photo.pixels) for photo in (first, second)]
        with torch.random.fork_rng(), torch.inference_mode():
            torch.manual_seed(self._seed)
            warp, certainty = self._model.match(images[0], images[1])
            certainty = certainty * (certainty >= self._config.dense_min_certainty)
            # their sample draws by certainty, and cannot draw from nothing
            num = min(self._config.dense_max_matches, int((certainty > 0).sum()))
            if num == 0:
                return _pair_matches(first, second, *_nothing())
            found, scores = self._model.sample(warp, certainty, num=num)
            found, scores = found[scores > 0], scores[scores > 0]
            sizes = first.height, first.width, second.height, second.width
            points0, points1 = self._model.to_pixel_coordinates(found, *sizes)
        arrays = [_float32(each) for each in (points0, points1, scores)]
        return _pair_matches(first, second, arrays[0], arrays[1], arrays[2].clip(0, 1))


class KeypointMatcher:
    """``PairMatcher`` on a model that returns matched pixels, without a confidence.

    Args:
        model: ready for use; its (0, 0) is the corner of the first pixel, as here.
        config: ``dense_max_matches`` are kept, the model's first ones.
        device: torch device that images are given on.
    """

    def __init__(self, model: KeypointModel, config: MatchingConfig, device: str = "cpu") -> None:
        self._model, self._config, self._device = model, config, device

    def match_photos(self, pairs: Sequence[tuple[Photo, Photo]]) -> list[PairMatches]:
        """Matches of each pair, in order, with equal scores of 1."""
        return [self._match(first, second) for first, second in pairs]

    def _match(self, first: Photo, second: Photo) -> PairMatches:
        import torch

        images = [
            torch.tensor(photo.pixels, device=self._device).permute(2, 0, 1)[None].float() / 255
            for photo in (first, second)
        ]
        points0, points1 = self._model.match(images[0], images[1])
        count = self._config.dense_max_matches
        arrays = [_float32(each)[:count] for each in (points0, points1)]
        scores = np.ones(len(arrays[0]), np.float32)
        return _pair_matches(first, second, arrays[0], arrays[1], scores)


def _nothing() -> tuple[Float32, Float32, Float32]:
    none = np.zeros((0, 2), np.float32)
    return none, none, none[:, 0]


def _float32(values: Any) -> Float32:
    array = values.detach().cpu().numpy() if hasattr(values, "detach") else values
    return np.asarray(array, np.float32)


def _pair_matches(
    first: Photo, second: Photo, points0: Float32, points1: Float32, scores: Float32
) -> PairMatches:
    """Matches inside both photos and their masks, best first."""
    rows = np.flatnonzero(is_seen(points0, first) & is_seen(points1, second))
    rows = rows[np.argsort(-scores[rows], kind="stable")]
    sizes = (first.width, first.height), (second.width, second.height)
    return PairMatches(points0[rows], points1[rows], scores[rows], *sizes)
