"""Perspective-three-point (P3P) for batches of samples, in NumPy or torch.

The distances to the three points are intersections of two conics. A degenerate member of their
pencil is a pair of lines, and each line intersects a conic in two points (Persson and Nordberg
2018, Ding et al. 2023): one cubic and two quadratics, no quartic. Distances are then refined by
Newton's method.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from hloc_lite.errors import ShapeError
from hloc_lite.pose.batched_linalg import (
    Array,
    Symmetric,
    Vector,
    array_namespace,
    cross,
    normalize,
    squared_norm,
    stack,
    subtract,
)
from hloc_lite.pose.conics import intersect_lines, lines_of_degenerate_conic, real_cubic_root

MIN_SINE = 1e-6
"""Smallest sine of an angle of the points' triangle or between two rays; below, rounding decides
the pose."""
MAX_RESIDUAL = 1e-5
"""Largest residual of squared side lengths, relative to the longest, of a solution."""
NEWTON_STEPS = 3
CONVERGED = 1e-20
"""Sum of the squared residuals of all three sides below which no more steps are taken."""


def solve_p3p(rays: Array, points3D: Array) -> tuple[Array, Array, Array]:
    """Solve for all camera poses from which three points lie on three rays.

    Args:
        rays: (B, 3, 3) unit rays in the camera frame, one a row; points may lie anywhere along
            them, so that fields of view beyond 180 degrees work too.
        points3D: (B, 3, 3) world, one point a row.

    Returns:
        (H, 3, 3) rotations, (H, 3) translations (both cam_from_world) and the (H,) sample of each.
        There are at most four per sample, none where points or rays are collinear or coincide.

    Raises:
        ShapeError: another shape.
    """
    if rays.shape[1:] != (3, 3) or points3D.shape != rays.shape:
        raise ShapeError(
            f"P3P takes two (B, 3, 3) arrays, got {tuple(rays.shape)} and {tuple(points3D.shape)}"
        )
    xp = array_namespace(rays)
    with np.errstate(all="ignore"):
        corners = _longest_side_last(xp, len(rays), _components(xp.concatenate([rays, points3D])))
        scale, sides, chords = _triangle(xp, len(rays), corners)
        usable = _is_nondegenerate(sides, chords)
        cosines = tuple(1 - chord / 2 for chord in chords)
        lines, conic = _line_pair(xp, sides, chords, cosines)
        l1, l2, l3 = _normalize_scale(xp, intersect_lines(xp, lines, conic), cosines[2])
        possible = usable & (l1 > 0) & (l2 > 0) & (l3 > 0)
        chosen = xp.where(possible.reshape(-1))[0]
        l1, l2, l3 = (each.reshape(-1)[chosen] for each in (l1, l2, l3))
        row = chosen % len(rays)
        refined, good = _refine_distances(
            xp,
            (l1, l2, l3),
            tuple(side[row] for side in sides),
            tuple(cosine[row] for cosine in cosines),
        )
        row = row[good]
        both = xp.concatenate([row, row + len(rays)])
        in_cam = tuple(each[good] * scale[row] for each in refined)
        triangles = tuple(tuple(c[both] for c in corner) for corner in corners)
        rotation, translation = _align_triangles(xp, in_cam, triangles)
    return rotation, translation, row


def _components(batch: Array) -> Any:
    return tuple(tuple(batch[:, i, c] for c in range(3)) for i in range(3))


def _longest_side_last(xp: Any, count: int, corners: Any) -> Any:
    """Permute rays and points cyclically so that the longest side, by which the conics are divided,
    lies between the second and third point."""
    x = tuple(tuple(c[count:] for c in corner) for corner in corners)
    side = [squared_norm(subtract(x[(i + 1) % 3], x[(i + 2) % 3])) for i in range(3)]
    once = _twice(xp, (side[1] > side[0]) & (side[1] >= side[2]))
    twice = _twice(xp, (side[2] > side[0]) & (side[2] > side[1]))
    return tuple(
        tuple(
            xp.where(once, b, xp.where(twice, c, a))
            for a, b, c in zip(corners[i], corners[(i + 1) % 3], corners[(i + 2) % 3], strict=True)
        )
        for i in range(3)
    )


def _triangle(xp: Any, count: int, corners: Any) -> tuple[Array, Vector, Vector]:
    """Longest side, squared sides relative to it, and squared chords between the unit rays.

    Both are given for the pairs 12, 13, 23.
    """
    squared = [squared_norm(subtract(corners[i], corners[j])) for i, j in ((0, 1), (0, 2), (1, 2))]
    longest = squared[2][count:]
    sides = tuple(each[count:] / longest for each in squared)
    return xp.sqrt(longest), sides, tuple(each[:count] for each in squared)


def _is_nondegenerate(sides: Vector, chords: Vector) -> Array:
    """True where neither points nor rays are collinear or coincide."""
    a12, a13, _ = sides
    # 16 times the squared area of the triangle, whose longest side has length 1
    area = 4 * a12 * a13 - (a12 + a13 - 1) ** 2
    usable = (area > MIN_SINE**2) & (a12 > MIN_SINE**2) & (a13 > MIN_SINE**2)
    for chord in chords:
        usable = usable & (chord > MIN_SINE**2)
    return usable


def _twice(xp: Any, array: Array) -> Array:
    return xp.concatenate([array, array])


def _line_pair(xp: Any, sides: Vector, chords: Vector, cosines: Vector) -> tuple[Vector, Symmetric]:
    """(2, B) lines of the degenerate conic of the pencil, and a (B,) conic to intersect them with.

    Both conics vanish at the distances: |l_i y_i - l_j y_j|^2 of the sides 12 and 13, each minus
    that of 23 times the ratio of the squared sides. A conic of their pencil is degenerate where its
    determinant, a cubic, is 0.
    """
    (a12, a13, _), (b12, b13, b23) = sides, cosines
    # squared sines, without cancellation at small angles
    s12, s13, s23 = (chord * (1 - chord / 4) for chord in chords)
    mixed, a12_s23, a13_s23 = 2 * (b12 * b13 * b23 - 1), a12 * s23, a13 * s23
    # determinant of second + root * first; of first + root * second, if that has the larger c3
    c0, c3 = a13 * (a13_s23 - s13), a12 * (a12_s23 - s12)
    c1 = a13_s23 * (a13 + 2 * a12) + a13 * mixed + s13 * (1 - a12)
    c2 = a12_s23 * (a12 + 2 * a13) + a12 * mixed + s12 * (1 - a13)
    swap = abs(c0) > abs(c3)
    c0, c1, c2, c3 = (xp.where(swap, a, b) for a, b in ((c3, c0), (c2, c1), (c1, c2), (c0, c3)))
    # in symmetric cases c0 and c3 vanish, and one of the conics is itself degenerate
    least = 1e-14 * (abs(c1) + abs(c2))
    c3 = xp.where(abs(c3) < least, least, c3)
    root = real_cubic_root(xp, c2 / c3, c1 / c3, c0 / c3)
    one = root * 0 + 1
    degenerate = _pencil(sides, cosines, xp.where(swap, one, root), xp.where(swap, root, one))
    # on the lines the two conics are proportional: the larger one is more accurate
    pick_first = xp.where((abs(root) < 1) ^ swap, one, 0 * one)
    conic = _pencil(sides, cosines, pick_first, 1 - pick_first)
    return lines_of_degenerate_conic(xp, degenerate), conic


def _pencil(sides: Vector, cosines: Vector, first: Array, second: Array) -> Symmetric:
    """Linear combination of both conics."""
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


def _normalize_scale(xp: Any, distances: Vector, cosine23: Array) -> Vector:
    """Distances for a side 23 of length 1, all positive if possible."""
    l1, l2, l3 = distances
    side = l2 * l2 + l3 * l3 - 2 * cosine23 * l2 * l3
    factor = xp.copysign(1 / xp.sqrt(side), l1 + l2 + l3)
    return l1 * factor, l2 * factor, l3 * factor


def _refine_distances(
    xp: Any, distances: Vector, sides: Vector, cosines: Vector
) -> tuple[Vector, Array]:
    """Newton's method on the cosine laws; a step that does not reduce the residual is not taken.

    Returns:
        Distances, and a mask of those that are a solution.
    """
    (a12, a13, a23), (b12, b13, b23) = sides, cosines
    b12, b13, b23 = 2 * b12, 2 * b13, 2 * b23

    def residuals(l1: Array, l2: Array, l3: Array) -> Vector:
        return (
            l1 * (l1 - b12 * l2) + l2 * l2 - a12,
            l1 * (l1 - b13 * l3) + l3 * l3 - a13,
            l2 * (l2 - b23 * l3) + l3 * l3 - a23,
        )

    l1, l2, l3 = distances
    f1, f2, f3 = residuals(l1, l2, l3)
    size = f1 * f1 + f2 * f2 + f3 * f3
    for _ in range(NEWTON_STEPS):
        if not (size > CONVERGED).any():
            break
        j11, j12 = 2 * l1 - b12 * l2, 2 * l2 - b12 * l1
        j21, j23 = 2 * l1 - b13 * l3, 2 * l3 - b13 * l1
        j32, j33 = 2 * l2 - b23 * l3, 2 * l3 - b23 * l2
        inverse = 1 / (-j11 * j23 * j32 - j12 * j21 * j33)
        n1 = l1 - inverse * (-j23 * j32 * f1 - j12 * j33 * f2 + j12 * j23 * f3)
        n2 = l2 - inverse * (-j21 * j33 * f1 + j11 * j33 * f2 - j11 * j23 * f3)
        n3 = l3 - inverse * (j21 * j32 * f1 - j11 * j32 * f2 - j12 * j21 * f3)
        g1, g2, g3 = residuals(n1, n2, n3)
        new_size = g1 * g1 + g2 * g2 + g3 * g3
        better = new_size < size
        l1, l2, l3 = (xp.where(better, n, o) for n, o in ((n1, l1), (n2, l2), (n3, l3)))
        f1, f2, f3 = (xp.where(better, n, o) for n, o in ((g1, f1), (g2, f2), (g3, f3)))
        size = xp.where(better, new_size, size)
    return (l1, l2, l3), (size < MAX_RESIDUAL**2) & (l1 > 0) & (l2 > 0) & (l3 > 0)


def _align_triangles(xp: Any, distances: Vector, corners: Any) -> tuple[Array, Array]:
    """Rotations and translations between the triangles in the camera frame and in the world.

    Args:
        corners: rays, followed by points.
    """
    count = len(distances[0])
    # rays are scaled by their distance, points by 1
    factors = tuple(xp.concatenate([each, each * 0 + 1]) for each in distances)
    corners = [tuple(f * c for c in v) for f, v in zip(factors, corners, strict=True)]
    frames = stack(xp, [c for axis in _triangle_axes(xp, corners) for c in axis]).reshape(3, 3, -1)
    rotation = xp.einsum("kih,kjh->ijh", frames[..., :count], frames[..., count:])
    # the centroid distributes rounding errors over all three points
    centroid = stack(xp, [(a + b + c) / 3 for a, b, c in zip(*corners, strict=True)])
    rotated = xp.einsum("ijh,jh->ih", rotation, centroid[:, count:])
    return xp.moveaxis(rotation, -1, 0), (centroid[:, :count] - rotated).T


def _triangle_axes(xp: Any, corners: Any) -> tuple[Vector, Vector, Vector]:
    """Orthonormal axes: along the longest side, in the triangle's plane, and normal to it."""
    first, other = subtract(corners[2], corners[1]), subtract(corners[0], corners[1])
    normal = cross(first, other)
    first = normalize(xp, first)
    normal = normalize(xp, normal)
    return first, cross(normal, first), normal
