"""How depth images would have to be moved to agree best with triangulated points.

Depth of another camera than the photo's lies shifted and at another scale over it. Surfaces are
smooth, so few points tell at a glance; over many, errors shrink clearly under the right move.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hloc_lite.types import DepthMap, Float64

SCALES = (0.85, 0.9, 0.95, 1.0, 1.05, 1.1, 1.15)
"""Scales about the image centre that are tried: focal lengths of 585 and 525 px give 1.11."""
SHIFTS = (-0.05, -0.0333, -0.0167, 0.0, 0.0167, 0.0333, 0.05)
"""Shifts that are tried, as shares of the longer side: up to 32 px at 640."""
MAX_LOG_ERROR = 0.1
"""Errors are clipped, and unknown depths count as much: a move into holes does not look better."""
MAX_POINTS = 400
"""Points of each image that are compared."""


@dataclass(frozen=True)
class Move:
    """Scale about the image centre and shift: from pixels of a photo to those of its depth."""

    scale: float = 1.0
    x: float = 0.0
    """Shift as share of the longer side."""
    y: float = 0.0

    def apply(self, points2D: Float64, size: tuple[int, int]) -> Float64:
        """(N, 2) moved pixels of an image of (width, height)."""
        center = np.array(size) / 2
        shift = np.array([self.x, self.y]) * max(size)
        return np.asarray(center + self.scale * (points2D - center) + shift)


IDENTITY = Move()


def tried_moves() -> list[Move]:
    """All moves that are tried, the identity among them."""
    return [Move(scale, x, y) for scale in SCALES for x in SHIFTS for y in SHIFTS]


def move_errors(
    depth_map: DepthMap, points2D: Float64, z: Float64, moves: list[Move], log_scale: float = 0.0
) -> Float64:
    """(V,) mean clipped error |log(measured / z)| of N points under each of V moves.

    Args:
        points2D: (N, 2) pixels of the photo.
        z: (N,) depths of triangulated points.
        log_scale: common factor that is taken off first.
    """
    height, width = depth_map.depths.shape
    rate = np.array([width, height]) / depth_map.image_size
    errors = np.full(len(moves), MAX_LOG_ERROR)
    if len(z) == 0:
        return errors
    for row, move in enumerate(moves):
        columns, lines = np.floor(move.apply(points2D, depth_map.image_size) * rate).T
        inside = (columns >= 0) & (columns < width) & (lines >= 0) & (lines < height)
        found = np.full(len(z), np.nan)
        at = lines[inside].astype(np.int64), columns[inside].astype(np.int64)
        found[inside] = depth_map.depths[at]
        with np.errstate(invalid="ignore", divide="ignore"):
            error = np.abs(np.log(found / z) - log_scale)
        errors[row] = np.nanmean(np.fmin(error, MAX_LOG_ERROR))
    return errors
