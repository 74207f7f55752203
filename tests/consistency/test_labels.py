"""Label lookups, windows and compatibility."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hloc_lite.config import Confusion, SemanticsConfig
from hloc_lite.consistency.labels import (
    CLASS_NAMES,
    classes_near,
    compatibility_matrix,
    label_windows,
    pixel_indices,
    window_radii,
)
from hloc_lite.types import LabelMap

ROAD, SIDEWALK, BUILDING, VEGETATION, TERRAIN, SKY, PERSON, CAR = 0, 1, 2, 8, 9, 10, 11, 13
QUADRANTS = LabelMap(np.array([[SKY, BUILDING], [ROAD, 255]], np.uint8), (200, 100))


def test_class_names_are_in_train_id_order():
    assert len(CLASS_NAMES) == 19
    expected = {ROAD: "road", BUILDING: "building", VEGETATION: "vegetation", SKY: "sky"}
    expected |= {PERSON: "person", CAR: "car", 18: "bicycle"}
    assert {number: CLASS_NAMES[number] for number in expected} == expected


def test_pixels_of_points_inside_and_outside():
    points = [[0, 0], [99.9, 49.9], [100, 49.9], [0.5, 50], [200, 100], [150, 60]]
    outside = [[-0.1, 5], [200.1, 5], [5, 100.1], [np.nan, 5], [np.inf, 5]]
    found = QUADRANTS.labels[pixel_indices(QUADRANTS, np.array(points))]
    assert found.tolist() == [SKY, SKY, BUILDING, ROAD, 255, 255]
    for indices in pixel_indices(QUADRANTS, np.array(outside)):
        assert indices.tolist() == [-1] * 5
    assert pixel_indices(QUADRANTS, np.zeros((0, 2)))[0].shape == (0,)


def test_window_scales_with_the_image_and_its_label_map():
    config = SemanticsConfig(window_px=5, reference_side_px=1024)
    labels = np.zeros((768, 1024), np.uint8)
    assert window_radii(LabelMap(labels, (1024, 768)), config) == (5, 5)
    assert window_radii(LabelMap(labels, (4096, 3072)), config) == (5, 5)  # 20 px of the image
    assert window_radii(LabelMap(np.zeros((3072, 4096), np.uint8), (4096, 3072)), config) == (
        20,
        20,
    )
    squashed = LabelMap(np.zeros((512, 512), np.uint8), (1024, 256))
    assert window_radii(squashed, config) == (10, 3)  # 5 px are 10 rows and 2.5 columns


@settings(max_examples=60)
@given(st.integers(1, 12), st.integers(1, 12), st.integers(0, 15), st.integers(0, 2**32 - 1))
def test_windows_equal_brute_force(height, width, radius, seed):
    rng = np.random.default_rng(seed)
    labels = rng.choice(np.array([0, 1, 7, 18, 255, 40], np.uint8), (height, width))
    label_map = LabelMap(labels, (width, height))
    config = SemanticsConfig(window_px=radius, reference_side_px=64)
    # the window is configured for a side of 64 px
    reach = int(np.floor(radius * max(width, height) / 64 + 0.5))
    y, x = np.mgrid[:height, :width]
    centres = np.stack([x, y], axis=-1).reshape(-1, 2) + 0.5
    near = classes_near(label_windows(label_map, config), centres)
    for (column, row), found in zip(centres.astype(int), near, strict=True):
        part = labels[
            max(0, row - reach) : row + reach + 1, max(0, column - reach) : column + reach + 1
        ]
        expected = set(part[part < 19].tolist()) if labels[row, column] < 19 else set()
        assert set(np.flatnonzero(found)) == expected


def test_windows_larger_than_the_map():
    config = SemanticsConfig(window_px=100, reference_side_px=64)
    windows = label_windows(LabelMap(QUADRANTS.labels, (2, 2)), config)
    assert label_windows(LabelMap(QUADRANTS.labels, (640, 640)), config).bits.shape == (2, 2)
    assert np.flatnonzero(classes_near(windows, np.array([[0.5, 0.5]]))[0]).tolist() == [0, 2, 10]


def test_default_compatibility():
    matrix = compatibility_matrix(SemanticsConfig())
    assert np.array_equal(matrix, matrix.T)
    assert matrix[ROAD, ROAD] == 1 and matrix[ROAD, SIDEWALK] == 0.9
    assert matrix[VEGETATION, TERRAIN] == 0.9 and matrix[ROAD, BUILDING] == 0
    assert not matrix[[SKY, PERSON, CAR]].any()  # not even with themselves
    pole = CLASS_NAMES.index("pole")
    assert matrix[pole, BUILDING] == 0.5 and matrix[pole, 6] == 0.9  # the larger of two groups


def test_compatibility_is_the_identity_without_groups():
    matrix = compatibility_matrix(SemanticsConfig(confusable=(), unstable=()))
    assert np.array_equal(matrix, np.eye(19))


@pytest.mark.parametrize("compatibility", [-0.1, 1.1])
def test_compatibility_must_be_in_range(compatibility):
    with pytest.raises(ValueError, match="compatibility"):
        Confusion(classes=("road", "sidewalk"), compatibility=compatibility)
