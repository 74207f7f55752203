"""WGS-84: radii, the ENU frame, and round trips."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hloc_lite.errors import FormatError, ShapeError
from hloc_lite.geometry.geodesy import (
    Geodetic,
    ecef_from_enu_rotation,
    ecef_from_geodetic,
    enu_from_geodetic,
    geodetic_from_ecef,
    geodetic_from_enu,
)

no_deadline = settings(max_examples=50)
EQUATOR_M, POLE_M = 6378137.0, 6356752.314245
positions = st.builds(Geodetic, st.floats(-89, 89), st.floats(-179, 179), st.floats(-100, 5000))
offsets = st.tuples(*[st.floats(-5000, 5000)] * 2, st.floats(-200, 200)).map(np.array)


@pytest.mark.parametrize(
    ("position", "ecef"),
    [
        ((0, 0, 0), (EQUATOR_M, 0, 0)),
        ((0, 90, 100), (0, EQUATOR_M + 100, 0)),
        ((90, 0, 0), (0, 0, POLE_M)),
        ((-90, 0, 10), (0, 0, -POLE_M - 10)),
    ],
)
def test_radii_of_the_ellipsoid(position: tuple, ecef: tuple) -> None:
    np.testing.assert_allclose(ecef_from_geodetic(position), ecef, atol=1e-5)
    np.testing.assert_allclose(
        geodetic_from_ecef(ecef)[[0, 2]], [position[0], position[2]], atol=1e-6
    )


def test_small_steps_at_the_equator() -> None:
    """Radii of curvature are a (1 - e^2) along the meridian, and a along the equator."""
    origin = Geodetic(0, 10, 50)
    step = np.radians(1e-4)
    north, east = enu_from_geodetic([[1e-4, 10, 50], [0, 10.0001, 50]], origin)
    np.testing.assert_allclose(north, [0, (POLE_M**2 / EQUATOR_M + 50) * step, 0], atol=1e-4)
    np.testing.assert_allclose(east, [(EQUATOR_M + 50) * step, 0, 0], atol=1e-4)


@no_deadline
@given(positions, offsets)
def test_round_trip(origin: Geodetic, enu: np.ndarray) -> None:
    back = enu_from_geodetic(geodetic_from_enu(enu, origin), origin)
    np.testing.assert_allclose(back, enu, atol=1e-5)


@no_deadline
@given(positions, offsets)
def test_axes_of_the_enu_frame(origin: Geodetic, enu: np.ndarray) -> None:
    rotation = ecef_from_enu_rotation(origin)
    np.testing.assert_allclose(rotation.T @ rotation, np.eye(3), atol=1e-12)
    assert np.linalg.det(rotation) == pytest.approx(1)
    start, there = ecef_from_geodetic(
        np.stack([geodetic_from_enu(np.zeros(3), origin), geodetic_from_enu(enu, origin)])
    )
    np.testing.assert_allclose(rotation @ enu, there - start, atol=1e-4)


@pytest.mark.parametrize("values", [(91, 0, 0), (0, 181, 0), (0, 0, np.nan), (-90.1, 0, 0)])
def test_invalid_positions_are_refused(values: tuple) -> None:
    with pytest.raises(FormatError):
        Geodetic(*values)


def test_wrong_shapes_are_refused() -> None:
    with pytest.raises(ShapeError, match="positions"):
        ecef_from_geodetic([1, 2])
