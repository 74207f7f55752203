"""Lifting of keypoints to the points of their SfM tracks."""

from __future__ import annotations

import numpy as np
import pytest

from hloc_lite.errors import HlocLiteError
from hloc_lite.maps.track_lifter import TrackLifter
from hloc_lite.types import NO_POINT
from tests.maps.test_landmark_selection import make_model


def test_points_and_tracks() -> None:
    model = make_model([np.array([2, NO_POINT, 0]), np.array([0, 0]), np.array([NO_POINT])], 4)
    lifter = TrackLifter(model)
    assert lifter.num_points == 4 and lifter.image_names == {"000", "001"}
    points = lifter.points_of("000")
    assert points.tolist() == [2, NO_POINT, 0]
    assert np.array_equal(lifter.xyz_of(points[[0, 2]]), model.xyz[[2, 0]])
    assert np.array_equal(lifter.errors_px_of(points[[0, 2]]), model.errors_px[[2, 0]])
    # an image that observes a point twice counts once
    assert lifter.track_lengths_of(np.arange(4)).tolist() == [2, 0, 1, 0]
    with pytest.raises(HlocLiteError, match="not in its model"):
        lifter.points_of("003")
