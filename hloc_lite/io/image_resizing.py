"""Shrinking of photos to the resolution that a model takes."""

from __future__ import annotations

import cv2
import numpy as np

from hloc_lite.types import UInt8


def resized_size(width: int, height: int, max_side_px: int, multiple: int = 1) -> tuple[int, int]:
    """(width, height) with the longer side at most ``max_side_px``; never larger than the photo.

    With ``multiple`` above 1, each side is rounded down to a multiple unless it is smaller.
    """
    scale = min(1.0, max_side_px / max(width, height))
    sides = (max(1, round(width * scale)), max(1, round(height * scale)))
    w, h = (side // multiple * multiple or side for side in sides)
    return w, h


def resize(pixels: UInt8, size: tuple[int, int]) -> UInt8:
    """Shrink to (width, height) by area averaging.

    Every source pixel contributes its share, so there is no aliasing into false corners (bilinear
    interpolation reads only 4 pixels), and no shift: x + 0.5 becomes (x + 0.5) * w / W.
    """
    if (pixels.shape[1], pixels.shape[0]) == size:
        return pixels
    return cv2.resize(pixels, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
