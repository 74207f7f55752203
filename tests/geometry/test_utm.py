"""UTM: a published position, lengths along meridians, and conformality."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad

from hloc_lite.errors import FormatError
from hloc_lite.geometry.utm import FALSE_EAST_M, SCALE, utm_from_geodetic

AXIS_M, FLATTENING = 6378137.0, 1 / 298.257223563
E2 = FLATTENING * (2 - FLATTENING)


def test_the_cn_tower_is_where_it_is_published() -> None:
    position = utm_from_geodetic(43 + 38 / 60 + 33.24 / 3600, -(79 + 23 / 60 + 13.7 / 3600), 17)
    np.testing.assert_allclose(position, [630084, 4833438], atol=1.0)


@given(st.floats(0, 80))
def test_lengths_along_the_central_meridian(latitude: float) -> None:
    def radius(phi: float) -> float:
        return AXIS_M * (1 - E2) / (1 - E2 * np.sin(phi) ** 2) ** 1.5

    arc, _ = quad(radius, 0, np.radians(latitude), epsabs=1e-7)
    east, north = utm_from_geodetic(latitude, 141.0, 54)
    assert east == FALSE_EAST_M and north == pytest.approx(SCALE * arc, abs=1e-6)


@given(st.floats(-70, 70), st.floats(-4, 4))
def test_angles_are_kept(latitude: float, offset: float) -> None:
    """A small step north and a small step east of equal length are as long, and at right angles."""
    step = 1e-6
    phi = np.radians(latitude)
    meridian = AXIS_M * (1 - E2) / (1 - E2 * np.sin(phi) ** 2) ** 1.5
    parallel = AXIS_M * np.cos(phi) / np.sqrt(1 - E2 * np.sin(phi) ** 2)
    longitude = 141 + offset

    def ends(d_latitude: float, d_longitude: float) -> np.ndarray:
        plus = utm_from_geodetic(latitude + d_latitude, longitude + d_longitude, 54)
        return plus - utm_from_geodetic(latitude - d_latitude, longitude - d_longitude, 54)

    if abs(latitude) < 1e-4:  # the false northing makes a step at the equator
        return
    north, east = ends(step, 0) / meridian, ends(0, step) / parallel
    np.testing.assert_allclose(east, [north[1], -north[0]], atol=1e-5 * np.linalg.norm(north))


def test_positions_elsewhere_are_refused() -> None:
    for latitude, longitude, zone in ((85, 141, 54), (35, 10, 54), (35, 141, 61), (np.nan, 0, 31)):
        with pytest.raises(FormatError):
            utm_from_geodetic(latitude, longitude, zone)
    # zone 1 begins at 180 degrees west
    np.testing.assert_allclose(utm_from_geodetic(0, 179.9, 1), utm_from_geodetic(0, -180.1, 1))
