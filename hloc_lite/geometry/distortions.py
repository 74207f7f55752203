"""Brown-Conrady distortion on the image plane, its exact Jacobian, and its inverse.

Brown 1971 with later additions: a rational radial factor (OpenCV), a thin prism (Weng et al. 1992),
and tangential and prism parts applied after the radial part, as in Project Aria's cameras.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.polynomial import Polynomial

from hloc_lite.types import Bool, Float64

Matrix = tuple[Float64, Float64, Float64, Float64]
"""2x2 matrices, row by row: d/du and d/dv of the first coordinate, then of the second."""

TOLERANCE = 1e-14
"""Relative step at which an inversion has converged: the next step is below rounding."""
MIN_INVERSE = 1e-12
"""Smallest 1 / r^2 at a fold: below it is rounding noise, and no image reaches a million focal
lengths."""


@dataclass(frozen=True)
class Distortion:
    """(u, v) -> (u, v) * N(r^2) / D(r^2) + tangential + prism."""

    radial: tuple[float, ...]
    """Coefficients of r^2, r^4, ... in N = 1 + ..."""
    divisor: tuple[float, ...] = ()
    """Coefficients of r^2, r^4, ... in D = 1 + ..."""
    tangential: tuple[float, ...] = ()
    """p1, p2 in OpenCV's order: u is shifted by 2 p1 u v + p2 (r^2 + 2 u^2)."""
    prism: tuple[float, ...] = ()
    """s1 .. s4: u is shifted by s1 r^2 + s2 r^4, v by s3 r^2 + s4 r^4."""
    after_radial: bool = False
    """Apply tangential and prism parts to the radially distorted point."""

    def distort(self, u: Float64, v: Float64) -> tuple[Float64, Float64]:
        """Distorted coordinates."""
        factor, _ = self._factor(u * u + v * v)
        radial_u, radial_v = u * factor, v * factor
        if not self.tangential:
            return radial_u, radial_v
        from_u, from_v = (radial_u, radial_v) if self.after_radial else (u, v)
        shift_u, shift_v = self._shift(from_u, from_v)
        return radial_u + shift_u, radial_v + shift_v

    def jacobian(self, u: Float64, v: Float64) -> Matrix:
        """Jacobian of ``distort``."""
        factor, slope = self._factor(u * u + v * v)
        twice_u, twice_v = 2 * slope * u, 2 * slope * v
        mixed = twice_u * v
        a, d = factor + twice_u * u, factor + twice_v * v
        if not self.tangential:
            return a, mixed, mixed, d
        if not self.after_radial:
            sa, sb, sc, sd = self._shift_jacobian(u, v)
            return a + sa, mixed + sb, mixed + sc, d + sd
        sa, sb, sc, sd = self._shift_jacobian(u * factor, v * factor)
        sa, sd = sa + 1, sd + 1
        return (
            sa * a + sb * mixed, sa * mixed + sb * d, sc * a + sd * mixed, sc * mixed + sd * d
        )  # fmt: skip

    def fold_radius(self) -> float:
        """Smallest radius where the radial part is not increasing or has a pole; inf if none.

        Beyond it the distortion is not invertible, which is no property of real lenses.
        """
        return _fold_radius(self.radial, self.divisor)

    def undistort(self, u: Float64, v: Float64) -> tuple[Float64, Float64]:
        """Inverse of ``distort`` within ``fold_radius``; NaN where there is none."""
        target = np.sqrt(u * u + v * v)
        radius, reached = self._undistort_radial(target)
        scale = np.where(target > 0, radius / target, 1.0)
        if not self.tangential:
            scale = np.where(reached, scale, np.nan)
            return u * scale, v * scale
        return self._undistort_by_newton(u, v, u * scale, v * scale)

    def _undistort_radial(self, target: Float64) -> tuple[Float64, Bool]:
        """Undistorted radius within the fold, and True where it reaches the target radius."""
        limit = self.fold_radius()
        low = np.zeros_like(target)
        if np.isfinite(limit):
            high = np.full_like(target, limit)
        else:
            high = np.maximum(target, 1.0)
            for _ in range(60):
                too_low = high * self._factor(high * high)[0] < target
                if not too_low.any():
                    break
                high = np.where(too_low, 2 * high, high)
        radius = np.where(target < high, target, high / 2)
        # converged pixels keep their value, so that no pixel depends on its neighbours
        done = np.zeros(radius.shape, bool)
        last = high
        # Newton's method, with bisection where it would leave the interval or converge slowly
        for _ in range(100):
            factor, slope = self._factor(radius * radius)
            excess = radius * factor - target
            high, low = np.where(excess > 0, radius, high), np.where(excess > 0, low, radius)
            moved = radius - excess / (factor + 2 * slope * radius * radius)
            safe = (moved >= low) & (moved <= high) & (np.abs(moved - radius) <= last / 2)
            moved = np.where(done, radius, np.where(safe, moved, (low + high) / 2))
            last = np.abs(moved - radius)
            done = ~(last > TOLERANCE * (1 + radius))
            radius = moved
            if done.all():
                break
        error = np.abs(radius * self._factor(radius * radius)[0] - target)
        return radius, error <= 1e-9 * (1 + target)

    def _undistort_by_newton(
        self, target_u: Float64, target_v: Float64, u: Float64, v: Float64
    ) -> tuple[Float64, Float64]:
        done = np.zeros(u.shape, bool)
        for _ in range(50):
            error_u, error_v = self._error(u, v, target_u, target_v)
            a, b, c, d = self.jacobian(u, v)
            determinant = a * d - b * c
            step_u = (d * error_u - b * error_v) / determinant
            step_v = (a * error_v - c * error_u) / determinant
            # bounded steps do not jump over the fold of a strong distortion
            length = np.sqrt(step_u**2 + step_v**2)
            share = np.minimum(1.0, 0.5 * (1 + np.sqrt(u * u + v * v)) / np.maximum(length, 1e-300))
            share = np.where(done, 0.0, share)
            u, v = u - share * step_u, v - share * step_v
            done |= ~(length > TOLERANCE * (1 + np.abs(u) + np.abs(v)))
            if done.all():
                break
        error_u, error_v = self._error(u, v, target_u, target_v)
        a, b, c, d = self.jacobian(u, v)
        # tangential and prism parts move the fold; just beyond it the determinant is negative
        good = (np.maximum(np.abs(error_u), np.abs(error_v)) < 1e-9) & (a * d - b * c > 0)
        good &= np.sqrt(u * u + v * v) <= 1.1 * self.fold_radius()
        return np.where(good, u, np.nan), np.where(good, v, np.nan)

    def _error(
        self, u: Float64, v: Float64, target_u: Float64, target_v: Float64
    ) -> tuple[Float64, Float64]:
        distorted_u, distorted_v = self.distort(u, v)
        return distorted_u - target_u, distorted_v - target_v

    def _factor(self, r2: Float64) -> tuple[Float64, Float64]:
        """Radial factor and its derivative with respect to r^2."""
        factor, slope = _one_plus(self.radial, r2)
        if not self.divisor:
            return factor, slope
        divisor, divisor_slope = _one_plus(self.divisor, r2)
        factor = factor / divisor
        return factor, (slope - factor * divisor_slope) / divisor

    def _shift(self, u: Float64, v: Float64) -> tuple[Float64, Float64]:
        """Shift by the tangential and prism parts."""
        p1, p2 = self.tangential
        uv, r2 = 2 * u * v, u * u + v * v
        shift_u = p1 * uv + p2 * (r2 + 2 * u * u)
        shift_v = p2 * uv + p1 * (r2 + 2 * v * v)
        if self.prism:
            s1, s2, s3, s4 = self.prism
            shift_u, shift_v = shift_u + r2 * (s1 + s2 * r2), shift_v + r2 * (s3 + s4 * r2)
        return shift_u, shift_v

    def _shift_jacobian(self, u: Float64, v: Float64) -> Matrix:
        p1, p2 = self.tangential
        mixed = 2 * (p1 * u + p2 * v)
        a, b, c, d = 2 * p1 * v + 6 * p2 * u, mixed, mixed, 2 * p2 * u + 6 * p1 * v
        if self.prism:
            s1, s2, s3, s4 = self.prism
            r2 = u * u + v * v
            by_u, by_v = 2 * s1 + 4 * s2 * r2, 2 * s3 + 4 * s4 * r2
            a, b, c, d = a + by_u * u, b + by_u * v, c + by_v * u, d + by_v * v
        return a, b, c, d


