"""Lifts keypoints of map images to the points of their SfM tracks."""

from __future__ import annotations

import numpy as np

from hloc_lite.errors import HlocLiteError
from hloc_lite.scene import SfmModel
from hloc_lite.types import NO_POINT, Float64, Int64


class TrackLifter:
    """``Lifter`` of an SfM model: a keypoint's point is that of the track it belongs to."""

    def __init__(self, model: SfmModel) -> None:
        self._model = model
        self._track_lengths = _track_lengths(model)

    @property
    def num_points(self) -> int:
        """Number of points M; indices of points are below it."""
        return self._model.num_points

    @property
    def image_names(self) -> frozenset[str]:
        """Images with at least one point; the others cannot contribute to a pose."""
        images = self._model.images
        return frozenset(i.name for i in images if (i.point3D_idxs != NO_POINT).any())

    def points_of(self, image_name: str) -> Int64:
        """(N,) point of each keypoint of a map image, ``NO_POINT`` where it has none.

        Raises:
            HlocLiteError: the image is not in the model.
        """
        image = self._model.image_named(image_name)
        if image is None:
            raise HlocLiteError(f"the map's index names {image_name!r}, which is not in its model")
        return image.point3D_idxs

    def xyz_of(self, point3D_idxs: Int64) -> Float64:
        """(K, 3) world coordinates of points, map units."""
        return self._model.xyz[point3D_idxs]

    def track_lengths_of(self, point3D_idxs: Int64) -> Int64:
        """(K,) number of images that observe each point."""
        return self._track_lengths[point3D_idxs]

    def errors_px_of(self, point3D_idxs: Int64) -> Float64:
        """(K,) mean reprojection error of each point, pixels; NaN or negative where unknown."""
        return self._model.errors_px[point3D_idxs]


def _track_lengths(model: SfmModel) -> Int64:
    lengths = np.zeros(model.num_points, np.int64)
    for image in model.images:
        points = image.point3D_idxs
        lengths[points[points != NO_POINT]] += 1  # once for an image that observes one twice
    return lengths
