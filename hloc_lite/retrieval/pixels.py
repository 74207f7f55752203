"""Photos as the input of the backbones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from hloc_lite.types import Photo, UInt8

if TYPE_CHECKING:
    import torch


def resized(pixels: UInt8, max_side_px: int) -> UInt8:
    """(H, W, 3) with the longer side at most ``max_side_px``; smaller images stay as they are."""
    height, width = pixels.shape[:2]
    scale = max_side_px / max(height, width)
    if scale >= 1:
        return pixels
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = cv2.resize(np.ascontiguousarray(pixels), size, interpolation=cv2.INTER_AREA)
    return small.astype(np.uint8, copy=False)


def rgb_tensor(photo: Photo, max_side_px: int, device: str) -> torch.Tensor:
    """(1, 3, h, w) float32 in [0, 1]."""
    import torch

    pixels = torch.tensor(resized(photo.pixels, max_side_px), device=device)
    return pixels.permute(2, 0, 1)[None].to(torch.float32) / 255


def local_vectors(feature_map: torch.Tensor) -> np.ndarray:
    """(1, D, h, w) -> (h * w, D) float32 on the CPU."""
    return feature_map[0].flatten(1).T.contiguous().cpu().numpy()
