"""Photos as input of backbones, and their feature maps as local vectors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hloc_lite.io.image_resizing import resize, resized_size
from hloc_lite.types import Photo

if TYPE_CHECKING:
    import torch


def rgb_tensor(photo: Photo, max_side_px: int, device: str) -> torch.Tensor:
    """(1, 3, h, w) float32 in [0, 1], with the longer side at most ``max_side_px``."""
    import torch

    size = resized_size(photo.width, photo.height, max_side_px)
    pixels = torch.tensor(resize(photo.pixels, size), device=device)
    return pixels.permute(2, 0, 1)[None].to(torch.float32) / 255


def local_vectors(feature_map: torch.Tensor) -> np.ndarray:
    """(h * w, D) float32 on the CPU from a (1, D, h, w) feature map."""
    return feature_map[0].flatten(1).T.contiguous().cpu().numpy()
