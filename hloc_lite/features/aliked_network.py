"""Inference through kornia's ALIKED modules without the dense feature map.

Descriptors are read at a few pixels around each keypoint, yet the original forward pass builds and
normalizes 128 channels for every pixel of the image. The same values, up to rounding, take less
time here:

* The first layer of the score head is a 1 x 1 convolution, so it is applied to each scale before
  upsampling: 8 channels are upsampled instead of 96.
* Features are concatenated and normalized only at the pixels that descriptors read
  (``aliked_descriptors``).
* Channels are the innermost dimension: convolutions are faster on CPUs, and all features of a pixel
  are adjacent in memory.
* The 32 channels at full resolution for the score head are computed for some pixels at a time.
* Deformable convolutions (Dai 2017) sample through ``grid_sample``.
* Batch norms are folded into the convolutions before them.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from hloc_lite.features.aliked_descriptors import FeaturePixels

STRIDE = 32
"""Images are padded to multiples of it on all sides with the edge values, as in training."""
PIXELS_PER_CHUNK = 2**16
"""Chunk size in the score head's first layers: 8 MB; a whole image of 1024 px takes 90 MB."""


class Pyramid(NamedTuple):
    """Outputs of the four blocks, (B, C, h, w) each."""

    fine: torch.Tensor
    """First block: full resolution, before its projection to dim / 4 channels."""
    coarse: tuple[torch.Tensor, ...]
    """The others: at 1/2, 1/8 and 1/32 resolution, dim / 4 channels each."""


def prepare_for_inference(network: nn.Module) -> nn.Module:
    """Fold batch norms and replace deformable convolutions, in place."""
    blocks: list[Any] = [network.block1, network.block2, network.block3, network.block4]
    for block in blocks:
        for conv_name, norm_name in (("conv1", "bn1"), ("conv2", "bn2")):
            conv, norm = getattr(block, conv_name), getattr(block, norm_name)
            if isinstance(conv, nn.Conv2d):
                fused: nn.Module = fuse_conv_bn_eval(conv, norm)
            else:
                offsets, regular = conv.offset_conv, fuse_conv_bn_eval(conv.regular_conv, norm)
                fused = DeformableConvolution(offsets, regular)
            setattr(block, conv_name, fused)
            setattr(block, norm_name, nn.Identity())
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


class DeformableConvolution(nn.Module):
    """A 3 x 3 convolution of stride 1 with a predicted offset for each tap."""

    def __init__(self, offsets: nn.Conv2d, regular: nn.Conv2d) -> None:
        super().__init__()
        self.offsets = offsets
        self.regular = regular

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, C, H, W) -> (B, C', H, W)."""
        batch, channels, height, width = x.shape
        limit = max(height, width) / 4  # as in training
        taps = self.offsets(x).clamp(-limit, limit).reshape(batch, 9, 2, height, width)
        steps = torch.arange(-1, 2, device=x.device, dtype=x.dtype)
        rows = torch.arange(height, device=x.device, dtype=x.dtype)
        columns = torch.arange(width, device=x.device, dtype=x.dtype)
        tap_y, tap_x = torch.cartesian_prod(steps, steps).T[:, :, None, None]
        y = taps[:, :, 0] + tap_y + rows[:, None]
        at = taps[:, :, 1] + tap_x + columns
        # grid_sample has pixel centres at (2 i + 1) / n - 1, also for n = 1
        grid = torch.stack([(2 * at + 1) / width - 1, (2 * y + 1) / height - 1], dim=-1)
        grid = grid.reshape(batch, 9 * height, width, 2)
        sampled = F.grid_sample(x, grid, align_corners=False)
        sampled = sampled.reshape(batch, channels * 9, height * width)
        weight = self.regular.weight.reshape(-1, channels * 9)
        summed = (weight @ sampled).reshape(batch, -1, height, width)
        bias = self.regular.bias
        return summed if bias is None else summed + bias[:, None, None]


def scores_and_features(
    network: Any, images: torch.Tensor
) -> tuple[torch.Tensor, list[FeaturePixels]]:
    """Keypoint scores and features of images.

    Args:
        network: kornia's ALIKED after ``prepare_for_inference``.
        images: (B, 3, H, W) in [0, 1].

    Returns:
        (B, H, W) scores in (0, 1), and the features of each image.
    """
    height, width = images.shape[2:]
    below, right = -height % STRIDE, -width % STRIDE
    top, left = below // 2, right // 2
    padded = F.pad(images, (left, right - left, top, below - top), mode="replicate")

    pyramid = _pyramid(network, padded.contiguous(memory_format=torch.channels_last))
    scores = _scores(network, pyramid)
    features = [
        FeaturePixels.from_maps(fine, coarse, network.conv1.weight, (left, top), (width, height))
        for fine, *coarse in zip(pyramid.fine, *pyramid.coarse, strict=True)
    ]
    return scores[:, 0, top : top + height, left : left + width], features


def _pyramid(network: Any, padded: torch.Tensor) -> Pyramid:
    """Outputs of the four blocks for padded images."""
    x1 = network.block1(padded)
    x2 = network.block2(network.pool2(x1))
    x3 = network.block3(network.pool4(x2))
    x4 = network.block4(network.pool4(x3))
    gate = network.gate
    coarse = gate(network.conv2(x2)), gate(network.conv3(x3)), gate(network.conv4(x4))
    return Pyramid(x1, coarse)


def _scores(network: Any, pyramid: Pyramid) -> torch.Tensor:
    """(B, 1, H, W) keypoint scores in (0, 1)."""
    fine_weight, *weights = network.score_head[0].weight.chunk(4, dim=1)
    # the head's first layer is applied before upsampling
    total = _fine_part(network, pyramid.fine, fine_weight.flatten(1))
    for scale, weight in zip(pyramid.coarse, weights, strict=True):
        small = F.conv2d(scale, weight)
        total += F.interpolate(small, total.shape[2:], mode="bilinear", align_corners=True)
    scores: torch.Tensor = torch.sigmoid(network.score_head[1:](total))
    return scores


def _fine_part(network: Any, fine: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """(B, 8, H, W) contribution of the finest scale to the head's first layer."""
    project = network.conv1.weight.flatten(1)
    batch, channels, height, width = fine.shape
    pixels = fine.permute(0, 2, 3, 1).reshape(-1, channels)
    added = pixels.new_empty((len(pixels), len(weight)))
    for start in range(0, len(pixels), PIXELS_PER_CHUNK):
        chunk = slice(start, start + PIXELS_PER_CHUNK)
        # (8, 32) times (32, P) is twice as fast as the transposed product
        added[chunk] = (weight @ network.gate(F.linear(pixels[chunk], project)).T).T
    return added.reshape(batch, height, width, -1).permute(0, 3, 1, 2)
