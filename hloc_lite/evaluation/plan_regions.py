"""Parts of a map that stand far apart, such as floors: each gets a plan of its own."""

from __future__ import annotations

import numpy as np
from scipy.cluster.hierarchy import fcluster, linkage

from hloc_lite.types import Float64, Int64

MAX_CENTERS = 1000
"""Camera centres that are compared with each other; others join the nearest."""
MIN_CAMERAS, MAX_REGIONS = 3, 8
MIN_GAP = 2.0
"""Gap between two regions over the extent of the largest: less is seen well in one plan."""


def far_regions(centers: Float64) -> list[Float64]:
    """Middles of the regions in which (N, 3) camera centres lie, by size; one if none is far.

    Regions are those of single linkage, cut at half of its widest gap.
    """
    some = centers[:: max(1, -(-len(centers) // MAX_CENTERS))]
    whole = [some.mean(axis=0)] if len(some) else []
    if len(some) < 2 * MIN_CAMERAS:
        return whole
    tree = linkage(some, "single")
    gap = float(tree[-1, 2])
    labels = fcluster(tree, gap / 2, "distance")
    regions = [some[labels == label] for label in np.unique(labels)]
    extent = max(float(np.ptp(region, axis=0).max()) for region in regions)
    are_small = min(map(len, regions)) < MIN_CAMERAS
    if are_small or not 1 < len(regions) <= MAX_REGIONS or gap < MIN_GAP * extent:
        return whole
    regions.sort(key=len, reverse=True)
    return [region.mean(axis=0) for region in regions]


def nearest_region(points: Float64, middles: list[Float64]) -> Int64:
    """(N,) region of (N, 3) points."""
    distances = [np.linalg.norm(points - middle, axis=1) for middle in middles]
    return np.argmin(np.array(distances).reshape(len(middles), -1), axis=0)
