"""Brown-Conrady distortion on a plane, its exact derivative, and its inverse.

Brown 1971 and what has been added to it since: a rational radial factor (OpenCV), a thin prism
(Weng et al. 1992), and both applied behind the radial part as in Project Aria's cameras.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.polynomial import Polynomial

from hloc_lite.types import Bool, Float64

Matrix = tuple[Float64, Float64, Float64, Float64]
"""Row by row: d/du and d/dv of the first coordinate, then of the second."""

TOLERANCE = 1e-14
"""Relative step at which an inversion has converged: the next one would be below rounding."""
MIN_INVERSE = 1e-12
"""Of r^2 at a fold; it is rounding noise below, and no image reaches a million focal lengths."""


@dataclass(frozen=True)
class Distortion:
    """(u, v) -> (u, v) * N(r^2) / D(r^2) + tangential + prism."""

    radial: tuple[float, ...]
    """k of r^2, r^4, ... in N = 1 + ..."""
    divisor: tuple[float, ...] = ()
    """k of r^2, r^4, ... in D = 1 + ..."""
    tangential: tuple[float, ...] = ()
    """p1, p2 in OpenCV's order: first moves u by 2 p1 u v, second by p2 (r^2 + 2 u^2)."""
    prism: tuple[float, ...] = ()
    """s1 .. s4: moves u by s1 r^2 + s2 r^4, v by s3 r^2 + s4 r^4."""
    after_radial: bool = False
    """Tangential and prism parts take the point that the radial part has moved."""

    def apply(self, u: Float64, v: Float64) -> tuple[Float64, Float64]:
        """Distorted coordinates."""
        factor, _ = self._factor(u * u + v * v)
        radial_u, radial_v = u * factor, v * factor
        if not self.tangential:
            return radial_u, radial_v
        from_u, from_v = (radial_u, radial_v) if self.after_radial else (u, v)
        shift_u, shift_v = self._shift(from_u, from_v)
        return radial_u + shift_u, radial_v + shift_v

    def jacobian(self, u: Float64, v: Float64) -> Matrix:
        """Derivative of ``apply``."""
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

    def fold(self) -> float:
        """Radius where the radial part turns back towards the centre (or has a pole); inf if never.

        Beyond it several points are mapped to the same one, and no lens does that.
        """
        return _fold(self.radial, self.divisor)

    def undo(self, u: Float64, v: Float64) -> tuple[Float64, Float64]:
        """Inverse of ``apply`` within ``fold``; NaN where there is none."""
        target = np.sqrt(u * u + v * v)
        radius, reached = self._undo_radial(target)
        scale = np.where(target > 0, radius / target, 1.0)
        if not self.tangential:
            scale = np.where(reached, scale, np.nan)
            return u * scale, v * scale
        return self._undo_by_newton(u, v, u * scale, v * scale)

    def _undo_radial(self, target: Float64) -> tuple[Float64, Bool]:
        """Radius within the fold that comes nearest to the target; whether it gets there."""
        limit = self.fold()
        low = np.zeros_like(target)
        if np.isfinite(limit):
            high = np.full_like(target, limit)
        else:
            high = np.maximum(target, 1.0)
            for _ in range(60):
                short = high * self._factor(high * high)[0] < target
                if not short.any():
                    break
                high = np.where(short, 2 * high, high)
        radius = np.where(target < high, target, high / 2)
        done = np.zeros(radius.shape, bool)  # then left alone: no pixel depends on its neighbours
        last = high
        # Newton's method; where it would leave the interval or not come closer, that is halved
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

    def _undo_by_newton(
        self, target_u: Float64, target_v: Float64, u: Float64, v: Float64
    ) -> tuple[Float64, Float64]:
        done = np.zeros(u.shape, bool)
        for _ in range(50):
            error_u, error_v = self._error(u, v, target_u, target_v)
            a, b, c, d = self.jacobian(u, v)
            determinant = a * d - b * c
            step_u = (d * error_u - b * error_v) / determinant
            step_v = (a * error_v - c * error_u) / determinant
            # a bounded step keeps strong distortion from jumping over the fold
            length = np.sqrt(step_u**2 + step_v**2)
            share = np.minimum(1.0, 0.5 * (1 + np.sqrt(u * u + v * v)) / np.maximum(length, 1e-300))
            share = np.where(done, 0.0, share)
            u, v = u - share * step_u, v - share * step_v
            done |= ~(length > TOLERANCE * (1 + np.abs(u) + np.abs(v)))
            if done.all():
                break
        error_u, error_v = self._error(u, v, target_u, target_v)
        a, b, c, d = self.jacobian(u, v)
        # the other parts move the fold a little; just beyond it the determinant is negative
        good = (np.maximum(np.abs(error_u), np.abs(error_v)) < 1e-9) & (a * d - b * c > 0)
        good &= np.sqrt(u * u + v * v) <= 1.1 * self.fold()
        return np.where(good, u, np.nan), np.where(good, v, np.nan)

    def _error(
        self, u: Float64, v: Float64, target_u: Float64, target_v: Float64
    ) -> tuple[Float64, Float64]:
        distorted_u, distorted_v = self.apply(u, v)
        return distorted_u - target_u, distorted_v - target_v

    def _factor(self, r2: Float64) -> tuple[Float64, Float64]:
        """Radial factor and its derivative by r^2."""
        factor, slope = _one_plus(self.radial, r2)
        if not self.divisor:
            return factor, slope
        below, below_slope = _one_plus(self.divisor, r2)
        factor = factor / below
        return factor, (slope - factor * below_slope) / below

    def _shift(self, u: Float64, v: Float64) -> tuple[Float64, Float64]:
        """Tangential and prism parts."""
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
def _fold(radial: tuple[float, ...], divisor: tuple[float, ...]) -> float:
    above, below, q = Polynomial((1.0, *radial)), Polynomial((1.0, *divisor)), Polynomial((0, 1.0))
    # d/dr of r N(q) / D(q) with q = r^2, times D^2
    slope = (above + 2 * q * above.deriv()) * below - 2 * q * above * below.deriv()
    # read backwards, their coefficients start with 1, and the roots are 1 / q: all well scaled
    inverse = np.concatenate([np.roots(slope.coef), np.roots(below.coef)])
    real = inverse.real[np.abs(inverse.imag) <= 1e-12 * np.abs(inverse)]
    largest = float(real.max(initial=0.0))
    return 1 / largest**0.5 if largest > MIN_INVERSE else float("inf")
