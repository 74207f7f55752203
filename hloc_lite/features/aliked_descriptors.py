"""ALIKED's descriptors, with dense features computed only at the pixels that they read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F

Size = tuple[int, int]
"""(width, height)."""


@dataclass(frozen=True, eq=False)
class FeaturePixels:
    """The dense features of one image, computed on demand."""

    fine: torch.Tensor
    """(H * W, C1) output of the first block for the padded image, row by row."""
    coarse: tuple[torch.Tensor, ...]
    """Three (h * w, dim / 4) tables: the other scales."""
    sizes: tuple[Size, ...]
    """Sizes of the four scales."""
    project: torch.Tensor
    """(dim / 4, C1) layer to be applied to ``fine``."""
    origin: tuple[int, int]
    """Column and row of the image's first pixel in the padded maps."""
    size: Size
    """Size of the image."""

    @classmethod
    def from_maps(
        cls,
        fine: torch.Tensor,
        coarse: Sequence[torch.Tensor],
        project: torch.Tensor,
        origin: tuple[int, int],
        size: Size,
    ) -> FeaturePixels:
        """Make them from (C, h, w) maps; no copies if channels are innermost in memory."""
        tables = [one.permute(1, 2, 0).reshape(-1, one.shape[0]) for one in (fine, *coarse)]
        sizes = tuple((one.shape[2], one.shape[1]) for one in (fine, *coarse))
        return cls(tables[0], tuple(tables[1:]), sizes, project.flatten(1), origin, size)

    def at(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """(M, dim) unit rows at (M,) columns and rows of the image."""
        x, y = x + self.origin[0], y + self.origin[1]
        width, height = self.sizes[0]
        fine = F.selu(F.linear(self.fine.index_select(0, y * width + x), self.project))
        parts = [fine]
        for table, (w, h) in zip(self.coarse, self.sizes[1:], strict=True):
            # upsampling aligns the centres of the corner pixels
            pixels, weights = _corners(
                x * ((w - 1) / max(width - 1, 1)), y * ((h - 1) / max(height - 1, 1)), (w, h)
            )
            parts.append(_weighted_sums(table, pixels, weights))
        return F.normalize(torch.cat(parts, dim=1), dim=1)


def describe(head: Any, features: FeaturePixels, xy: torch.Tensor) -> torch.Tensor:
    """Descriptors of keypoints by the sparse deformable descriptor head (SDDH of the paper).

    Args:
        head: ``desc_head`` of kornia's ALIKED.
        features: features of the image.
        xy: (N, 2) keypoints in array coordinates, N > 0.

    Returns:
        (N, dim) unit rows.
    """
    width, height = features.size
    side, count = head.kernel_size, head.n_pos
    # the patch around each keypoint; the authors' clamp is one pixel short of the border
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
    sampled = F.selu_(sampled @ head.sf_conv.weight[:, :, 0, 0].T)
    sampled = sampled.reshape(len(xy), -1)
    return F.normalize(sampled @ head.agg_weights.flatten(0, 1), dim=1)


def _bilinear(features: FeaturePixels, xy: torch.Tensor) -> torch.Tensor:
    """(M, dim) features at (M, 2) positions; zero outside the image."""
    width = features.size[0]
    pixels, weights = _corners(xy[:, 0], xy[:, 1], features.size)
    # neighbouring samples share pixels: each is computed once
    unique, unique_idxs = torch.unique(pixels, return_inverse=True)
    rows = features.at(unique % width, torch.div(unique, width, rounding_mode="floor"))
    return _weighted_sums(rows, unique_idxs, weights)


def _corners(x: torch.Tensor, y: torch.Tensor, size: Size) -> tuple[torch.Tensor, torch.Tensor]:
    """The four pixels around each of (M,) positions.

    Returns:
        (M, 4) indices of pixels, row by row, and (M, 4) bilinear weights, 0 outside.
    """
    width, height = size
    left, above = x.floor(), y.floor()
    right_share, below_share = x - left, y - above
    columns = torch.stack([left, left + 1], dim=1)
    rows = torch.stack([above, above + 1], dim=1)
    column_weights = torch.stack([1 - right_share, right_share], dim=1)
    row_weights = torch.stack([1 - below_share, below_share], dim=1)
    column_weights *= (columns >= 0) & (columns < width)
    row_weights *= (rows >= 0) & (rows < height)
    first = rows.clamp(0, height - 1).long() * width
    pixels = first[:, :, None] + columns.clamp(0, width - 1).long()[:, None]
    weights = row_weights[:, :, None] * column_weights[:, None]
    return pixels.flatten(1), weights.flatten(1)


def _weighted_sums(table: torch.Tensor, rows: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """(M, C) weighted sums of (M, 4) rows of a (P, C) table, with (M, 4) weights."""
    return F.embedding_bag(rows, table, per_sample_weights=weights, mode="sum")
