"""Coarse-to-fine matching of photos on backbone features, as in InLoc (Taira 2018), to sub-pixels.

Cells of stride 16 are matched first; around each match, cells of stride 4. InLoc stops there. Here
a match moves to the strongest corner of its cell, and is tracked into the other photo: its error
falls from 0.7 px to 0.1 px on a street.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import cv2
import numpy as np

from hloc_lite.config import MatchingConfig
from hloc_lite.io.image_resizing import resized_size
from hloc_lite.matching.feature_grids import (
    CellMatches,
    mutual_cells,
    refined_cells,
    unit,
    whitened,
)
from hloc_lite.matching.sub_pixel import (
    MAX_SHIFT_CELLS,
    SNAP_PX,
    cell_corners,
    snapped,
    track,
)
from hloc_lite.registry import Runtime
from hloc_lite.types import Bool, Float32, Int64, LocalFeatures, PairMatches, Photo, UInt8

if TYPE_CHECKING:
    import torch

COARSE_STRIDE, FINE_STRIDE = 16, 4
MAX_ZOOM = 2
"""Resolution at which matches are tracked over that of the backbone, if the photo has it. With 1
the median error of four poses at a door is 0.13 % of the distance, with 2 it is 0.07 %."""
CACHED_PHOTOS = 24
"""Photos whose features stay in memory: 3 MB each at 640 px."""
SUPPORT_SCALE = 1.0
"""The score is 1 - exp(-support / this): 0.86 at a support of 2 and 0.95 at 3. Of those matches
0.94 and 0.98 lie within 2 px of the epipolar line on a street, 0.88 and 0.94 indoors."""
UNTRACKED_FACTOR = 0.5
"""Factor of the scores of matches that cannot be tracked, as the views differ too much: they take
the nearest corner of the other photo. Without them the median error of 9 queries in a kitchen is 4
times as large."""
MIN_UNTRACKED_SUPPORT = 4
MAX_CORNER_PX = 3.0
"""Largest distance of that corner, pixels at the backbone's resolution."""
Pyramid = Callable[["torch.Tensor"], "list[torch.Tensor]"]
"""Backbone: (1, 3, H, W) RGB in [0, 1] -> features at the strides 4, 8 and 16."""


@dataclass(frozen=True, eq=False)
class _Described:
    """A photo at the resolution that it is matched at."""

    levels: list[torch.Tensor]
    """(C, H, W) features at the strides 4, 8 and 16."""
    gray: UInt8
    """(h, w) where corners are found and tracked; ``zoom`` times the backbone's resolution."""
    zoom: int
    corners: Float32
    """(H, W, 2) position of the strongest corner of each fine cell, pixels of ``gray``."""
    is_corner: Bool
    """(H, W) True where it is strong enough to be matched."""
    scale: Float32
    """(2,) original pixels per pixel of ``gray``, along x and y."""
    image_size: tuple[int, int]


