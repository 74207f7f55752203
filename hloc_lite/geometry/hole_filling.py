"""Closing of the small holes that splats leave in a rendered view."""

from __future__ import annotations

import numpy as np

from hloc_lite.config.rendering import RenderingConfig
from hloc_lite.types import Bool, Float32, Int64, RenderedView

_NEIGHBOURS = tuple(
    (down, right) for down in (0, 1, 2) for right in (0, 1, 2) if (down, right) != (1, 1)
)


def fill_holes(
    rgb: Float32, depth: Float32, normals: Float32 | None, config: RenderingConfig
) -> RenderedView:
    """A view whose single-pixel holes are closed from their neighbours.

    Args:
        rgb: (H, W, 3), 0 to 255.
        depth: (H, W), NaN where nothing was drawn.
        normals: (H, W, 3) in the camera frame, or None.
        config: which pixels are holes.
    """
    around = _depths_around(depth)
    has_gap = np.isnan(depth) | _shows_background(depth, around, config)
    around = _depths_around(np.where(has_gap, np.float32(np.nan), depth))
    holes = np.flatnonzero(has_gap.ravel())
    filled, weights = _closable(around.reshape(8, -1)[:, holes], config)
    depth, rgb = depth.copy(), rgb.copy()
    depth[has_gap] = np.nan
    rgb[has_gap] = 0
    if normals is not None:
        normals = normals.copy()
        normals[has_gap] = np.nan
    closed, weights = holes[filled], weights[:, filled]
    neighbours, inside = _pixels_around(closed, depth.shape)
    weights = weights * inside
    depth.ravel()[closed] = _mean(depth.reshape(-1, 1), neighbours, weights)[:, 0]
    rgb.reshape(-1, 3)[closed] = _mean(rgb.reshape(-1, 3), neighbours, weights)
    if normals is not None:
        mean = _mean(normals.reshape(-1, 3), neighbours, weights)
        with np.errstate(invalid="ignore", divide="ignore"):
            mean /= np.linalg.norm(mean, axis=1, keepdims=True)
        normals.reshape(-1, 3)[closed] = mean
    return RenderedView(
        np.clip(np.rint(rgb), 0, 255).astype(np.uint8), depth, ~np.isnan(depth), normals
    )


def _depths_around(depth: Float32) -> Float32:
    """(8, H, W) depths of the neighbours, NaN beyond the border."""
    height, width = depth.shape
    padded = np.pad(depth, 1, constant_values=np.nan)
    return np.stack([padded[d : d + height, r : r + width] for d, r in _NEIGHBOURS])


def _shows_background(depth: Float32, around: Float32, config: RenderingConfig) -> Bool:
    """(H, W) True where enough neighbours are much nearer: the pixel looks through a gap."""
    with np.errstate(invalid="ignore"):
        nearer = (around * np.float32(config.hole_depth_ratio) < depth).sum(axis=0)
    return np.asarray(nearer >= config.min_hole_neighbours)


def _closable(around: Float32, config: RenderingConfig) -> tuple[Bool, Float32]:
    """Which of K holes can be closed, and the (8, K) weights of their neighbours, 0 or 1.

    The nearest depths win: what is seen through a gap lies behind.
    """
    nearest = np.fmin.reduce(around, axis=0)
    with np.errstate(invalid="ignore"):
        weights = (around <= nearest * np.float32(config.hole_depth_ratio)).astype(np.float32)
    return weights.sum(axis=0) >= config.min_hole_neighbours, weights


def _pixels_around(pixels: Int64, shape: tuple[int, int]) -> tuple[Int64, Bool]:
    """(8, K) indices of the neighbours of pixels, and which of them exist."""
    height, width = shape
    rows, columns = pixels // width, pixels % width
    shifts = np.array(_NEIGHBOURS) - 1
    down, right = rows + shifts[:, :1], columns + shifts[:, 1:]
    inside = (down >= 0) & (down < height) & (right >= 0) & (right < width)
    return np.where(inside, down * width + right, 0), inside


def _mean(values: Float32, neighbours: Int64, weights: Float32) -> Float32:
    """(K, C) weighted mean of (P, C) values at (8, K) pixels; those of weight 0 may be NaN."""
    found = np.where(weights[:, :, None] > 0, values[neighbours], 0)
    return np.asarray(found.sum(axis=0) / weights.sum(axis=0)[:, None], np.float32)
