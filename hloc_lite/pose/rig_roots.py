"""Real roots of polynomials of degree 8 in an interval, for whole batches, by Bernstein's form.

A polynomial has at most as many roots in an interval as its Bernstein coefficients there change
sign, and exactly one where they do once (Descartes' rule; Lane and Riesenfeld 1981). Intervals are
halved until that is so: no eigenvalues, and nothing is computed where there is no root.
"""

from __future__ import annotations

from functools import lru_cache
from math import comb

import numpy as np

from hloc_lite.types import Bool, Float64, Int64

DEGREE = 8
FIRST_PIECES = 4
"""Of the interval at first, in one matrix product; two each time after."""
MAX_HALVINGS = 12
"""After that two roots are so close that both ends of the piece stand for them."""
NEWTON_STEPS = 4
SLOW_STEPS = 12
"""More of them where the last step was longer than ``CONVERGED``."""
CONVERGED = 1e-6


def nodes() -> Float64:
    """(9,) Chebyshev's nodes in (0, 1), where the polynomial's values are asked for."""
    order = np.arange(DEGREE + 1)
    return np.asarray(0.5 - 0.5 * np.cos(np.pi * (order + 0.5) / (DEGREE + 1)))


def roots_between(values: Float64) -> tuple[Float64, Int64]:
    """Roots in [0, 1].

    Args:
        values: (9, B) of each polynomial at ``nodes()``.

    Returns:
        (N,) roots and (N,) the polynomial each is of. Where several are closer than 1e-4, some are
        only that good, or missing, or come twice.
    """
    owner = np.arange(values.shape[1])
    pieces, width = _bernstein_from_values() @ values, 1.0
    start, parts = np.zeros(len(owner)), FIRST_PIECES
    singles: list[tuple[Float64, Float64, Int64, float]] = []
    for _ in range(1 + MAX_HALVINGS):
        width /= parts
        pieces = (_subdivision(parts) @ pieces).reshape(DEGREE + 1, -1)
        start = (start + width * np.arange(parts)[:, None]).ravel()
        owner, parts = np.tile(owner, parts), 2
        changes = _sign_changes(pieces)
        single = np.flatnonzero(changes == 1)
        singles.append((pieces[:, single], start[single], owner[single], width))
        several = np.flatnonzero(changes > 1)
        pieces, start, owner = pieces[:, several], start[several], owner[several]
        if len(owner) == 0:
            break
    inside = _single_root(np.concatenate([piece for piece, *_ in singles], axis=1))
    widths = np.concatenate([np.full(len(begin), size) for _, begin, _, size in singles])
    begins = np.concatenate([begin for _, begin, *_ in singles])
    owners = [which for _, _, which, _ in singles]
    found = np.concatenate([begins + widths * inside, start, start + width])
    return found, np.concatenate([*owners, owner, owner])


def _sign_changes(coefficients: Float64) -> Int64:
    """(N,) of (9, N) coefficients. A root on the border of two pieces belongs to one of them."""
    positive = coefficients >= 0
    return np.asarray((positive[1:] != positive[:-1]).sum(axis=0, dtype=np.int8))


def _single_root(coefficients: Float64) -> Float64:
    """(N,) the root in [0, 1] of (9, N) coefficients with one change of sign."""
    powers = _powers_from_bernstein() @ coefficients
    first, last = coefficients[0], coefficients[DEGREE]
    with np.errstate(all="ignore"):
        start = np.stack([np.zeros_like(first), np.ones_like(first), first / (first - last)])
        brackets, moved = _newton(powers, last >= 0, start, NEWTON_STEPS)
        slow = np.flatnonzero(~(moved < CONVERGED))
        brackets[:, slow], _ = _newton(
            powers[:, slow], last[slow] >= 0, brackets[:, slow], SLOW_STEPS
        )
    return np.asarray(brackets[2])


def _newton(
    powers: Float64, rising: Bool, brackets: Float64, steps: int
) -> tuple[Float64, Float64]:
    """Newton's method, halving where it would leave the bracket.

    Args:
        powers: (9, N) coefficients of 1, x, x^2, ...
        rising: (N,) whether it is positive at the upper end.
        brackets: (3, N) lower end, upper end, and a place between them.

    Returns:
        The same, closer, and (N,) how far the last step went.
    """
    low, high, root = brackets
    last = np.ones_like(root)
    for _ in range(steps):
        value, slope = powers[DEGREE], np.zeros_like(root)
        for power in powers[DEGREE - 1 :: -1]:
            slope = slope * root + value
            value = value * root + power
        above = (value > 0) == rising
        high, low = np.where(above, root, high), np.where(above, low, root)
        moved = root - value / slope
        moved = np.where((moved >= low) & (moved <= high), moved, 0.5 * (low + high))
        root, last = moved, np.abs(moved - root)
    return np.stack([low, high, root]), last


@lru_cache(maxsize=1)
def _bernstein_from_values() -> Float64:
    """(9, 9) takes values at the nodes to Bernstein coefficients on [0, 1]."""
    return np.asarray(np.linalg.inv(_basis(nodes())), np.float64)


def _basis(at: Float64) -> Float64:
    """(N, 9) Bernstein polynomials at (N,) places."""
    order = np.arange(DEGREE + 1)
    binomial = np.array([comb(DEGREE, int(k)) for k in order])
    return np.asarray(binomial * at[:, None] ** order * (1 - at[:, None]) ** (DEGREE - order))


@lru_cache(maxsize=2)
def _subdivision(parts: int) -> Float64:
    """(9 * parts, 9) takes coefficients on [0, 1] to those on equal parts of it, part by part
    within each coefficient."""
    inverse = _bernstein_from_values()
    matrices = [inverse @ _basis((i + nodes()) / parts) for i in range(parts)]
    return np.stack(matrices, axis=1).reshape(-1, DEGREE + 1)


@lru_cache(maxsize=1)
def _powers_from_bernstein() -> Float64:
    """(9, 9) takes Bernstein coefficients to those of 1, x, x^2, ..."""
    matrix = np.zeros((DEGREE + 1, DEGREE + 1))
    for k in range(DEGREE + 1):
        for j in range(k, DEGREE + 1):
            matrix[j, k] = comb(DEGREE, k) * comb(DEGREE - k, j - k) * (-1) ** (j - k)
    return matrix
