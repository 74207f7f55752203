"""Inference through kornia's ALIKED modules without the dense feature map.

The network's descriptors are read at a few pixels around each keypoint, yet its plain forward pass
builds, joins and normalizes 128 channels for every pixel of the image. Here the same numbers come
cheaper, up to rounding:

* the first layer of the score head is a 1 x 1 convolution, so it is applied to each scale before
  upsampling: 8 channels are upsampled instead of 96;
* features are joined and normalized at the pixels that descriptors read, and nowhere else;
* deformable convolutions (Dai 2017) sample through ``grid_sample``;
* batch norms are folded into the convolutions before them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

STRIDE = 32
"""Images are padded to multiples of it, as in training: around the centre, by the edge's values."""
Pyramid = tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]


@dataclass(frozen=True, eq=False)
class FeaturePixels:
    """The dense features of one image, computed where they are asked for."""

    fine: torch.Tensor
    """(C1, H, W) output of the first block, padded."""
    coarse: tuple[torch.Tensor, ...]
    """Three of (dim / 4, h, w): the other scales."""
    project: nn.Module
    """1 x 1 convolution and activation that ``fine`` still needs."""
    origin: tuple[int, int]
    """Column and row of the image's first pixel in the padded maps."""
    size: tuple[int, int]
    """(width, height) of the image."""

    def at(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """(M,) columns and rows of the image -> (M, dim) unit rows."""
        height, width = self.fine.shape[1:]
        x, y = x + self.origin[0], y + self.origin[1]
        fine = self.project(self.fine[:, y, x][None, :, None])[0, :, 0]
        extent = self.fine.new_tensor([width - 1, height - 1])
        grid = (torch.stack([x, y], dim=1) / extent * 2 - 1)[None, None]
        coarse = [F.grid_sample(m[None], grid, align_corners=True)[0, :, 0] for m in self.coarse]
        return F.normalize(torch.cat([fine, *coarse]), dim=0).T


def prepare(network: nn.Module) -> nn.Module:
    """Fold batch norms and replace deformable convolutions, in place; for evaluation only."""
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
    return network


class DeformableConvolution(nn.Module):
    """A 3 x 3 convolution of stride 1 whose taps are displaced by a predicted offset each."""

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
        # grid_sample's coordinates with pixel centres at (2 i + 1) / n - 1: right for n = 1 too
        grid = torch.stack([(2 * at + 1) / width - 1, (2 * y + 1) / height - 1], dim=-1)
        grid = grid.reshape(batch, 9 * height, width, 2)
        sampled = F.grid_sample(x, grid, align_corners=False)
        sampled = sampled.reshape(batch, channels * 9, height * width)
        weight = self.regular.weight.reshape(-1, channels * 9)
        summed = (weight @ sampled).reshape(batch, -1, height, width)
        bias = self.regular.bias
        return summed if bias is None else summed + bias[:, None, None]


def detect_and_keep(network: Any, images: torch.Tensor) -> tuple[torch.Tensor, list[FeaturePixels]]:
    """Score maps and the features behind them.

    Args:
        network: kornia's ALIKED after ``prepare``.
        images: (B, 3, H, W) in [0, 1].

    Returns:
        (B, H, W) scores in (0, 1), and the features of each image.
    """
    height, width = images.shape[2:]
    below, right = -height % STRIDE, -width % STRIDE
    top, left = below // 2, right // 2
    padded = F.pad(images, (left, right - left, top, below - top), mode="replicate")

    x1 = network.block1(padded)
    x2 = network.block2(network.pool2(x1))
    x3 = network.block3(network.pool4(x2))
    x4 = network.block4(network.pool4(x3))
    scales: Pyramid = (x1, *_projected(network, x2, x3, x4))
    scores = torch.sigmoid(network.score_head[1:](_first_of_head(network, scales)))

    project = nn.Sequential(network.conv1, network.gate)
    features = [
        FeaturePixels(fine, tuple(coarse), project, (left, top), (width, height))
        for fine, *coarse in zip(*scales, strict=True)
    ]
    return scores[:, 0, top : top + height, left : left + width], features


def _projected(
    network: Any, x2: torch.Tensor, x3: torch.Tensor, x4: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    gate = network.gate
    return gate(network.conv2(x2)), gate(network.conv3(x3)), gate(network.conv4(x4))


def _first_of_head(network: Any, scales: Pyramid) -> torch.Tensor:
    """The score head's first layer on the joined scales: (B, 8, H, W)."""
    fine, *coarse = scales
    weights = network.score_head[0].weight.chunk(4, dim=1)
    total = F.conv2d(network.gate(network.conv1(fine)), weights[0])
    for scale, weight in zip(coarse, weights[1:], strict=True):
        small = F.conv2d(scale, weight)
        total += F.interpolate(small, fine.shape[2:], mode="bilinear", align_corners=True)
    return total


def describe(head: Any, features: FeaturePixels, xy: torch.Tensor) -> torch.Tensor:
    """The sparse deformable descriptor head (SDDH of the paper) at some keypoints.

    Args:
        head: ``desc_head`` of kornia's ALIKED.
        features: of the image.
        xy: (N, 2) array coordinates, N > 0.

    Returns:
        (N, dim), unit rows.
    """
    width, height = features.size
    side, count = head.kernel_size, head.n_pos
    # the patch around a keypoint; the clamp is the authors', one pixel short of the border
    last = xy.new_tensor([width - 1 - side, height - 1 - side]).long()
    corner = torch.minimum(xy.long() - side // 2, last).clamp(min=0)
    step = torch.arange(side, device=xy.device)
    patch_x = (corner[:, 0, None, None] + step).expand(-1, side, -1)
    patch_y = (corner[:, 1, None, None] + step[:, None]).expand(-1, -1, side)
    patches = features.at(patch_x.reshape(-1), patch_y.reshape(-1))
    patches = patches.reshape(len(xy), side, side, -1).permute(0, 3, 1, 2)
    limit = max(width, height) / 4
    offsets = head.offset_conv(patches).clamp(-limit, limit)
    positions = xy[:, None] + offsets.reshape(len(xy), 2, count).transpose(1, 2)

    sampled = _bilinear(features, positions.reshape(-1, 2))
    sampled = torch.selu(sampled @ head.sf_conv.weight[:, :, 0, 0].T)
    sampled = sampled.reshape(len(xy), -1)
    return F.normalize(sampled @ head.agg_weights.flatten(0, 1), dim=1)


def _bilinear(features: FeaturePixels, xy: torch.Tensor) -> torch.Tensor:
    """(M, 2) positions -> (M, dim); zero outside the image."""
    width, height = features.size
    first = xy.floor()
    share = xy - first
    corners = first[:, None] + torch.cartesian_prod(*[torch.arange(2, device=xy.device)] * 2)
    shares = torch.stack([1 - share, share], dim=1)  # (M, 2 corners, 2 axes)
    weights = (shares[:, :, None, 0] * shares[:, None, :, 1]).reshape(-1, 4)
    inside = ((corners >= 0) & (corners < corners.new_tensor([width, height]))).all(dim=2)
    x, y = corners.long().unbind(2)
    pixels = (y.clamp(0, height - 1) * width + x.clamp(0, width - 1)).reshape(-1)
    # neighbouring samples share pixels: each is computed once
    unique, place = torch.unique(pixels, return_inverse=True)
    rows = features.at(unique % width, torch.div(unique, width, rounding_mode="floor"))
    return F.embedding_bag(
        place.reshape(-1, 4), rows, per_sample_weights=weights * inside, mode="sum"
    )
