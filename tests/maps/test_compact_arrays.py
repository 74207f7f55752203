"""Contents of compact maps: the part of a model that is kept."""

from __future__ import annotations

import numpy as np

from hloc_lite.maps.compact_arrays import subset_model
from tests.maps.test_landmark_selection import make_model


def test_subset_of_a_model() -> None:
    model = make_model([np.array([3, -1, 0, 2]), np.array([1, 1])], 4)
    part = subset_model(model, np.array([0, 3]))
    assert [image.point3D_idxs.tolist() for image in part.images] == [[1, 0], []]
    assert np.array_equal(part.images[0].keypoints, model.images[0].keypoints[[0, 2]])
    assert part.point3D_ids.tolist() == [0, 3] and np.array_equal(part.xyz, model.xyz[[0, 3]])
