"""Depth images seen from another camera: exact planes, hidden surfaces, no gaps."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from hloc_lite.geometry.depth_reprojection import points_of_depth, reproject_depth
from hloc_lite.geometry.rotations import exp_so3
from hloc_lite.types import Camera, Rigid3

DEPTH_CAMERA = Camera("PINHOLE", 64, 48, np.array([58.0, 58.0, 32.0, 24.0]))
COLOR_CAMERA = Camera("PINHOLE", 64, 48, np.array([52.0, 52.0, 32.0, 24.0]))


def plane_depth(camera: Camera, normal: np.ndarray, offset: float) -> np.ndarray:
    """(H, W) depths at pixel centres of the plane normal . x = offset."""
    rays = points_of_depth(np.ones((camera.height, camera.width)), camera)
    return offset / (rays @ normal)


def test_same_camera_gives_the_same_depths() -> None:
    depths = plane_depth(DEPTH_CAMERA, np.array([0.2, -0.1, 1.0]), 2.0)
    found = reproject_depth(depths, DEPTH_CAMERA, DEPTH_CAMERA, Rigid3.identity())
    # between pixel centres the surface has other depths, the nearest of which stays
    np.testing.assert_allclose(found[1:-1, 1:-1], depths[1:-1, 1:-1], rtol=0.01)


@settings(max_examples=25)
@given(
    st.floats(-0.05, 0.05), st.floats(-0.05, 0.05), st.floats(-0.3, 0.3), st.floats(-0.3, 0.3),
)  # fmt: skip
def test_planes_lie_where_the_other_camera_sees_them(
    x: float, turn: float, slope_x: float, slope_y: float
) -> None:
    normal, offset = np.array([slope_x, slope_y, 1.0]), 2.0
    depths = plane_depth(DEPTH_CAMERA, normal, offset)
    color_from_depth = Rigid3(exp_so3([0.0, turn, 0.0]), np.array([x, 0.0, 0.01]))
    turned = color_from_depth.rotation @ normal
    expected = plane_depth(COLOR_CAMERA, turned, offset + turned @ color_from_depth.translation)
    found = reproject_depth(depths, DEPTH_CAMERA, COLOR_CAMERA, color_from_depth)
    known = np.isfinite(found)
    assert known[12:36, 16:48].all()  # the middle is seen by both, without gaps
    np.testing.assert_allclose(found[known], expected[known], rtol=0.02)


def test_the_foreground_hides_the_background() -> None:
    depths = np.full((48, 64), 4.0)
    depths[:, :32] = 1.0
    to_the_left = Rigid3(np.eye(3), np.array([0.1, 0.0, 0.0]))  # points move right
    found = reproject_depth(depths, DEPTH_CAMERA, DEPTH_CAMERA, to_the_left)
    assert (found[:, 32 : 32 + 5] == 1.0).all()  # 58 px * 0.1 / 1 = 5.8 px, over the background
    assert set(np.unique(found[np.isfinite(found)])) == {1.0, 4.0}  # nothing in between


def test_unknown_depths_stay_unknown() -> None:
    depths = np.full((48, 64), 2.0)
    depths[10:20, 10:20] = np.nan
    depths[30:40, 30:40] = 0.0
    found = reproject_depth(depths, DEPTH_CAMERA, DEPTH_CAMERA, Rigid3.identity())
    assert np.isnan(found[10:20, 10:20]).all() and np.isnan(found[30:40, 30:40]).all()