class CoarseToFineMatcher:
    """Matches photos on a backbone that was never trained to match."""

    def __init__(self, name: str, config: MatchingConfig, runtime: Runtime) -> None:
        self._config, self._device = config, runtime.device
        self._pyramid = _load_backbone(name, runtime)
        self._describe = lru_cache(CACHED_PHOTOS)(self._describe_photo)

    def match_photos(self, pairs: Sequence[tuple[Photo, Photo]]) -> list[PairMatches]:
        """Matches of each pair, in order, best first.

        Keypoints are corners of the first photo; those that are corners of the second, too, take
        their position, so that all pairs of a photo share them. Scores rise with the number of
        coarse matches that a match was found around.
        """
        import torch

        with torch.inference_mode():
            return [
                self._match(self._describe(first), self._describe(second))
                for first, second in pairs
            ]

    def propose_keypoints(self, photo: Photo) -> LocalFeatures:
        """Corners of a photo, one for each fine cell that has one."""
        import torch

        with torch.inference_mode():
            described = self._describe(photo)
        points = described.corners[described.is_corner] * described.scale
        none = np.zeros((len(points), 0), np.float32)
        return LocalFeatures(points, none, np.ones(len(points), np.float32), described.image_size)

    def _match(self, first: _Described, second: _Described) -> PairMatches:
        cells, support = self._match_cells(first, second)
        corners0, corners1 = first.corners.reshape(-1, 2), second.corners.reshape(-1, 2)
        centres0, centres1 = _centres(first), _centres(second)
        points = corners0[cells[:, 0]]
        guesses = points + centres1[cells[:, 1]] - centres0[cells[:, 0]]
        max_shift_px = MAX_SHIFT_CELLS * FINE_STRIDE * second.zoom
        moved, is_tracked = track(first.gray, second.gray, points, guesses, max_shift_px)
        known = corners1[second.is_corner.ravel()]
        moved, _ = snapped(moved, known, SNAP_PX)
        nearest, idxs = snapped(guesses, known, MAX_CORNER_PX * second.zoom)
        is_near = (idxs >= 0) & (support >= MIN_UNTRACKED_SUPPORT)
        scores = 1 - np.exp(-support / SUPPORT_SCALE)
        scores = np.where(is_tracked, scores, UNTRACKED_FACTOR * scores)
        moved = np.where(is_tracked[:, None], moved, nearest)
        kept = is_tracked | is_near
        points, moved, scores = points[kept], moved[kept], scores[kept]
        order = np.argsort(-scores, kind="stable")[: self._config.dense_max_matches]
        return PairMatches(
            (points * first.scale)[order],
            (moved * second.scale)[order],
            scores[order].astype(np.float32),
            first.image_size,
            second.image_size,
        )

    def _match_cells(self, first: _Described, second: _Described) -> tuple[Int64, Int64]:
        """(K, 2) matched fine cells whose first one has a corner, and (K,) their support."""

        coarse0, coarse1 = whitened(first.levels[2], second.levels[2])
        fine0, fine1 = _fine_features(first, second)
        found: CellMatches = refined_cells(
            mutual_cells(coarse0, coarse1),
            (coarse0.shape[2], coarse1.shape[2]),
            fine0,
            fine1,
            COARSE_STRIDE // FINE_STRIDE,
        )
        cells, support = found.cells.cpu().numpy(), found.support.cpu().numpy()
        kept = (support >= self._config.dense_min_support) & first.is_corner.ravel()[cells[:, 0]]
        cells, support = cells[kept], support[kept]
        order = np.argsort(-support, kind="stable")
        _, best = np.unique(cells[order, 0], return_index=True)  # each corner once, best supported
        rows = order[best]
        return cells[rows], support[rows]

    def _describe_photo(self, photo: Photo) -> _Described:
        import torch

        size = _working_size(photo, self._config.dense_side_px)
        pixels = cv2.resize(photo.pixels, size, interpolation=cv2.INTER_AREA)
        rgb = torch.tensor(pixels, device=self._device).permute(2, 0, 1)[None].float() / 255
        zoom = min(MAX_ZOOM, max(1, photo.width // size[0]), max(1, photo.height // size[1]))
        large = (size[0] * zoom, size[1] * zoom)
        shown = cv2.resize(photo.pixels, large, interpolation=cv2.INTER_AREA)
        gray = cv2.cvtColor(shown, cv2.COLOR_RGB2GRAY).astype(np.uint8, copy=False)
        corners, is_corner = cell_corners(gray, FINE_STRIDE * zoom)
        if photo.mask is not None:
            mask = cv2.resize(photo.mask.astype(np.uint8), large, interpolation=cv2.INTER_NEAREST)
            x, y = corners.astype(np.int64).transpose(2, 0, 1)
            is_corner &= mask[y, x] > 0
        scale = np.array([photo.width / large[0], photo.height / large[1]], np.float32)
        levels = [level[0].float() for level in self._pyramid(rgb)]
        own_size = (photo.width, photo.height)
        return _Described(levels, gray, zoom, corners, is_corner, scale, own_size)


def _load_backbone(name: str, runtime: Runtime) -> Pyramid:
    if name == "coarse-to-fine-vgg16":
        from hloc_lite.networks.vgg16_netvlad import Vgg16, read_netvlad_mat

        return Vgg16(
            read_netvlad_mat(runtime.weights.read("netvlad-pitts30k")), runtime.device
        ).pyramid
    from hloc_lite.networks.efficientnet_lite import load_efficientnet_lite

    return load_efficientnet_lite(
        runtime.weights.read("efficientnet-lite0"), runtime.device
    ).pyramid


def _working_size(photo: Photo, max_side_px: int) -> tuple[int, int]:
    """(width, height): multiples of the coarse stride, so that cells are whole."""
    width, height = resized_size(photo.width, photo.height, max_side_px)
    stride = COARSE_STRIDE
    return max(1, round(width / stride)) * stride, max(1, round(height / stride)) * stride


def _fine_features(first: _Described, second: _Described) -> tuple[torch.Tensor, torch.Tensor]:
    """Unit features at stride 4 of both photos: those of stride 4 and 8 in equal shares.

    Those of stride 4 alone mistake repeated texture: a quarter fewer matches are right indoors.
    """
    import torch

    fine = whitened(first.levels[0], second.levels[0])
    middle = whitened(first.levels[1], second.levels[1])
    joined = []
    for own, larger in zip(fine, middle, strict=True):
        raised = torch.nn.functional.interpolate(
            larger[None], size=own.shape[1:], mode="bilinear", align_corners=False
        )[0]
        joined.append(unit(torch.cat([own, unit(raised)])))
    return joined[0], joined[1]


def _centres(described: _Described) -> Float32:
    """(H * W, 2) centres of the fine cells, pixels of ``gray``."""
    height, width = described.is_corner.shape
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    centres = (np.stack([x.ravel(), y.ravel()], axis=1) + 0.5) * FINE_STRIDE
    return centres.astype(np.float32) * np.float32(described.zoom)
