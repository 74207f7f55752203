"""Real roots of polynomials of degree 8 in an interval, for whole batches, by Bernstein's form.

A polynomial has at most as many roots in an interval as its Bernstein coefficients there change
sign, and exactly one where they do once (Descartes' rule; Lane and Riesenfeld 1981). Intervals are
halved until that is so: no eigenvalues, and nothing is computed where there is no root.
"""

from __future__ import annotations

from functools import lru_cache
from math import comb

import numpy as np

from hloc_lite.types import Float64, Int64

DEGREE = 8
FIRST_PIECES = 4
"""Of the interval at first, in one matrix product; two each time after."""
MAX_HALVINGS = 24
"""After that what is left is one multiple root, as far as rounding lets it be told."""
NOISE = 1e-13
"""Of the largest coefficient: below that a value has no sign."""
NEWTON_STEPS = 6


def nodes() -> Float64:
    """(9,) Chebyshev's nodes in (0, 1), where the polynomial's values are asked for."""
    order = np.arange(DEGREE + 1)
    return np.asarray(0.5 - 0.5 * np.cos(np.pi * (order + 0.5) / (DEGREE + 1)))


def roots_between(values: Float64) -> tuple[Float64, Int64]:
    """Roots in [0, 1].

    Args:
        values: (B, 9) of each polynomial at ``nodes()``.

    Returns:
        (N,) roots and (N,) the polynomial each is of. A double root may come once or twice, and a
        place where rounding leaves open whether the polynomial touches zero comes as one.
    """
    coefficients = values @ _bernstein_from_values()
    with np.errstate(all="ignore"):
        coefficients = coefficients / np.abs(coefficients).max(axis=1, keepdims=True)
    owner = np.flatnonzero(np.isfinite(coefficients).all(axis=1))
    pieces = (coefficients[owner] @ _subdivision(FIRST_PIECES)).reshape(-1, DEGREE + 1)
    start = np.tile(np.arange(FIRST_PIECES) / FIRST_PIECES, len(owner))
    owner, width = np.repeat(owner, FIRST_PIECES), 1 / FIRST_PIECES
    found, owners = [], []
    for _ in range(MAX_HALVINGS):
        changes, open_question = _sign_changes(pieces)
        single = changes == 1
        found.append(start[single] + width * _single_root(pieces[single]))
        owners.append(owner[single])
        # all of it noise: halving tells nothing more
        found.append(start[open_question] + width / 2)
        owners.append(owner[open_question])
        several = (changes > 1) & ~open_question
        pieces = (pieces[several] @ _subdivision(2)).reshape(-1, DEGREE + 1)
        width /= 2
        start = (start[several][:, None] + [0.0, width]).ravel()
        owner = np.repeat(owner[several], 2)
        if len(pieces) == 0:
            break
    found.append(start + width / 2)
    owners.append(owner)
    return np.concatenate(found), np.concatenate(owners)


def _sign_changes(coefficients: Float64) -> tuple[Int64, np.ndarray]:
    """(N,) changes of sign of (N, 9), zeros taken for what comes before; (N,) whether it is noise.

    A root at a border then belongs to the piece before or after it, or to both.
    """
    positive = coefficients >= 0
    changes = (positive[:, 1:] != positive[:, :-1]).sum(axis=1)
    small = np.abs(coefficients).max(axis=1) < NOISE
    return changes, small


def _single_root(coefficients: Float64) -> Float64:
    """(N,) the root in [0, 1] of (N, 9) coefficients with one change of sign: Newton's method,
    halving where it would leave the bracket."""
    powers = np.ascontiguousarray((coefficients @ _powers_from_bernstein()).T)
    rising = coefficients[:, -1] >= 0
    low, high = np.zeros(len(coefficients)), np.ones(len(coefficients))
    first, last = coefficients[:, 0], coefficients[:, -1]
    with np.errstate(all="ignore"):
        root = first / (first - last)
        root = np.where((root > 0) & (root < 1), root, 0.5)
        for _ in range(NEWTON_STEPS):
            value, slope = powers[DEGREE], np.zeros_like(root)
            for power in powers[DEGREE - 1 :: -1]:
                slope = slope * root + value
                value = value * root + power
            above = (value > 0) == rising
            high, low = np.where(above, root, high), np.where(above, low, root)
            moved = root - value / slope
            root = np.where((moved >= low) & (moved <= high), moved, 0.5 * (low + high))
    return root


@lru_cache(maxsize=1)
def _bernstein_from_values() -> Float64:
    """(9, 9) takes rows of values at the nodes to rows of Bernstein coefficients on [0, 1]."""
    return np.linalg.inv(_basis(nodes())).T


def _basis(at: Float64) -> Float64:
    """(N, 9) Bernstein polynomials at (N,) places."""
    order = np.arange(DEGREE + 1)
    binomial = np.array([comb(DEGREE, int(k)) for k in order])
    return np.asarray(binomial * at[:, None] ** order * (1 - at[:, None]) ** (DEGREE - order))


@lru_cache(maxsize=4)
def _subdivision(pieces: int) -> Float64:
    """(9, pieces * 9) takes rows of coefficients on [0, 1] to those on equal parts of it."""
    to_coefficients = _bernstein_from_values()
    parts = [_basis((i + nodes()) / pieces).T @ to_coefficients for i in range(pieces)]
    return np.concatenate(parts, axis=1)


@lru_cache(maxsize=1)
def _powers_from_bernstein() -> Float64:
    """(9, 9) takes rows of Bernstein coefficients to rows of coefficients of 1, x, x^2, ..."""
    matrix = np.zeros((DEGREE + 1, DEGREE + 1))
    for k in range(DEGREE + 1):
        for j in range(k, DEGREE + 1):
            matrix[k, j] = comb(DEGREE, k) * comb(DEGREE - k, j - k) * (-1) ** (j - k)
    return matrix
