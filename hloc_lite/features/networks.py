"""Shared parts of the extractors on torch: folded networks, images as tensors, local maxima."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np
import torch
import torch.nn.functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval

from hloc_lite.types import UInt8

Network = TypeVar("Network", bound=torch.nn.Module)

MIN_SIDE_PX = 32
"""Smaller images are padded: the networks downsample by up to 32."""


def fold_batch_norms(network: Network) -> Network:
    """Fold batch norms into the convolutions before them in each ``Sequential``, in place.

    The function stays the same up to rounding; for inference only.
    """
    for module in list(network.modules()):
        if not isinstance(module, torch.nn.Sequential):
            continue
        for i in range(len(module) - 1):
            conv, norm = module[i], module[i + 1]
            if isinstance(conv, torch.nn.Conv2d) and isinstance(norm, torch.nn.BatchNorm2d):
                module[i], module[i + 1] = fuse_conv_bn_eval(conv, norm), torch.nn.Identity()
    return network


def to_tensor(
    images: Sequence[UInt8], device: str, multiple: int, pad: Callable[..., torch.Tensor]
) -> torch.Tensor:
    """(B, 3, H, W) in [0, 1] from (h, w, 3) uint8 images of one size, padded right and below.

    H and W are multiples of ``multiple`` and at least ``MIN_SIDE_PX``.

    Args:
        pad: ``pad_with_zeros`` or ``pad_with_edge``.
    """
    batch = torch.from_numpy(np.stack(images)).to(device)
    tensor = batch.permute(0, 3, 1, 2).to(torch.float32) / 255
    height, width = tensor.shape[2:]
    below, right = (
        max(MIN_SIDE_PX, -(-side // multiple) * multiple) - side for side in (height, width)
    )
    return pad(tensor, right, below) if right or below else tensor


def pad_with_zeros(tensor: torch.Tensor, right: int, below: int) -> torch.Tensor:
    """Pad (B, C, H, W) with zeros."""
    return F.pad(tensor, (0, right, 0, below))


def pad_with_edge(tensor: torch.Tensor, right: int, below: int) -> torch.Tensor:
    """Pad (B, C, H, W) with the values of its edge."""
    return F.pad(tensor, (0, right, 0, below), mode="replicate")


def local_maxima(
    score_map: torch.Tensor, radius: int, threshold: float
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Pixels above ``threshold`` that are greater than all others in their window.

    Args:
        score_map: (H, W).
        radius: the window has 2 radius + 1 pixels per side and must lie inside the map.
        threshold: exclusive lower limit of the score.

    Returns:
        (N,) columns, (N,) rows, and the (N, (2 radius + 1)^2) windows row by row.
    """
    side = 2 * radius + 1
    height, width = score_map.shape
    if min(height, width) < side:
        none = score_map.new_zeros(0, dtype=torch.long)
        return none, none, score_map.new_zeros((0, side * side))
    maxima = _window_maxima(_window_maxima(score_map, side).T, side).T
    inner = score_map[radius : height - radius, radius : width - radius]
    y, x = torch.nonzero((inner == maxima) & (inner > threshold), as_tuple=True)
    offsets = torch.arange(side, device=score_map.device)
    windows = score_map[
        (y[:, None] + offsets)[:, :, None], (x[:, None] + offsets)[:, None, :]
    ].reshape(-1, side * side)
    # plateaus have no maximum: equal neighbours are checked on the few pixels left
    strict = (windows >= inner[y, x][:, None]).sum(dim=1) == 1
    return x[strict] + radius, y[strict] + radius, windows[strict]


def _window_maxima(scores: torch.Tensor, side: int) -> torch.Tensor:
    """(H, W - side + 1) maximum of each ``side`` neighbours in a row of (H, W) scores.

    Windows grow by doubling, on whole rows: 20 times faster than pooling on CPUs.
    """
    maxima, length = scores, 1
    while length < side:
        step = min(length, side - length)
        maxima, length = torch.maximum(maxima[:, :-step], maxima[:, step:]), length + step
    return maxima
