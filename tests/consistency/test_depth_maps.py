"""Depth maps at keypoints: bilinear interpolation, NaN at edges and unknown pixels."""

from __future__ import annotations

import numpy as np
import pytest

from hloc_lite.consistency.depth_maps import depths_at, kind_of, without_edges
from hloc_lite.errors import ShapeError
from hloc_lite.types import DepthMap


def depth_map(depths: np.ndarray, size: tuple[int, int] | None = None) -> DepthMap:
    depths = np.asarray(depths, np.float32)
    return DepthMap(depths, size or (depths.shape[1], depths.shape[0]))


def plane(width: int, height: int) -> np.ndarray:
    """20 + x + 2 y at pixel centres (x, y)."""
    x, y = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    return 20 + x + 2 * y


def test_plane_is_interpolated_exactly() -> None:
    points = np.random.default_rng(0).uniform([0.5, 0.5], [39.5, 29.5], (100, 2))
    found = depths_at(depth_map(plane(40, 30)), points)
    np.testing.assert_allclose(found, 20 + points @ [1, 2], rtol=1e-6)


def test_points_are_pixels_of_the_image() -> None:
    points = np.random.default_rng(0).uniform([2, 2], [158, 118], (100, 2))
    found = depths_at(depth_map(plane(40, 30), (160, 120)), points)
    np.testing.assert_allclose(found, 20 + points @ [1, 2] / 4, rtol=1e-6)


def test_points_outside_the_image_are_unknown() -> None:
    values = depth_map([[1, 2], [3, 4]])
    corners = [[0, 0], [2, 0], [0, 2], [2, 2]]
    assert depths_at(values, np.array(corners, float)).tolist() == [1, 2, 3, 4]
    outside = [[-0.1, 1], [1, 2.1], [np.nan, 1], [np.inf, 1]]
    assert np.isnan(depths_at(values, np.array(outside))).all()


def test_unknown_neighbours_make_points_unknown() -> None:
    values = depth_map([[1, np.nan], [1, 1]])
    points = np.array([[0.5, 0.5], [0.6, 0.5], [0.5, 0.9], [0.6, 0.6]])
    assert np.isnan(depths_at(values, points)).tolist() == [False, True, False, True]


def test_no_points() -> None:
    assert depths_at(depth_map(plane(4, 3)), np.zeros((0, 2))).shape == (0,)


def test_steps_are_edges_and_slopes_are_not() -> None:
    row = np.array([10, 10.5, 11, 14, 14, 14.5, 14])
    found = without_edges(depth_map(np.tile(row, (3, 1))), 0.1).depths
    assert np.isnan(found).tolist() == [[False, False, True, True, False, False, False]] * 3
    turned = without_edges(depth_map(np.tile(row, (3, 1)).T), 0.1).depths
    np.testing.assert_array_equal(turned, found.T)


def test_steps_are_relative_to_the_smaller_depth() -> None:
    for row in ([10, 10.9], [10.9, 10]):
        assert np.isfinite(without_edges(depth_map([row, row]), 0.1).depths).all()
    for row in ([10, 11.1], [11.1, 10]):
        assert np.isnan(without_edges(depth_map([row, row]), 0.1).depths).all()


def test_invalid_depths_are_unknown_but_no_edges() -> None:
    values = depth_map([[5, 0, 5], [5, -1, 5], [5, np.nan, 5], [5, np.inf, 5]])
    found = without_edges(values, 0.1).depths
    assert np.isnan(found[:, 1]).all() and (found[:, [0, 2]] == 5).all()


def test_edges_do_not_depend_on_the_unit() -> None:
    depths = np.random.default_rng(0).uniform(5, 7, (20, 30))
    a = np.isnan(without_edges(depth_map(depths), 0.1).depths)
    b = np.isnan(without_edges(depth_map(1000 * depths), 0.1).depths)
    assert (a == b).all() and 0 < a.mean() < 1


def test_kinds() -> None:
    values = np.ones((2, 2))
    assert kind_of(DepthMap(values, (2, 2))) == "metric"
    assert kind_of(DepthMap(values, (2, 2), False)) == "relative"
    assert kind_of(DepthMap(values, (2, 2), False, is_inverse=True)) == "inverse"
    with pytest.raises(ShapeError, match="never metric"):
        DepthMap(values, (2, 2), True, is_inverse=True)