def _one_plus(coefficients: tuple[float, ...], r2: Float64) -> tuple[Float64, Float64]:
    """1 + k1 r2 + k2 r2^2 + ... and its derivative by r2 (Horner's scheme)."""
    value, slope = np.zeros_like(r2), np.zeros_like(r2)
    for k in reversed(coefficients):
        slope = slope * r2 + value
        value = value * r2 + k
    return 1 + value * r2, slope * r2 + value


@lru_cache(maxsize=256)
def _fold_radius(radial: tuple[float, ...], divisor: tuple[float, ...]) -> float:
    numerator, denominator = Polynomial((1.0, *radial)), Polynomial((1.0, *divisor))
    q = Polynomial((0, 1.0))
    # d/dr of r N(q) / D(q) with q = r^2, times D^2
    with np.errstate(over="ignore", invalid="ignore"):
        slope = numerator + 2 * q * numerator.deriv()
        slope = slope * denominator - 2 * q * numerator * denominator.deriv()
    if not np.isfinite(slope.coef).all():  # coefficients of 1e160: it folds at once
        return 0.0
    # in reversed order the leading coefficient is 1 and the roots are 1 / q, which is well scaled
    inverse = np.concatenate([np.roots(slope.coef), np.roots(denominator.coef)])
    real = inverse.real[np.abs(inverse.imag) <= 1e-12 * np.abs(inverse)]
    largest = float(real.max(initial=0.0))
    return 1 / largest**0.5 if largest > MIN_INVERSE else float("inf")
