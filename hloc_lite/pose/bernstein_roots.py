"""Real roots of polynomials of degree 8 in [0, 1], in batches, by Bernstein subdivision.

A polynomial has at most as many roots in an interval as its Bernstein coefficients there change
sign, and exactly one if they change sign once (Descartes' rule of signs; Lane and Riesenfeld 1981).
Intervals are halved until each has at most one root. This needs no eigenvalues, and computes
nothing where there is no root.
"""

from __future__ import annotations

from functools import lru_cache
from math import comb

import numpy as np

from hloc_lite.types import Bool, Float64, Int64

DEGREE = 8
FIRST_PARTS = 4
"""Parts of the interval in the first subdivision, by one matrix product; two in each later one."""
MAX_HALVINGS = 12
"""After that two roots are so close that both ends of their interval are returned as roots."""
NEWTON_STEPS = 4
MORE_NEWTON_STEPS = 12
"""Further steps where the last one was longer than ``CONVERGED``."""
CONVERGED = 1e-6


def chebyshev_nodes() -> Float64:
    """(9,) Chebyshev nodes in (0, 1), at which polynomials are sampled."""
    order = np.arange(DEGREE + 1)
    return np.asarray(0.5 - 0.5 * np.cos(np.pi * (order + 0.5) / (DEGREE + 1)))


def roots_in_unit_interval(values: Float64) -> tuple[Float64, Int64]:
    """Real roots in [0, 1] of B polynomials.

    Args:
        values: (9, B) values of each polynomial at ``chebyshev_nodes()``.

    Returns:
        (N,) roots, and the (N,) polynomial of each. Of roots closer than 1e-4 to each other, some
        may be only that accurate, missing or duplicated.
    """
    owner = np.arange(values.shape[1])
    coefficients, width = _bernstein_from_values() @ values, 1.0
    start, parts = np.zeros(len(owner)), FIRST_PARTS
    isolated: list[tuple[Float64, Float64, Int64, float]] = []
    for _ in range(1 + MAX_HALVINGS):
        width /= parts
        coefficients = (_subdivision(parts) @ coefficients).reshape(DEGREE + 1, -1)
        start = (start + width * np.arange(parts)[:, None]).ravel()
        owner, parts = np.tile(owner, parts), 2
        changes = _sign_changes(coefficients)
        single = np.flatnonzero(changes == 1)
        isolated.append((coefficients[:, single], start[single], owner[single], width))
        several = np.flatnonzero(changes > 1)
        coefficients, start, owner = coefficients[:, several], start[several], owner[several]
        if len(owner) == 0:
            break
    inside = _single_root(np.concatenate([part for part, *_ in isolated], axis=1))
    widths = np.concatenate([np.full(len(begin), size) for _, begin, _, size in isolated])
    begins = np.concatenate([begin for _, begin, *_ in isolated])
    owners = [which for _, _, which, _ in isolated]
    roots = np.concatenate([begins + widths * inside, start, start + width])
    return roots, np.concatenate([*owners, owner, owner])


def _sign_changes(coefficients: Float64) -> Int64:
    """(N,) sign changes of (9, N) coefficients; 0 is positive, so that a root on the border of two
    intervals belongs to one of them."""
    positive = coefficients >= 0
    return np.asarray((positive[1:] != positive[:-1]).sum(axis=0, dtype=np.int8))


def _single_root(coefficients: Float64) -> Float64:
    """(N,) root in [0, 1] of polynomials with (9, N) coefficients that change sign once."""
    powers = _powers_from_bernstein() @ coefficients
    first, last = coefficients[0], coefficients[DEGREE]
    with np.errstate(all="ignore"):
        start = np.stack([np.zeros_like(first), np.ones_like(first), first / (first - last)])
        brackets, step = _bracketed_newton(powers, last >= 0, start, NEWTON_STEPS)
        slow = np.flatnonzero(~(step < CONVERGED))
        brackets[:, slow], _ = _bracketed_newton(
            powers[:, slow], last[slow] >= 0, brackets[:, slow], MORE_NEWTON_STEPS
        )
    return np.asarray(brackets[2])


def _bracketed_newton(
    powers: Float64, rising: Bool, brackets: Float64, steps: int
) -> tuple[Float64, Float64]:
    """Newton's method, with bisection where it would leave the bracket.

    Args:
        powers: (9, N) coefficients of 1, x, x^2, ...
        rising: (N,) True if the polynomial is positive at the upper end.
        brackets: (3, N) lower end, upper end, and the current root between them.

    Returns:
        The improved brackets, and the (N,) length of the last step.
    """
    low, high, root = brackets
    last_step = np.ones_like(root)
    for _ in range(steps):
        value, slope = powers[DEGREE], np.zeros_like(root)
        for power in powers[DEGREE - 1 :: -1]:
            slope = slope * root + value
            value = value * root + power
        above = (value > 0) == rising
        high, low = np.where(above, root, high), np.where(above, low, root)
        new_root = root - value / slope
        inside = (new_root >= low) & (new_root <= high)
        new_root = np.where(inside, new_root, 0.5 * (low + high))
        root, last_step = new_root, np.abs(new_root - root)
    return np.stack([low, high, root]), last_step


@lru_cache(maxsize=1)
def _bernstein_from_values() -> Float64:
    """(9, 9) matrix from values at the nodes to Bernstein coefficients on [0, 1]."""
    return np.asarray(np.linalg.inv(_bernstein_basis(chebyshev_nodes())), np.float64)


def _bernstein_basis(x: Float64) -> Float64:
    """(N, 9) Bernstein polynomials at (N,) positions."""
    order = np.arange(DEGREE + 1)
    binomial = np.array([comb(DEGREE, int(k)) for k in order])
    return np.asarray(binomial * x[:, None] ** order * (1 - x[:, None]) ** (DEGREE - order))


@lru_cache(maxsize=2)
def _subdivision(parts: int) -> Float64:
    """(9 * parts, 9) matrix from coefficients on [0, 1] to those on equal parts of it; part by part
    within each coefficient."""
    inverse = _bernstein_from_values()
    matrices = [inverse @ _bernstein_basis((i + chebyshev_nodes()) / parts) for i in range(parts)]
    return np.stack(matrices, axis=1).reshape(-1, DEGREE + 1)


@lru_cache(maxsize=1)
def _powers_from_bernstein() -> Float64:
    """(9, 9) matrix from Bernstein coefficients to those of 1, x, x^2, ..."""
    matrix = np.zeros((DEGREE + 1, DEGREE + 1))
    for k in range(DEGREE + 1):
        for j in range(k, DEGREE + 1):
            matrix[j, k] = comb(DEGREE, k) * comb(DEGREE - k, j - k) * (-1) ** (j - k)
    return matrix
