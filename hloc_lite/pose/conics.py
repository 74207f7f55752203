"""Cubic roots, and lines and intersections of conics in the projective plane, for batches.

A conic is a symmetric 3x3 matrix, a line and a point are 3-vectors, all up to scale.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from hloc_lite.pose.batched_linalg import (
    Array,
    Symmetric,
    Vector,
    adjugate,
    cross,
    dot,
    matvec,
    squared_norm,
    stack,
)

GENERIC_DIRECTION = (0.61, 1.0, -0.37)
"""A direction to which the lines of symmetric cases are not orthogonal. Of 400,000 nearly collinear
samples one is lost because a line is."""
TINY = 1e-300
"""Avoids a division by the root of zero."""


def real_cubic_root(xp: Any, b: Array, c: Array, d: Array) -> Array:
    """Real root of x^3 + b x^2 + c x + d; if there are three, the one farthest from the others."""
    q = (b * b - 3 * c) / 9
    r = (b * (2 * b * b - 9 * c) + 27 * d) / 54
    size, excess = abs(r), r * r - q * q * q
    # each of the two formulas is NaN where the other one applies
    root_q = xp.sqrt(q)
    cosine = xp.clip(size / (q * root_q), -1.0, 1.0)
    trigonometric = 2 * root_q * xp.cos(xp.arccos(cosine) / 3)
    cubic = (size + xp.sqrt(excess) + TINY) ** (1 / 3)
    algebraic = cubic + q / cubic
    root = -xp.copysign(xp.where(excess < 0, trigonometric, algebraic), r) - b / 3
    value = ((root + b) * root + c) * root + d
    step = value / ((3 * root + 2 * b) * root + c)
    return xp.where(abs(step) < 0.1 * (1 + abs(root)), root - step, root)


def lines_of_degenerate_conic(xp: Any, conic: Symmetric) -> Vector:
    """(2, B) lines of a degenerate conic; NaN where they are not real."""
    b00, b01, b02, b11, b12, b22 = adjugate(conic)
    # the adjugate is minus the outer product of the lines' intersection with itself
    largest = abs(b00)
    column, corner = (b00, b01, b02), b00
    for row, diagonal in (((b01, b11, b12), b11), ((b02, b12, b22), b22)):
        larger = abs(diagonal) > largest
        largest = xp.maximum(largest, abs(diagonal))
        column = tuple(xp.where(larger, a, b) for a, b in zip(row, column, strict=True))
        corner = xp.where(larger, diagonal, corner)
    # the adjugate of a double line is zero, which rounding may make positive
    scale = squared_norm((conic[0], conic[3], conic[5])) + squared_norm(
        (conic[1], conic[2], conic[4])
    )
    missing = xp.where(corner < 1e-10 * scale, corner * 0, corner * 0 + np.nan)
    inverse = xp.where(corner < 0, 1 / xp.sqrt(abs(corner)), missing)
    # the conic plus the cross-product matrix of that point is the outer product of the lines; times
    # a generic direction from either side it gives the lines
    point = tuple(each * inverse for each in column)
    symmetric = matvec(conic, GENERIC_DIRECTION)
    skew = cross(point, GENERIC_DIRECTION)
    return tuple(stack(xp, [a + b, a - b]) for a, b in zip(symmetric, skew, strict=True))


def intersect_lines(xp: Any, line: Vector, conic: Symmetric) -> Vector:
    """(2, 2, B) intersections of the (2, B) lines with the conic: distances, up to scale."""
    # two vectors that span the line
    u = cross(line, GENERIC_DIRECTION)
    v = cross(line, u)
    qu, qv = matvec(conic, u), matvec(conic, v)
    a, b, c = dot(u, qu), dot(u, qv), dot(v, qv)
    discriminant = b * b - a * c
    intersecting = discriminant > -1e-8 * (b * b + abs(a * c))
    missing = xp.where(intersecting, b * 0, b * 0 + np.nan)
    root = xp.sqrt(xp.where(discriminant > 0, discriminant, missing))
    q = -(b + xp.copysign(root, b))
    first, second = stack(xp, [q, c]), stack(xp, [a, q])
    return tuple(first * i + second * j for i, j in zip(u, v, strict=True))
