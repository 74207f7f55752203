"""Landmark descriptors in memory: rows of chosen landmarks."""

from __future__ import annotations

import numpy as np
import pytest

from hloc_lite.errors import DamagedMapError, ShapeError
from hloc_lite.maps.landmark_descriptors import LandmarkDescriptors


def test_landmarks_may_have_several_descriptors_or_none() -> None:
    values = np.array([[2, 0], [0, 3], [1, 0], [-1, 0]], np.int8)
    descriptors = LandmarkDescriptors(values, np.array([0, 2, 2, 4]))
    rows, owners = descriptors.rows_of(np.array([0, 1, 2]))
    assert owners.tolist() == [0, 0, 2, 2]
    assert np.allclose(rows, [[1, 0], [0, 1], [1, 0], [-1, 0]])


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_descriptors_that_are_not_finite_are_refused(bad: float) -> None:
    values = np.array([[2, 0], [bad, 3]], np.float32)
    descriptors = LandmarkDescriptors(values, np.array([0, 1, 2]))
    assert descriptors.rows_of(np.array([0]))[0].tolist() == [[1, 0]]
    with pytest.raises(DamagedMapError, match="not finite"):
        descriptors.rows_of(np.array([1]))


@pytest.mark.parametrize("offsets", [[0, 3], [], [[0, 4]]])
def test_offsets_must_fit_the_rows(offsets: list) -> None:
    with pytest.raises(ShapeError):
        LandmarkDescriptors(np.ones((4, 2), np.int8), np.array(offsets, np.int64))
