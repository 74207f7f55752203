"""A texture atlas: tiling materials and unique patches in one image with its mip levels.

Texels hold reflectance gamma-encoded with exponent 2 (linear = (value / 255) ** 2 for materials,
(value / 100) ** 2 for patches, which multiply the material below them: 100 leaves it as it is).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from hloc_lite.types import Float32, UInt8

NUM_LEVELS = 6
TILE_PX = 512
TILE_MARGIN_PX = 32
"""Wrapped border of a tile: one texel at the coarsest level, for bilinear taps."""
ALIGN_PX = 1 << (NUM_LEVELS - 1)
PATCH_NEUTRAL = 100
ATLAS_WIDTH_PX = 8192


@dataclass(frozen=True)
class Rect:
    """A patch's place at level 0, in texels; all multiples of ``ALIGN_PX``."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True, eq=False)
class Atlas:
    pixels: UInt8
    """(H, W, 3) RGB: level 0 at the left, the coarser ones stacked beside it."""
    origins: Float32
    """(NUM_LEVELS, 2) x, y of each level's top-left texel."""


class AtlasBuilder:
    """Collects textures; places are known at once, pixels are packed by ``build``."""

    def __init__(self) -> None:
        self._images: list[tuple[Rect, UInt8]] = []
        self._shelves: list[_Shelf] = []
        self._height = 0
        self.neutral = self.add_patch(np.full((ALIGN_PX, ALIGN_PX, 3), PATCH_NEUTRAL, np.uint8))

    def add_tile(self, image: UInt8) -> Rect:
        """A (TILE_PX, TILE_PX, 3) image that tiles; the rect excludes its margin."""
        border = (TILE_MARGIN_PX,) * 4
        wrapped = cv2.copyMakeBorder(image, *border, cv2.BORDER_WRAP)
        place = self._place(*wrapped.shape[:2])
        self._images.append((place, np.asarray(wrapped, np.uint8)))
        return Rect(place.x + TILE_MARGIN_PX, place.y + TILE_MARGIN_PX, TILE_PX, TILE_PX)

    def add_patch(self, image: UInt8) -> Rect:
        """A (h, w, 3) image of any size; resampled so that every level has whole texels."""
        height, width = (_aligned(n) for n in image.shape[:2])
        if (height, width) != image.shape[:2]:
            resized = cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)
            image = np.asarray(resized, np.uint8)
        place = self._place(height, width)
        self._images.append((place, image))
        return place

    def build(self) -> Atlas:
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

    def _place(self, height: int, width: int) -> Rect:
        fitting = [
            shelf
            for shelf in self._shelves
            if height <= shelf.height <= 1.2 * height and shelf.x + width <= ATLAS_WIDTH_PX
        ]
        if fitting:
            shelf = min(fitting, key=lambda candidate: candidate.height)
        else:
            shelf = _Shelf(0, self._height, height)
            self._shelves.append(shelf)
            self._height += height
        rect = Rect(shelf.x, shelf.y, width, height)
        shelf.x += width
        return rect


@dataclass
class _Shelf:
    """A row of the atlas that takes images of about its height."""

    x: int
    y: int
    height: int


def _aligned(length: int) -> int:
    return max(ALIGN_PX, round(length / ALIGN_PX) * ALIGN_PX)
