"""Depth of keypoints: exact on planes, never across an edge, with an honest uncertainty."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hloc_lite.config import LiftingConfig
from hloc_lite.errors import FormatError
from hloc_lite.geometry.cameras import cam_from_img
from hloc_lite.mapping.depth_lifting import lift_keypoints, sensor_sigmas
from hloc_lite.types import Camera, DepthMap

CAMERA = Camera("PINHOLE", 160, 120, np.array([140.0, 140.0, 80.0, 60.0]))
CONFIG = LiftingConfig()


def plane(normal: np.ndarray, offset: float, size: tuple[int, int] = (160, 120)) -> np.ndarray:
    """(h, w) depths of the plane normal . x = offset at the pixel centres of a depth image."""
    width, height = size
    rows, columns = np.mgrid[:height, :width]
    pixels = np.stack([columns + 0.5, rows + 0.5], axis=-1) * (np.array([160, 120]) / size)
    return offset / depth_per_offset(pixels, normal)


def depth_per_offset(pixels: np.ndarray, normal: np.ndarray) -> np.ndarray:
    rays = cam_from_img(CAMERA, pixels)
    return rays @ normal[:2] + normal[2]


@settings(max_examples=30)
@given(
    st.floats(-0.8, 0.8), st.floats(-0.8, 0.8), st.sampled_from([(160, 120), (80, 60), (320, 240)])
)
def test_planes_are_exact_at_any_resolution(
    slope_x: float, slope_y: float, size: tuple[int, int]
) -> None:
    normal = np.array([slope_x, slope_y, 1.0])
    depth_map = DepthMap(plane(normal, 2.0, size).astype(np.float32), (160, 120))
    points = np.random.default_rng(0).uniform((10, 10), (150, 110), (200, 2))
    found = lift_keypoints(depth_map, points, CAMERA, CONFIG)
    assert found.is_known.all()
    np.testing.assert_allclose(found.z, 2.0 / depth_per_offset(points, normal), rtol=1e-4)


def test_no_point_lies_between_foreground_and_background() -> None:
    depths = np.full((120, 160), 4.0, np.float32)
    depths[:, :80] = 1.0
    x = np.linspace(70.0, 90.0, 201)
    points = np.stack([x, np.full_like(x, 60.0)], axis=1)
    found = lift_keypoints(DepthMap(depths, (160, 120)), points, CAMERA, CONFIG)
    known = found.z[found.is_known]
    assert np.isin(np.round(known, 6), [1.0, 4.0]).all()
    assert found.on_edge[(x > 79.2) & (x < 80.8)].all()
    assert found.is_known[(x < 78) | (x > 82)].all()
    right = np.where(x < 80, 1.0, 4.0)[found.is_known]
    np.testing.assert_allclose(known, right, rtol=1e-6)


def test_the_standard_deviation_is_that_of_the_errors() -> None:
    rng = np.random.default_rng(1)
    true = plane(np.array([0.0, 0.0, 1.0]), 3.0)
    noisy = true + rng.normal(size=true.shape) * sensor_sigmas(true, CONFIG)
    points = rng.uniform((10, 10), (150, 110), (2000, 2))
    found = lift_keypoints(DepthMap(noisy.astype(np.float32), (160, 120)), points, CAMERA, CONFIG)
    normalized = (found.z - 3.0) / found.sigmas
    assert found.is_known.all() and 0.7 < normalized.std() < 1.2


def test_slanted_surfaces_are_less_certain() -> None:
    points = np.array([[80.0, 60.0]])
    flat, slanted = (
        lift_keypoints(
            DepthMap(plane(np.array([slope, 0.0, 1.0]), 2.0).astype(np.float32), (160, 120)),
            points, CAMERA, CONFIG,
        ).sigmas[0]
        for slope in (0.0, 2.0)
    )  # fmt: skip
    assert slanted > 2 * flat


def test_holes_cost_few_keypoints_and_no_accuracy() -> None:
    depths = plane(np.array([0.3, 0.1, 1.0]), 2.0).astype(np.float32)
    depths[np.random.default_rng(2).random(depths.shape) < 0.5] = np.nan
    points = np.random.default_rng(3).uniform((10, 10), (150, 110), (500, 2))
    found = lift_keypoints(DepthMap(depths, (160, 120)), points, CAMERA, CONFIG)
    expected = 2.0 / depth_per_offset(points, np.array([0.3, 0.1, 1.0]))
    assert found.is_known.mean() > 0.9
    np.testing.assert_allclose(found.z[found.is_known], expected[found.is_known], rtol=1e-3)


def test_outside_and_beside_known_pixels_there_is_no_depth() -> None:
    depths = np.full((120, 160), np.nan, np.float32)
    depths[:, :50] = 2.0
    points = np.array([[20.0, 20.0], [54.0, 20.0], [-5.0, 20.0], [170.0, 20.0]])
    found = lift_keypoints(DepthMap(depths, (160, 120)), points, CAMERA, CONFIG)
    assert found.is_known.tolist() == [True, False, False, False]
    assert np.isnan(found.sigmas[1:]).all()


def test_relative_depth_and_other_shapes_are_refused() -> None:
    depths = np.ones((120, 160), np.float32)
    with pytest.raises(FormatError, match="in map units"):
        lift_keypoints(DepthMap(depths, (160, 120), False), np.zeros((1, 2)), CAMERA, CONFIG)
    with pytest.raises(FormatError, match=r"160 x 160.*160 x 120"):
        lift_keypoints(DepthMap(depths, (160, 160)), np.zeros((1, 2)), CAMERA, CONFIG)
