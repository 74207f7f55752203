"""Perspective-three-point, for whole batches of samples at once, in NumPy or torch.

The distances to the three points are where two conics meet. A degenerate member of their pencil is
a pair of lines, and each line meets a conic in two points (Persson and Nordberg 2018, Ding et al.
2023): one cubic and two quadratics, no quartic. Distances are then polished by Newton's method.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from hloc_lite.errors import ShapeError
from hloc_lite.pose.batch_algebra import (
    Array,
    Symmetric,
    Vector,
    adjugate,
    apply,
    cross,
    dot,
    minus,
    namespace,
    square,
    stacked,
    unit,
)

MIN_SINE = 1e-6
"""Of the angle at a corner of the points' triangle, or between two rays: closer to a line or to one
point than that, rounding decides the pose."""
MAX_RESIDUAL = 1e-5
"""Of squared side lengths, relative to the longest, after polishing: more is no solution."""
POLISHING_STEPS = 3
GENERIC = (0.61, 1.0, -0.37)
"""A vector that the lines of symmetric cases are not orthogonal to. Of 400,000 nearly collinear
samples one is lost for a line that is."""
TINY = 1e-300
"""Keeps the root of zero from being divided by."""
POLISHED = 1e-20
"""Sum of the squared residuals of all three sides below which a step changes nothing."""


def solve_p3p(rays: Array, points3D: Array) -> tuple[Array, Array, Array]:
    """All camera poses from which three points are seen along three rays.

    Args:
        rays: (B, 3, 3) unit rays in the camera frame, one a row; points may lie anywhere along
            them, so that fields of view beyond 180 degrees work too.
        points3D: (B, 3, 3) world, one point a row.

    Returns:
        (H, 3, 3) rotations, (H, 3) translations (both cam_from_world) and (H,) the sample each is
        of. At most four a sample; none where points or rays are collinear or coincide.

    Raises:
        ShapeError: another shape.
    """
    if rays.shape[1:] != (3, 3) or points3D.shape != rays.shape:
        raise ShapeError(
            f"P3P takes two (B, 3, 3) arrays, got {tuple(rays.shape)} and {tuple(points3D.shape)}"
        )
    xp = namespace(rays)
    with np.errstate(all="ignore"):
        corners = _longest_side_last(xp, len(rays), _rows(xp.concatenate([rays, points3D])))
        scale, sides, chords = _triangle(xp, len(rays), corners)
        usable = _regular(sides, chords)
        cosines = tuple(1 - chord / 2 for chord in chords)
        lines, conic = _line_pair(xp, sides, chords, cosines)
        l1, l2, l3 = _scaled(xp, _meet(xp, lines, conic), cosines[2])
        possible = usable & (l1 > 0) & (l2 > 0) & (l3 > 0)
        chosen = xp.where(possible.reshape(-1))[0]
        l1, l2, l3 = (each.reshape(-1)[chosen] for each in (l1, l2, l3))
        row = chosen % len(rays)
        polished, good = _polish(
            xp,
            (l1, l2, l3),
            tuple(side[row] for side in sides),
            tuple(cosine[row] for cosine in cosines),
        )
        row = row[good]
        both = xp.concatenate([row, row + len(rays)])
        in_cam = tuple(each[good] * scale[row] for each in polished)
        triangles = tuple(tuple(c[both] for c in corner) for corner in corners)
        rotation, translation = _pose(xp, in_cam, triangles)
    return rotation, translation, row


def _rows(batch: Array) -> Any:
    return tuple(tuple(batch[:, i, c] for c in range(3)) for i in range(3))


def _longest_side_last(xp: Any, count: int, corners: Any) -> Any:
    """Rays and points, turned so that the longest side lies between the second and third point: the
    conics are divided by it."""
    x = tuple(tuple(c[count:] for c in corner) for corner in corners)
    side = [square(minus(x[(i + 1) % 3], x[(i + 2) % 3])) for i in range(3)]
    once = _repeated(xp, (side[1] > side[0]) & (side[1] >= side[2]), 2)
    twice = _repeated(xp, (side[2] > side[0]) & (side[2] > side[1]), 2)
    return tuple(
        tuple(
            xp.where(once, b, xp.where(twice, c, a))
            for a, b, c in zip(corners[i], corners[(i + 1) % 3], corners[(i + 2) % 3], strict=True)
        )
        for i in range(3)
    )


def _triangle(xp: Any, count: int, corners: Any) -> tuple[Array, Vector, Vector]:
    """Longest side, squared sides relative to it, squared chords between the ends of the rays; both
    of 12, 13, 23."""
    squared = [square(minus(corners[i], corners[j])) for i, j in ((0, 1), (0, 2), (1, 2))]
    longest = squared[2][count:]
    sides = tuple(each[count:] / longest for each in squared)
    return xp.sqrt(longest), sides, tuple(each[:count] for each in squared)


def _regular(sides: Vector, chords: Vector) -> Array:
    """Whether neither points nor rays are on a line or on one another."""
    a12, a13, _ = sides
    # 16 times the squared area of the triangle, whose longest side has length 1
    area = 4 * a12 * a13 - (a12 + a13 - 1) ** 2
    usable = (area > MIN_SINE**2) & (a12 > MIN_SINE**2) & (a13 > MIN_SINE**2)
    for chord in chords:
        usable = usable & (chord > MIN_SINE**2)
    return usable


def _repeated(xp: Any, array: Array, times: int) -> Array:
    return xp.concatenate([array] * times)


def _line_pair(xp: Any, sides: Vector, chords: Vector, cosines: Vector) -> tuple[Vector, Symmetric]:
    """The two real lines of a degenerate conic, (2, B), and a conic for each to meet, (B,).

    Both conics vanish at the distances: |l_i y_i - l_j y_j|^2 of the sides 12 and 13, each less its
    proportion of that of 23. Their pencil is degenerate where the determinant, a cubic, is 0.
    """
    (a12, a13, _), (b12, b13, b23) = sides, cosines
    # squared sines, without cancellation at small angles
    s12, s13, s23 = (chord * (1 - chord / 4) for chord in chords)
    mixed, a12_s23, a13_s23 = 2 * (b12 * b13 * b23 - 1), a12 * s23, a13 * s23
    # determinant of second + root first, and where its other end is larger of first + root second
    c0, c3 = a13 * (a13_s23 - s13), a12 * (a12_s23 - s12)
    c1 = a13_s23 * (a13 + 2 * a12) + a13 * mixed + s13 * (1 - a12)
    c2 = a12_s23 * (a12 + 2 * a13) + a12 * mixed + s12 * (1 - a13)
    swap = abs(c0) > abs(c3)
    c0, c1, c2, c3 = (xp.where(swap, a, b) for a, b in ((c3, c0), (c2, c1), (c1, c2), (c0, c3)))
    # in symmetric cases both ends vanish, and one conic is degenerate itself
    least = 1e-14 * (abs(c1) + abs(c2))
    c3 = xp.where(abs(c3) < least, least, c3)
    root = _real_root(xp, c2 / c3, c1 / c3, c0 / c3)
    one = root * 0 + 1
    degenerate = _pencil(sides, cosines, xp.where(swap, one, root), xp.where(swap, root, one))
    # on the lines the two are multiples of one another: the larger says more
    pick_first = xp.where((abs(root) < 1) ^ swap, one, 0 * one)
    conic = _pencil(sides, cosines, pick_first, 1 - pick_first)
    return _split(xp, degenerate), conic


def _pencil(sides: Vector, cosines: Vector, first: Array, second: Array) -> Symmetric:
    """The sum of both conics times these factors."""
    (a12, a13, _), (b12, b13, b23) = sides, cosines
    shared = first * a12 + second * a13
    return (
        first + second,
        -first * b12,
        -second * b13,
        first - shared,
        shared * b23,
        second - shared,
    )


def _real_root(xp: Any, b: Array, c: Array, d: Array) -> Array:
    """A real root of x^3 + b x^2 + c x + d; of three the one farthest from the others."""
    q = (b * b - 3 * c) / 9
    r = (b * (2 * b * b - 9 * c) + 27 * d) / 54
    size, excess = abs(r), r * r - q * q * q
    # of the two formulas each is NaN where the other is needed
    root_q = xp.sqrt(q)
    cosine = xp.clip(size / (q * root_q), -1.0, 1.0)
    trigonometric = 2 * root_q * xp.cos(xp.arccos(cosine) / 3)
    cubic = (size + xp.sqrt(excess) + TINY) ** (1 / 3)
    algebraic = cubic + q / cubic
    root = -xp.copysign(xp.where(excess < 0, trigonometric, algebraic), r) - b / 3
    value = ((root + b) * root + c) * root + d
    step = value / ((3 * root + 2 * b) * root + c)
    return xp.where(abs(step) < 0.1 * (1 + abs(root)), root - step, root)


def _split(xp: Any, conic: Symmetric) -> Vector:
    """The two lines of a degenerate conic, (2, B); NaN where they are not real."""
    b00, b01, b02, b11, b12, b22 = adjugate(conic)
    # the adjugate is minus the outer product of the lines' common point with itself
    largest = abs(b00)
    column, corner = (b00, b01, b02), b00
    for row, diagonal in (((b01, b11, b12), b11), ((b02, b12, b22), b22)):
        larger = abs(diagonal) > largest
        largest = xp.maximum(largest, abs(diagonal))
        column = tuple(xp.where(larger, a, b) for a, b in zip(row, column, strict=True))
        corner = xp.where(larger, diagonal, corner)
    # a double line has a zero adjugate, which rounding may make positive
    scale = square((conic[0], conic[3], conic[5])) + square((conic[1], conic[2], conic[4]))
    missing = xp.where(corner < 1e-10 * scale, corner * 0, corner * 0 + np.nan)
    inverse = xp.where(corner < 0, 1 / xp.sqrt(abs(corner)), missing)
    # the conic plus the cross product with that point is the outer product of the lines, of which
    # the generic vector from one side gives the first, from the other the second
    point = tuple(each * inverse for each in column)
    middle, aside = apply(conic, GENERIC), cross(point, GENERIC)
    return tuple(stacked(xp, [a + b, a - b]) for a, b in zip(middle, aside, strict=True))


def _meet(xp: Any, line: Vector, conic: Symmetric) -> Vector:
    """(2, 2, B) distances, up to scale, at which each of the (2, B) lines meets the conic."""
    # two directions that span the line's plane
    u = cross(line, GENERIC)
    v = cross(line, u)
    qu, qv = apply(conic, u), apply(conic, v)
    a, b, c = dot(u, qu), dot(u, qv), dot(v, qv)
    discriminant = b * b - a * c
    touching = discriminant > -1e-8 * (b * b + abs(a * c))
    missing = xp.where(touching, b * 0, b * 0 + np.nan)
    root = xp.sqrt(xp.where(discriminant > 0, discriminant, missing))
    q = -(b + xp.copysign(root, b))
    first, second = stacked(xp, [q, c]), stacked(xp, [a, q])
    return tuple(first * i + second * j for i, j in zip(u, v, strict=True))


def _scaled(xp: Any, distances: Vector, cosine23: Array) -> Vector:
    """With the side of the second and third point of length 1, all positive if they can be."""
    l1, l2, l3 = distances
    side = l2 * l2 + l3 * l3 - 2 * cosine23 * l2 * l3
    factor = xp.copysign(1 / xp.sqrt(side), l1 + l2 + l3)
    return l1 * factor, l2 * factor, l3 * factor


def _polish(xp: Any, distances: Vector, sides: Vector, cosines: Vector) -> tuple[Vector, Array]:
    """Newton's method on the three cosine laws; a step that does not help is not taken.

    Returns:
        Distances, and whether they are a solution.
    """
    (a12, a13, a23), (b12, b13, b23) = sides, cosines
    b12, b13, b23 = 2 * b12, 2 * b13, 2 * b23

    def laws(l1: Array, l2: Array, l3: Array) -> Vector:
        return (
            l1 * (l1 - b12 * l2) + l2 * l2 - a12,
            l1 * (l1 - b13 * l3) + l3 * l3 - a13,
            l2 * (l2 - b23 * l3) + l3 * l3 - a23,
        )

    l1, l2, l3 = distances
    f1, f2, f3 = laws(l1, l2, l3)
    size = f1 * f1 + f2 * f2 + f3 * f3
    for _ in range(POLISHING_STEPS):
        if not (size > POLISHED).any():
            break
        j11, j12 = 2 * l1 - b12 * l2, 2 * l2 - b12 * l1
        j21, j23 = 2 * l1 - b13 * l3, 2 * l3 - b13 * l1
        j32, j33 = 2 * l2 - b23 * l3, 2 * l3 - b23 * l2
        inverse = 1 / (-j11 * j23 * j32 - j12 * j21 * j33)
        n1 = l1 - inverse * (-j23 * j32 * f1 - j12 * j33 * f2 + j12 * j23 * f3)
        n2 = l2 - inverse * (-j21 * j33 * f1 + j11 * j33 * f2 - j11 * j23 * f3)
        n3 = l3 - inverse * (j21 * j32 * f1 - j11 * j32 * f2 - j12 * j21 * f3)
        g1, g2, g3 = laws(n1, n2, n3)
        new_size = g1 * g1 + g2 * g2 + g3 * g3
        better = new_size < size
        l1, l2, l3 = (xp.where(better, n, o) for n, o in ((n1, l1), (n2, l2), (n3, l3)))
        f1, f2, f3 = (xp.where(better, n, o) for n, o in ((g1, f1), (g2, f2), (g3, f3)))
        size = xp.where(better, new_size, size)
    return (l1, l2, l3), (size < MAX_RESIDUAL**2) & (l1 > 0) & (l2 > 0) & (l3 > 0)


def _pose(xp: Any, distances: Vector, corners: Any) -> tuple[Array, Array]:
    """Rotation and translation between the triangle in the camera frame and in the world.

    Args:
        corners: rays, and after them points.
    """
    count = len(distances[0])
    # points are where they are: their factor is 1
    factors = tuple(xp.concatenate([each, each * 0 + 1]) for each in distances)
    corners = [tuple(f * c for c in v) for f, v in zip(factors, corners, strict=True)]
    frames = stacked(xp, [c for axis in _frame(xp, corners) for c in axis]).reshape(3, 3, -1)
    rotation = xp.einsum("kih,kjh->ijh", frames[..., :count], frames[..., count:])
    # the centroid spreads what rounding left over all three points
    centroid = stacked(xp, [(a + b + c) / 3 for a, b, c in zip(*corners, strict=True)])
    turned = xp.einsum("ijh,jh->ih", rotation, centroid[:, count:])
    return xp.moveaxis(rotation, -1, 0), (centroid[:, :count] - turned).T


def _frame(xp: Any, corners: Any) -> tuple[Vector, Vector, Vector]:
    """Orthonormal axes: along the longest side, in the triangle's plane, and normal to it."""
    first, other = minus(corners[2], corners[1]), minus(corners[0], corners[1])
    normal = cross(first, other)
    first = unit(xp, first)
    normal = unit(xp, normal)
    return first, cross(normal, first), normal
