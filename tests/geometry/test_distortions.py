"""Distortion on the image plane, and its inverse up to the fold."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from hloc_lite.geometry.distortions import Distortion

small = st.floats(-0.4, 0.4)
directions = np.stack([np.cos(np.linspace(0, 6, 40)), np.sin(np.linspace(0, 6, 40))])


@given(st.lists(small, min_size=1, max_size=4), st.lists(small, max_size=3))
def test_radial_distortion_is_inverted_within_the_fold(
    radial: list[float], divisor: list[float]
) -> None:
    distortion = Distortion(tuple(radial), tuple(divisor))
    limit = min(distortion.fold_radius(), 5.0)
    assume(limit > 1e-3)
    u, v = directions * np.linspace(0, 0.999 * limit, 40)
    with np.errstate(all="ignore"):
        distorted = distortion.distort(u, v)
        undistorted = distortion.undistort(*distorted)
        np.testing.assert_allclose(
            distortion.distort(*undistorted), distorted, rtol=1e-9, atol=1e-9
        )
    # the third root of rounding errors, where the slope vanishes without a fold
    np.testing.assert_allclose(undistorted, (u, v), atol=1e-4)


@pytest.mark.parametrize(
    ("distortion", "fold"),
    [
        (Distortion((-0.3,)), np.sqrt(1 / 0.9)),
        (Distortion((0.3,)), np.inf),
        (Distortion((0.0,)), np.inf),
        (Distortion((-0.1, 0.02)), np.inf),  # 1 - 0.3 q + 0.1 q^2 has no root
        (Distortion((0.2, -0.1)), np.sqrt((0.6 + np.sqrt(0.36 + 2)) / 1.0)),
        (Distortion((0.0,), (1.0,)), 1.0),  # r / (1 + r^2)
        (Distortion((0.0,), (-0.25,)), 2.0),  # a pole
    ],
)
def test_fold_is_the_first_extremum_or_pole(distortion: Distortion, fold: float) -> None:
    assert distortion.fold_radius() == pytest.approx(fold, rel=1e-12)


def test_order_of_radial_and_tangential_parts() -> None:
    beside = Distortion((0.5,), tangential=(0.1, 0.0))
    behind = Distortion((0.5,), tangential=(0.1, 0.0), after_radial=True)
    point = np.array(0.0), np.array(1.0)  # the radial part moves it to 1.5; p1 adds 3 v^2 p1
    assert beside.distort(*point)[1] == pytest.approx(1.5 + 0.3)
    assert behind.distort(*point)[1] == pytest.approx(1.5 + 0.3 * 1.5**2)


def test_points_are_undistorted_independently_of_each_other() -> None:
    distortion = Distortion((-0.1, 0.02), tangential=(0.01, -0.02), prism=(0.01, 0.0, -0.01, 0.0))
    u, v = np.random.default_rng(0).uniform(-1, 1, (2, 100))
    together = np.stack(distortion.undistort(u, v))
    for k in range(100):
        assert np.array_equal(
            np.stack(distortion.undistort(u[k : k + 1], v[k : k + 1]))[:, 0], together[:, k]
        )
