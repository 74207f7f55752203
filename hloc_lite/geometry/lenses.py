"""Lens models before distortion: from points in the camera frame to the image plane.

All functions take and return coordinates as separate float64 arrays of one shape. ``project``
returns NaN for points that the lens cannot see, ``jacobian`` the two rows of its derivative with
respect to (x, y, z). ``unproject`` is the inverse: a vector of any positive length, NaN where no
ray reaches the plane. Divisions by zero are intended; the caller silences NumPy.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from hloc_lite.types import Float64

Row = tuple[Float64, Float64, Float64]
MIN_DEPTH = 1e-12
"""Smallest depth of a point in front of the camera, map units."""


class Lens(Protocol):
    """Mapping from directions to the image plane."""

    def project(self, x: Float64, y: Float64, z: Float64) -> tuple[Float64, Float64]: ...

    def jacobian(self, x: Float64, y: Float64, z: Float64) -> tuple[Row, Row]: ...

    def unproject(self, u: Float64, v: Float64) -> Row: ...


@dataclass(frozen=True)
class Perspective:
    """Pinhole projection to the z = 1 plane, for points in front."""

    def project(self, x: Float64, y: Float64, z: Float64) -> tuple[Float64, Float64]:
        z = _in_front(z)
        return x / z, y / z

    def jacobian(self, x: Float64, y: Float64, z: Float64) -> tuple[Row, Row]:
        inverse = 1 / _in_front(z)
        zero = 0 * inverse
        return (inverse, zero, -x * inverse**2), (zero, inverse, -y * inverse**2)

    def unproject(self, u: Float64, v: Float64) -> Row:
        return u, v, np.ones_like(u)


@dataclass(frozen=True)
class Angular:
    """Radius on the plane from the angle to the optical axis: atan(stretch * tan(angle)) / rate.

    ``Angular()`` is the equidistant fisheye of Kannala and Brandt 2006: the radius is the angle
    itself, also beyond 90 degrees, up to the ray straight back. With other parameters it is the FOV
    model of Devernay and Faugeras 2001, for points in front only.
    """

    stretch: float = 1.0
    rate: float = 1.0
    sees_behind: bool = True

    def project(self, x: Float64, y: Float64, z: Float64) -> tuple[Float64, Float64]:
        scale = self._scale(np.sqrt(x * x + y * y), z)
        return x * scale, y * scale

    def jacobian(self, x: Float64, y: Float64, z: Float64) -> tuple[Row, Row]:
        rho = np.sqrt(x * x + y * y)
        scale = self._scale(rho, z)
        z = z + 0 * scale  # NaN where the projection is
        # derivatives of the radius with respect to rho and z
        common = self.stretch / self.rate / (z * z + (self.stretch * rho) ** 2)
        by_rho, by_z = z * common, -rho * common
        along = np.where(rho > 0, 1 / rho, 0.0)  # on the axis all directions are equivalent
        ex, ey = x * along, y * along
        difference = by_rho - scale
        mixed = ex * ey * difference
        return (
            (scale + ex * ex * difference, mixed, ex * by_z),
            (mixed, scale + ey * ey * difference, ey * by_z),
        )

    def unproject(self, u: Float64, v: Float64) -> Row:
        radius = np.sqrt(u * u + v * v)
        angle = self.rate * radius
        limit = np.pi if self.sees_behind else np.pi / 2
        angle = np.where(angle <= limit, angle, np.nan)
        scale = np.where(radius > 0, np.sin(angle) / radius, self.rate)
        return u * scale, v * scale, self.stretch * np.cos(angle)

    def _scale(self, rho: Float64, z: Float64) -> Float64:
        """Radius on the plane over distance from the axis (rho)."""
        on_axis = self.stretch / (self.rate * _in_front(z))  # undefined behind the centre
        angle = np.arctan2(self.stretch * rho, z if self.sees_behind else _in_front(z))
        return np.where(rho > 0, angle / (self.rate * rho), on_axis)


@dataclass(frozen=True)
class Division:
    """Division model of Fitzgibbon 2001: the ray of a point (u, v) is (u, v, 1 + k r^2).

    With k < 0 it sees all directions except straight back; with k > 0 those up to the angle at
    r = 1 / sqrt(k), beyond which rays would turn back to the axis.
    """

    k: float

    def project(self, x: Float64, y: Float64, z: Float64) -> tuple[Float64, Float64]:
        _, half = self._roots(x, y, z)
        return x / half, y / half

    def jacobian(self, x: Float64, y: Float64, z: Float64) -> tuple[Row, Row]:
        root, half = self._roots(x, y, z)
        inverse = 1 / half
        curved = 2 * self.k * inverse**2 / root
        by_z = -inverse / root
        mixed = curved * x * y
        return (
            (inverse + curved * x * x, mixed, x * by_z),
            (mixed, inverse + curved * y * y, y * by_z),
        )

    def unproject(self, u: Float64, v: Float64) -> Row:
        bend = self.k * (u * u + v * v)
        return u, v, np.where(bend <= 1, 1 + bend, np.nan)

    def _roots(self, x: Float64, y: Float64, z: Float64) -> tuple[Float64, Float64]:
        """sqrt(z^2 - 4 k rho^2), and half its sum with z, by which x is divided."""
        bend = 4 * self.k * (x * x + y * y)
        root = np.sqrt(z * z - bend)
        # equivalent for z < 0, without cancellation
        half = np.where(z < 0, bend / (z - root), z + root) / 2
        return root, np.where(half > MIN_DEPTH, half, np.nan)


@dataclass(frozen=True)
class EnhancedUnified:
    """Enhanced unified camera model (Khomutenko, Garcia and Martinet 2016).

    ``alpha`` in [0, 1] is the offset of the projection centre from that of an ellipsoid, ``beta``
    > 0 the shape of that. Sees behind the camera as far as the projection is invertible.
    """

    alpha: float
    beta: float

    def project(self, x: Float64, y: Float64, z: Float64) -> tuple[Float64, Float64]:
        _, depth = self._distances(x, y, z)
        return x / depth, y / depth

    def jacobian(self, x: Float64, y: Float64, z: Float64) -> tuple[Row, Row]:
        distance, depth = self._distances(x, y, z)
        inverse = 1 / depth
        curved = self.alpha * self.beta / distance * inverse**2
        by_z = -(self.alpha * z / distance + 1 - self.alpha) * inverse**2
        mixed = -curved * x * y
        return (
            (inverse - curved * x * x, mixed, x * by_z),
            (mixed, inverse - curved * y * y, y * by_z),
        )

    def unproject(self, u: Float64, v: Float64) -> Row:
        r2 = self.beta * (u * u + v * v)
        root = np.sqrt(1 - (2 * self.alpha - 1) * r2)
        z = (1 - self.alpha**2 * r2) / (self.alpha * root + 1 - self.alpha)
        return u + 0 * z, v + 0 * z, z  # NaN in all three components

    def _distances(self, x: Float64, y: Float64, z: Float64) -> tuple[Float64, Float64]:
        """Distance from the ellipsoid's centre, and the depth by which x is divided."""
        distance = np.sqrt(self.beta * (x * x + y * y) + z * z)
        depth = self.alpha * distance + (1 - self.alpha) * z
        # beyond this direction the radius decreases (alpha > 1/2) or the depth is negative
        low, high = sorted((self.alpha, 1 - self.alpha))
        seen = (z * high > -low * distance) & (depth > MIN_DEPTH)
        return distance, np.where(seen, depth, np.nan)


