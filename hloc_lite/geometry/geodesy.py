"""WGS-84: geodetic latitude, longitude and height, and the local east-north-up (ENU) frame.

Heights are metres above the ellipsoid. The altitude of phones and photos is often above sea level,
which differs by up to 106 m; within a map that is a constant.

pymap3d is imported where it is used: opening a map imports this module, but few maps need it.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass

import numpy as np
import numpy.typing as npt

from hloc_lite.errors import FormatError
from hloc_lite.types import Float64, frozen_array

MAX_HEIGHT_M = 1e7
"""Largest height: satellites that tell the position are twice as high."""


@dataclass(frozen=True)
class Geodetic:
    """Geodetic position.

    Raises:
        FormatError: numbers that are not finite, or out of range.
    """

    latitude_deg: float
    """[-90, 90], north is positive."""
    longitude_deg: float
    """[-180, 180], east is positive."""
    height_m: float
    """Above the ellipsoid."""

    def __post_init__(self) -> None:
        values = (self.latitude_deg, self.longitude_deg, self.height_m)
        if not np.isfinite(values).all():
            raise FormatError(f"latitude, longitude and height must be finite, got {values}")
        if abs(self.latitude_deg) > 90 or abs(self.longitude_deg) > 180:
            raise FormatError(
                f"expected a latitude within 90 and a longitude within 180 degrees, got "
                f"{self.latitude_deg:g} and {self.longitude_deg:g}"
            )
        if abs(self.height_m) > MAX_HEIGHT_M:
            raise FormatError(f"expected a height within {MAX_HEIGHT_M:g} m, got {self.height_m:g}")


def enu_from_geodetic(positions: npt.ArrayLike, origin: Geodetic) -> Float64:
    """(..., 3) metres east, north and up of the origin.

    Args:
        positions: (..., 3) latitude, longitude (degrees) and height (metres).
    """
    import pymap3d

    latitude, longitude, height = _columns(positions, "positions")
    return _stack(pymap3d.geodetic2enu(latitude, longitude, height, *astuple(origin)))


def geodetic_from_enu(enu: npt.ArrayLike, origin: Geodetic) -> Float64:
    """Inverse of ``enu_from_geodetic``: (..., 3) degrees, degrees, metres."""
    import pymap3d

    return _stack(pymap3d.enu2geodetic(*_columns(enu, "enu"), *astuple(origin)))


def ecef_from_geodetic(positions: npt.ArrayLike) -> Float64:
    """(..., 3) metres in the Earth-centred, Earth-fixed frame: x to (0, 0), y to (0, 90 east), z to
    the north pole.

    Args:
        positions: (..., 3) latitude, longitude (degrees) and height (metres).
    """
    import pymap3d

    return _stack(pymap3d.geodetic2ecef(*_columns(positions, "positions")))


def geodetic_from_ecef(ecef: npt.ArrayLike) -> Float64:
    """Inverse of ``ecef_from_geodetic``: (..., 3) degrees, degrees, metres."""
    import pymap3d

    return _stack(pymap3d.ecef2geodetic(*_columns(ecef, "ecef")))


def ecef_from_enu_rotation(position: Geodetic) -> Float64:
    """(3, 3) rotation with columns east, north and up at a position, in ECEF axes."""
    latitude, longitude = np.radians([position.latitude_deg, position.longitude_deg])
    up = [
        np.cos(latitude) * np.cos(longitude),
        np.cos(latitude) * np.sin(longitude),
        np.sin(latitude),
    ]
    east = [-np.sin(longitude), np.cos(longitude), 0.0]
    return np.column_stack([east, np.cross(up, east), up])


def _columns(values: npt.ArrayLike, name: str) -> tuple[Float64, Float64, Float64]:
    array = np.asarray(values, np.float64)
    frozen_array(array.reshape(-1, array.shape[-1] if array.ndim else 1), float, (None, 3), name)
    return array[..., 0], array[..., 1], array[..., 2]


def _stack(columns: tuple[npt.ArrayLike, ...]) -> Float64:
    return np.stack([np.asarray(column, np.float64) for column in columns], axis=-1)
