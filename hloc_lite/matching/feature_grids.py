"""Mutual nearest neighbours of two feature maps, coarse to fine, as in InLoc (Taira 2018)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import torch

WHITENING_POWER = 0.25
"""Power of the inverse covariance that features are multiplied by: half of a full whitening (0.5).
Against mean removal alone it gives 4 % more right coarse matches, street and indoors."""
MIN_VARIANCE_SHARE = 1e-3
"""Least variance of a direction over that of the strongest; weaker ones are noise."""
RADIUS = 1
"""Coarse cells around a match in which its fine matches are searched: 3 x 3, as in the paper."""
CHUNK = 256
"""Coarse matches refined at once: 256 take about 40 MB at 4 x 4 fine cells a coarse cell."""


class CellMatches(NamedTuple):
    """K matches between the cells of two grids."""

    cells: torch.Tensor
    """(K, 2) row-major cell of the first and of the second grid."""
    support: torch.Tensor
    """(K,) coarse matches around which the match was found, 1 to 9."""


def whitened(first: torch.Tensor, second: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Unit features of two (C, H, W) maps without what all cells of both have in common."""
    import torch

    both = torch.cat([first.flatten(1), second.flatten(1)], dim=1)
    mean = both.mean(dim=1, keepdim=True)
    centred = both - mean
    values, vectors = torch.linalg.eigh(centred @ centred.T / centred.shape[1])
    floor = (values.max() * MIN_VARIANCE_SHARE).clamp_min(1e-12)
    matrix = (vectors * values.clamp_min(floor) ** -WHITENING_POWER) @ vectors.T
    maps = [
        torch.einsum("dc,chw->dhw", matrix, each - mean[:, :, None]) for each in (first, second)
    ]
    return unit(maps[0]), unit(maps[1])


def unit(feature_map: torch.Tensor) -> torch.Tensor:
    """(C, H, W) features of length 1."""
    return feature_map / feature_map.norm(dim=0, keepdim=True).clamp_min(1e-6)


def mutual_cells(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """(K, 2) row-major cells of two (C, H, W) unit maps that are each other's nearest."""
    import torch

    similarity = first.flatten(1).T @ second.flatten(1)
    forward, backward = similarity.argmax(dim=1), similarity.argmax(dim=0)
    cells = torch.arange(len(forward), device=forward.device)
    is_mutual = backward[forward] == cells
    return torch.stack([cells[is_mutual], forward[is_mutual]], dim=1)


def refined_cells(
    coarse: torch.Tensor,
    coarse_widths: tuple[int, int],
    first: torch.Tensor,
    second: torch.Tensor,
    ratio: int,
) -> CellMatches:
    """Mutual nearest fine cells in the neighbourhoods of coarse matches, each match once.

    Args:
        coarse: (K, 2) matched coarse cells.
        coarse_widths: columns of both coarse grids.
        first: (C, H, W) fine unit features of the first photo.
        second: those of the second.
        ratio: fine cells along the side of a coarse one.
    """
    import torch

    found = [torch.zeros((0, 2), dtype=torch.int64, device=first.device)]
    for chunk in coarse.split(CHUNK):
        vectors0, cells0, inside0 = _neighbourhoods(first, chunk[:, 0], coarse_widths[0], ratio)
        vectors1, cells1, inside1 = _neighbourhoods(second, chunk[:, 1], coarse_widths[1], ratio)
        similarity = vectors0 @ vectors1.transpose(1, 2)
        similarity.masked_fill_(~(inside0[:, :, None] & inside1[:, None, :]), -2.0)
        best, forward = similarity.max(dim=2)
        backward = similarity.argmax(dim=1)
        rows = torch.arange(forward.shape[1], device=forward.device)
        is_mutual = (backward.gather(1, forward) == rows) & (best > -2.0)
        pairs = [cells0[is_mutual], cells1.gather(1, forward)[is_mutual]]
        found.append(torch.stack(pairs, dim=1))
    cells, support = torch.unique(torch.cat(found), dim=0, return_counts=True)
    return CellMatches(cells, support)


def _neighbourhoods(
    feature_map: torch.Tensor, coarse_cells: torch.Tensor, coarse_width: int, ratio: int
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Features (K, N, C), row-major cells (K, N) and mask (K, N) of fine cells around coarse ones.

    False in the mask: the cell would lie outside the map.
    """
    import torch

    _, height, width = feature_map.shape
    side = (2 * RADIUS + 1) * ratio
    steps = torch.arange(side, device=feature_map.device) - RADIUS * ratio
    rows = (coarse_cells // coarse_width * ratio)[:, None] + steps
    columns = (coarse_cells % coarse_width * ratio)[:, None] + steps
    inside = ((rows >= 0) & (rows < height))[:, :, None]
    inside = inside & ((columns >= 0) & (columns < width))[:, None, :]
    cells = rows.clamp(0, height - 1)[:, :, None] * width + columns.clamp(0, width - 1)[:, None, :]
    cells = cells.flatten(1)
    return feature_map.flatten(1).T[cells], cells, inside.flatten(1)
