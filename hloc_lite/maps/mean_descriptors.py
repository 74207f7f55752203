"""Mean descriptor of each map point, computed from the features of the images that observe it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from hloc_lite.maps.landmark_descriptors import ROWS_PER_BLOCK, LandmarkDescriptors, row_norms
from hloc_lite.maps.map_data import MapData
from hloc_lite.types import NO_POINT, Float32, Int64


def landmark_descriptors_of(sfm_map: MapData) -> LandmarkDescriptors:
    """Return the map's landmark descriptors, or compute ``mean_descriptors`` if it stores none."""
    stored = sfm_map.landmark_descriptors
    return mean_descriptors(sfm_map) if stored is None else stored


def mean_descriptors(sfm_map: MapData) -> LandmarkDescriptors:
    """Compute the mean descriptor of each point's track, as one unit row per point.

    Features are read one image at a time, so memory is that of the result.
    """
    sums: Float32 | None = None
    for points, descriptors in _observations(sfm_map):
        if sums is None:
            sums = np.zeros((sfm_map.model.num_points, descriptors.shape[1]), np.float32)
        np.add.at(sums, points, descriptors)  # an image may observe a landmark twice
    if sums is None:
        sums = np.zeros((sfm_map.model.num_points, 1), np.float32)
    for start in range(0, len(sums), ROWS_PER_BLOCK):
        sums[start : start + ROWS_PER_BLOCK] /= row_norms(sums[start : start + ROWS_PER_BLOCK])
    return LandmarkDescriptors(sums, np.arange(len(sums) + 1))


def _observations(sfm_map: MapData) -> Iterator[tuple[Int64, Float32]]:
    """Yield (K,) observed points and their (K, D) descriptors for each image that has any."""
    for image in sfm_map.model.images:
        observed = image.point3D_idxs != NO_POINT
        if observed.any():
            descriptors = sfm_map.features[image.name].descriptors[observed]
            yield image.point3D_idxs[observed], descriptors
