"""Distortion on the plane: its inverse up to where it turns back, and not beyond."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from hloc_lite.geometry.distortions import Distortion

small = st.floats(-0.4, 0.4)
directions = np.stack([np.cos(np.linspace(0, 6, 40)), np.sin(np.linspace(0, 6, 40))])


@settings(deadline=None)
@given(st.lists(small, min_size=1, max_size=4), st.lists(small, max_size=3))
def test_radial_parts_are_undone_within_the_fold(radial: list[float], divisor: list[float]) -> None:
    distortion = Distortion(tuple(radial), tuple(divisor))
    limit = min(distortion.fold(), 5.0)
    assume(limit > 1e-3)
    u, v = directions * np.linspace(0, 0.999 * limit, 40)
    with np.errstate(all="ignore"):
        distorted = distortion.apply(u, v)
        again = distortion.undo(*distorted)
        np.testing.assert_allclose(distortion.apply(*again), distorted, rtol=1e-9, atol=1e-9)
    # to the third root of rounding where the factor's slope vanishes without turning back
    np.testing.assert_allclose(again, (u, v), atol=1e-4)


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
def test_the_fold_is_the_first_extremum_or_pole(distortion: Distortion, fold: float) -> None:
    assert distortion.fold() == pytest.approx(fold, rel=1e-12)


def test_the_order_of_the_parts_is_that_of_the_model() -> None:
    beside = Distortion((0.5,), tangential=(0.1, 0.0))
    behind = Distortion((0.5,), tangential=(0.1, 0.0), after_radial=True)
    point = np.array(0.0), np.array(1.0)  # the radial part moves it to 1.5; p1 adds 3 v^2 p1
    assert beside.apply(*point)[1] == pytest.approx(1.5 + 0.3)
    assert behind.apply(*point)[1] == pytest.approx(1.5 + 0.3 * 1.5**2)


def test_a_point_is_undone_alike_alone_and_among_others() -> None:
    distortion = Distortion((-0.1, 0.02), tangential=(0.01, -0.02), prism=(0.01, 0.0, -0.01, 0.0))
    u, v = np.random.default_rng(0).uniform(-1, 1, (2, 100))
    together = np.stack(distortion.undo(u, v))
    for k in range(100):
        assert np.array_equal(
            np.stack(distortion.undo(u[k : k + 1], v[k : k + 1]))[:, 0], together[:, k]
        )
