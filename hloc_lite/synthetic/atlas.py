"""Texture atlas: tiling materials and unique patches in one image with its mip levels.

Texels hold reflectance encoded with gamma 2: linear = (value / 255) ** 2 for materials and
(value / 100) ** 2 for patches. A patch multiplies the material below it; 100 leaves it unchanged.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from hloc_lite.types import Float32, UInt8

NUM_LEVELS = 6
TILE_PX = 512
TILE_MARGIN_PX = 32
"""Wrapped border of a tile: one texel at the coarsest mip level, for bilinear sampling."""
ALIGN_PX = 1 << (NUM_LEVELS - 1)
PATCH_NEUTRAL = 100
ATLAS_WIDTH_PX = 8192


@dataclass(frozen=True)
class Rect:
    """Region of a texture at level 0, in texels; all values are multiples of ``ALIGN_PX``."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True, eq=False)
class Atlas:
    """Finished atlas image with its mip levels."""

    pixels: UInt8
    """(H, W, 3) RGB: level 0 on the left, the coarser levels stacked beside it."""
    origins: Float32
    """(NUM_LEVELS, 2) x, y of the top-left texel of each level."""


class AtlasBuilder:
    """Collects textures; assigns regions at once, and packs the pixels in ``build``."""

    def __init__(self) -> None:
        self._images: list[tuple[Rect, UInt8]] = []
        self._rows: list[_AtlasRow] = []
        self._height = 0
        self.neutral = self.add_patch(np.full((ALIGN_PX, ALIGN_PX, 3), PATCH_NEUTRAL, np.uint8))

    def add_tile(self, image: UInt8) -> Rect:
        """Add a (TILE_PX, TILE_PX, 3) tiling image; returns its region without the margin."""
        border = (TILE_MARGIN_PX,) * 4
        wrapped = cv2.copyMakeBorder(image, *border, cv2.BORDER_WRAP)
        rect = self._allocate(*wrapped.shape[:2])
        self._images.append((rect, np.asarray(wrapped, np.uint8)))
        return Rect(rect.x + TILE_MARGIN_PX, rect.y + TILE_MARGIN_PX, TILE_PX, TILE_PX)

    def add_patch(self, image: UInt8) -> Rect:
        """Add a (h, w, 3) image, resampled so that every level has whole texels."""
        height, width = (_aligned(n) for n in image.shape[:2])
        if (height, width) != image.shape[:2]:
            resized = cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)
            image = np.asarray(resized, np.uint8)
        rect = self._allocate(height, width)
        self._images.append((rect, image))
        return rect

    def build(self) -> Atlas:
        """Pack all textures and compute the mip levels."""
        pixels = np.zeros((self._height, ATLAS_WIDTH_PX * 3 // 2, 3), np.uint8)
        for rect, image in self._images:
            pixels[rect.y : rect.y + rect.height, rect.x : rect.x + rect.width] = image
        origins = [(0, 0)]
        level = pixels[:, :ATLAS_WIDTH_PX]
        x, y = ATLAS_WIDTH_PX, 0
        for _ in range(1, NUM_LEVELS):
            size = (level.shape[1] // 2, level.shape[0] // 2)
            level = np.asarray(cv2.resize(level, size, interpolation=cv2.INTER_AREA), np.uint8)
            pixels[y : y + size[1], x : x + size[0]] = level
            origins.append((x, y))
            y += size[1]
        return Atlas(pixels, np.array(origins, np.float32))

    def _allocate(self, height: int, width: int) -> Rect:
        fitting = [
            row
            for row in self._rows
            if height <= row.height <= 1.2 * height and row.x + width <= ATLAS_WIDTH_PX
        ]
        if fitting:
            row = min(fitting, key=lambda candidate: candidate.height)
        else:
            row = _AtlasRow(0, self._height, height)
            self._rows.append(row)
            self._height += height
        rect = Rect(row.x, row.y, width, height)
        row.x += width
        return rect


@dataclass
class _AtlasRow:
    """Row of the atlas for images of similar height; ``x`` is the first free texel."""

    x: int
    y: int
    height: int


def _aligned(length: int) -> int:
    return max(ALIGN_PX, round(length / ALIGN_PX) * ALIGN_PX)
