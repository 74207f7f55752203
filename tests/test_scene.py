"""Keypoints of map images, stored or projected from their points: known answers."""

from __future__ import annotations

import numpy as np
import pytest

from hloc_lite.errors import ShapeError
from hloc_lite.scene import SfmImage, SfmModel, keypoints_of
from hloc_lite.types import NO_POINT, Camera, Rigid3

CAMERA = Camera("SIMPLE_PINHOLE", 100, 80, np.array([90.0, 50, 40]))
WIDE = Camera("PINHOLE", 200, 200, np.array([50.0, 100, 100, 100]))
XYZ = np.array([[0, 0, 2.0], [9, 0, 1], [0, 0, -1]])


def model_of(*images: SfmImage) -> SfmModel:
    zeros = np.zeros(len(XYZ))
    return SfmModel({1: CAMERA, 2: WIDE}, images, np.arange(len(XYZ)), XYZ, np.zeros((3, 3)), zeros)


def test_an_image_has_its_own_keypoints() -> None:
    own = np.array([[1.0, 2], [3, 4]])
    image = SfmImage(1, "a", 1, Rigid3.identity(), own, [NO_POINT, 0])
    assert np.array_equal(keypoints_of(model_of(image), image), own)


def test_without_keypoints_points_are_seen_where_they_project_to_in_the_image() -> None:
    image = SfmImage(1, "a", 1, Rigid3.identity(), None, [0, 1])
    moved = SfmImage(2, "b", 2, Rigid3(np.eye(3), np.array([1.0, 0, 0])), None, [2, 0])
    model = model_of(image, moved)
    assert keypoints_of(model, image).tolist() == [[50, 40], [100, 40]]
    found = keypoints_of(model, moved)
    assert found[1].tolist() == [125, 100]
    assert ((found >= 0) & (found <= 200)).all()  # also of the point behind


def test_without_keypoints_an_image_sees_points_only() -> None:
    with pytest.raises(ShapeError, match="'a'"):
        SfmImage(1, "a", 1, Rigid3.identity(), None, [0, NO_POINT])


def test_each_keypoint_has_its_entry() -> None:
    with pytest.raises(ShapeError, match="keypoints"):
        SfmImage(1, "a", 1, Rigid3.identity(), np.zeros((2, 2)), [0])
