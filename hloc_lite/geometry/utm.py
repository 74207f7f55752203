"""Universal Transverse Mercator: latitude and longitude (WGS-84) to metres east and north.

Krueger's series in the third flattening n, to the sixth order (Karney, "Transverse Mercator with an
accuracy of a few nanometers", Journal of Geodesy 2011, equations 7 to 11 and 35).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from hloc_lite.errors import FormatError
from hloc_lite.types import Float64

SCALE = 0.9996
"""Scale on the central meridian."""
FALSE_EAST_M = 500_000.0
FALSE_NORTH_M = 10_000_000.0
"""Added south of the equator."""
MAX_LATITUDE_DEG = 84.0
"""UTM is defined up to there (80 in the south)."""
_AXIS_M = 6_378_137.0
_FLATTENING = 1 / 298.257223563
_N = _FLATTENING / (2 - _FLATTENING)
_COEFFICIENTS = (
    (1 / 2, -2 / 3, 5 / 16, 41 / 180, -127 / 288, 7891 / 37800),
    (0.0, 13 / 48, -3 / 5, 557 / 1440, 281 / 630, -1983433 / 1935360),
    (0.0, 0.0, 61 / 240, -103 / 140, 15061 / 26880, 167603 / 181440),
    (0.0, 0.0, 0.0, 49561 / 161280, -179 / 168, 6601661 / 7257600),
    (0.0, 0.0, 0.0, 0.0, 34729 / 80640, -3418889 / 1995840),
    (0.0, 0.0, 0.0, 0.0, 0.0, 212378941 / 319334400),
)
"""Factors of n, n^2, ... in the coefficient of each term."""


def utm_from_geodetic(
    latitude_deg: npt.ArrayLike, longitude_deg: npt.ArrayLike, zone: int
) -> Float64:
    """(..., 2) metres east and north in a zone.

    Args:
        latitude_deg, longitude_deg: (...) degrees, WGS-84.
        zone: 1 to 60; its central meridian is at 6 zone - 183 degrees.

    Raises:
        FormatError: no zone, or positions beyond ``MAX_LATITUDE_DEG`` or farther than 30 degrees
            from the central meridian, where the series would lose its accuracy.
    """
    if not 1 <= zone <= 60:
        raise FormatError(f"UTM has the zones 1 to 60, got {zone}")
    latitude, longitude = np.broadcast_arrays(
        np.asarray(latitude_deg, np.float64), np.asarray(longitude_deg, np.float64)
    )
    offset = (longitude - (6 * zone - 183) + 180) % 360 - 180
    if not ((np.abs(latitude) <= MAX_LATITUDE_DEG) & (np.abs(offset) <= 30)).all():
        raise FormatError(f"expected positions in or near UTM zone {zone}, got others")
    phi, lam = np.radians(latitude), np.radians(offset)
    eccentricity = np.sqrt(_FLATTENING * (2 - _FLATTENING))
    # conformal latitude
    sine = np.sin(phi)
    tangent = np.sinh(np.arctanh(sine) - eccentricity * np.arctanh(eccentricity * sine))
    xi = np.arctan2(tangent, np.cos(lam))
    eta = np.arcsinh(np.sin(lam) / np.hypot(tangent, np.cos(lam)))
    powers = _N ** np.arange(1, 7)
    north, east = xi.copy(), eta.copy()
    for order, factors in enumerate(_COEFFICIENTS, start=1):
        alpha = float(np.dot(factors, powers))
        north += alpha * np.sin(2 * order * xi) * np.cosh(2 * order * eta)
        east += alpha * np.cos(2 * order * xi) * np.sinh(2 * order * eta)
    radius = _AXIS_M / (1 + _N) * (1 + _N**2 / 4 + _N**4 / 64 + _N**6 / 256)
    north = SCALE * radius * north + np.where(latitude < 0, FALSE_NORTH_M, 0.0)
    utm: Float64 = np.stack([FALSE_EAST_M + SCALE * radius * east, north], axis=-1)
    return utm
