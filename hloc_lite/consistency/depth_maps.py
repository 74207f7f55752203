"""Depth maps at keypoints: edges are removed, values interpolated."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from hloc_lite.types import DepthMap, Float64

DepthKind = Literal["metric", "relative", "inverse"]
"""metric: depth up to scale; relative: up to scale and shift; inverse: 1 / depth up to both."""


def kind_of(depth_map: DepthMap) -> DepthKind:
    """The relation of the values of a depth map to depths."""
    if depth_map.is_inverse:
        return "inverse"
    return "metric" if depth_map.is_metric else "relative"


def without_edges(depth_map: DepthMap, max_relative_gradient: float) -> DepthMap:
    """The map with NaN at depth edges and where depth is not positive.

    A pixel is an edge if it differs from one of its four neighbours by more than
    ``max_relative_gradient`` times the smaller of both depths. So both sides of a step are edges.
    """
    with np.errstate(invalid="ignore"):
        depths = np.where(depth_map.depths > 0, depth_map.depths, np.nan).astype(np.float32)
        depths[np.isinf(depths)] = np.nan
        edge = np.zeros(depths.shape, bool)
        for near, far in (
            ((slice(None, -1), slice(None)), (slice(1, None), slice(None))),
            ((slice(None), slice(None, -1)), (slice(None), slice(1, None))),
        ):
            a, b = depths[near], depths[far]
            step = np.abs(a - b) > max_relative_gradient * np.minimum(a, b)
            edge[near] |= step
            edge[far] |= step
    depths[edge] = np.nan
    return replace(depth_map, depths=depths)


def depths_at(depth_map: DepthMap, points2D: npt.NDArray[np.floating]) -> Float64:
    """(N,) bilinear values of a depth map at image points; NaN outside and next to unknown pixels.

    Args:
        points2D: (N, 2) pixels of the original image.
    """
    height, width = depth_map.depths.shape
    image_width, image_height = depth_map.image_size
    points = np.asarray(points2D, np.float64)
    with np.errstate(invalid="ignore"):
        inside = (points >= 0).all(axis=1)
        inside &= (points[:, 0] <= image_width) & (points[:, 1] <= image_height)
    safe = np.where(inside[:, None], points, 0.0)
    x = np.clip(safe[:, 0] * (width / image_width) - 0.5, 0, width - 1)
    y = np.clip(safe[:, 1] * (height / image_height) - 0.5, 0, height - 1)
    left, top = np.floor(x).astype(np.int64), np.floor(y).astype(np.int64)
    share_x, share_y = x - left, y - top
    found = np.zeros(len(points))
    for dx, across in ((0, 1 - share_x), (1, share_x)):
        for dy, down in ((0, 1 - share_y), (1, share_y)):
            column, row = np.minimum(left + dx, width - 1), np.minimum(top + dy, height - 1)
            part = across * down
            # a neighbour of weight 0 may be unknown
            found += np.where(part > 0, part * depth_map.depths[row, column], 0.0)
    return np.where(inside, found, np.nan)