@dataclass(frozen=True)
class Equirectangular:
    """Longitude around the y axis and latitude (down is positive), in radians: all directions."""

    def project(self, x: Float64, y: Float64, z: Float64) -> tuple[Float64, Float64]:
        horizontal = np.sqrt(x * x + z * z)
        seen = np.where((horizontal > 0) | (y != 0), 1.0, np.nan)
        return np.arctan2(x, z) * seen, np.arctan2(y, horizontal) * seen

    def jacobian(self, x: Float64, y: Float64, z: Float64) -> tuple[Row, Row]:
        horizontal2 = x * x + z * z
        # longitude is undefined at the poles
        horizontal2 = np.where(horizontal2 > 0, horizontal2, np.nan)
        horizontal, norm2 = np.sqrt(horizontal2), horizontal2 + y * y
        slope = -y / (horizontal * norm2)
        return (
            (z / horizontal2, 0 * horizontal, -x / horizontal2),
            (x * slope, horizontal / norm2, z * slope),
        )

    def unproject(self, u: Float64, v: Float64) -> Row:
        v = np.where(np.abs(v) <= np.pi / 2 * (1 + 1e-12), v, np.nan)
        horizontal = np.cos(v)
        return horizontal * np.sin(u), np.sin(v), horizontal * np.cos(u)


def _in_front(z: Float64) -> Float64:
    return np.where(z > MIN_DEPTH, z, np.nan)
