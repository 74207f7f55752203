"""Mean descriptor of each map point, computed from the features of the images that observe it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from hloc_lite.maps.landmark_descriptors import ROWS_PER_BLOCK, LandmarkDescriptors, row_norms
from hloc_lite.maps.map_data import MapData
from hloc_lite.maps.track_lifter import TrackLifter
from hloc_lite.protocols import Lifter
from hloc_lite.types import NO_POINT, Float32, Int64


def landmark_descriptors_of(sfm_map: MapData) -> LandmarkDescriptors:
    """Return the map's landmark descriptors, or compute ``mean_descriptors`` if it stores none."""
    stored = sfm_map.landmark_descriptors
    return mean_descriptors(sfm_map) if stored is None else stored


def mean_descriptors(sfm_map: MapData, lifter: Lifter | None = None) -> LandmarkDescriptors:
    """Compute the mean descriptor of the keypoints that show each point, as one unit row.

    Features are read one image at a time, so memory is that of the result.

    Args:
        lifter: source of the points; None for the tracks of the map's model.
    """
    lifter = TrackLifter(sfm_map.model) if lifter is None else lifter
    sums: Float32 | None = None
    for points, descriptors in _observations(sfm_map, lifter):
        if sums is None:
            sums = np.zeros((lifter.num_points, descriptors.shape[1]), np.float32)
        np.add.at(sums, points, descriptors)  # an image may observe a landmark twice
    if sums is None:
        sums = np.zeros((lifter.num_points, 1), np.float32)
    for start in range(0, len(sums), ROWS_PER_BLOCK):
        sums[start : start + ROWS_PER_BLOCK] /= row_norms(sums[start : start + ROWS_PER_BLOCK])
    return LandmarkDescriptors(sums, np.arange(len(sums) + 1))


def _observations(sfm_map: MapData, lifter: Lifter) -> Iterator[tuple[Int64, Float32]]:
    """Yield (K,) observed points and their (K, D) descriptors for each image that has any."""
    for name in sorted(lifter.image_names):
        points = lifter.points_of(name)
        observed = points != NO_POINT
        yield points[observed], sfm_map.features[name].descriptors[observed]
