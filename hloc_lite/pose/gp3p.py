"""Generalized perspective-three-point (GP3P): pose of a rig from three rays with several centres.

The distances along the rays satisfy three cosine laws with linear terms, which have eight solutions
(Nister 2004). Two of the distances are eliminated by resultants. The polynomial of degree 8 in the
third is never expanded: it is sampled at nine nodes of the only interval where the points can lie.
Its real roots there are isolated by Bernstein subdivision, and the distances refined by Newton's
method.
"""

from __future__ import annotations

import numpy as np

from hloc_lite.errors import ShapeError
from hloc_lite.pose.batched_linalg import cross, dot, squared_norm
from hloc_lite.pose.bernstein_roots import chebyshev_nodes, roots_in_unit_interval
from hloc_lite.types import Bool, Float64, Int64

MIN_SINE = 1e-6
"""Smallest sine of an angle of the points' triangle; below, rounding decides the pose."""
MAX_RESIDUAL = 1e-6
"""Largest residual of squared side lengths, relative to the longest, of a solution."""
MAX_START_RESIDUAL = 1e-2
"""Same before refinement; combinations of the two square roots' signs are tried up to that."""
BEHIND_TOLERANCE = 1e-2
"""Points farther behind the start of their rays, in longest sides, are discarded before refinement,
as more than half of all are."""
NEWTON_STEPS = 2
MORE_NEWTON_STEPS = 10
CONVERGED = 1e-12
"""Residual of squared sides below which no more steps are taken."""
PAIRS = ((0, 1), (0, 2), (1, 2))


def solve_gp3p(
    centers: Float64, rays: Float64, points3D: Float64
) -> tuple[Float64, Float64, Int64]:
    """Solve for all poses of a rig from which three points lie on three rays.

    Args:
        centers: (B, 3, 3) start of each ray, in the rig frame, one a row. If all are the same,
            ``solve_p3p`` is the better solver.
        rays: (B, 3, 3) unit vectors in the rig frame; points lie at positive distances.
        points3D: (B, 3, 3) world, one point a row.

    Returns:
        (H, 3, 3) rotations, (H, 3) translations (both rig_from_world) and the (H,) sample of each.
        At most eight poses of a sample differ; some may be duplicated. There are none where points
        are collinear or coincide, or the rays do not determine the pose.

    Raises:
        ShapeError: another shape.
    """
    shapes = centers.shape, rays.shape, points3D.shape
    if rays.shape[1:] != (3, 3) or len(set(shapes)) != 1:
        raise ShapeError(f"generalized P3P takes three (B, 3, 3) arrays, got {shapes}")
    with np.errstate(all="ignore"):
        # (ray, component, sample): every scalar of the algorithm is a contiguous batch
        p, y, x = (
            np.array(array.transpose(1, 2, 0), np.float64, order="C")
            for array in (centers, rays, points3D)
        )
        sides = np.stack([squared_norm(x[i] - x[j]) for i, j in PAIRS])
        low, high = _distance_ranges(p, y, np.sqrt(sides))
        possible = np.flatnonzero(_is_nondegenerate(sides) & (low < high).all(axis=0))
        p, y, x, sides, low, high = (each[..., possible] for each in (p, y, x, sides, low, high))
        p, y, x, sides, low, high = _shortest_range_first(p, y, x, sides, low, high)
        laws, origins, nearest = _cosine_laws(p, y, sides, low[0], high[0])
        half = 0.5 * (high[0] - low[0]) / np.sqrt(sides.max(axis=0))
        samples = _resultant(laws, half * (2 * chebyshev_nodes()[:, None] - 1))
        root, owner = roots_in_unit_interval(samples)
        first = half[owner] * (2 * root - 1)
        distances, chosen = _other_distances(laws[..., owner], first, nearest[:, owner])
        owner = owner[chosen]
        distances, residual = _refine_distances(laws[..., owner], distances)
        good = (residual < MAX_RESIDUAL) & (distances > nearest[:, owner]).all(axis=0)
        owner = owner[good]
        scale = np.sqrt(sides.max(axis=0))[owner]
        in_rig = origins[..., owner] + (scale * distances[:, good])[:, None] * y[..., owner]
        rotation, translation = _align_triangles(in_rig, x[..., owner])
    return rotation, translation, possible[owner]


def _cross(a: Float64, b: Float64) -> Float64:
    return np.stack(cross(a, b))


def _is_nondegenerate(sides: Float64) -> Bool:
    """True where points are neither collinear nor coincident, from their (3, B) squared sides."""
    a, b, c = sides / sides.max(axis=0)
    area = 4 * a * b - (a + b - c) ** 2
    return np.asarray((area > MIN_SINE**2) & (np.minimum(np.minimum(a, b), c) > MIN_SINE**2))


def _distance_ranges(p: Float64, y: Float64, lengths: Float64) -> tuple[Float64, Float64]:
    """(3, B) smallest and largest distance along each ray.

    A point is never farther from the lines of the other two rays than from the points on them.
    """
    low, high = np.zeros((3, p.shape[2])), np.full((3, p.shape[2]), np.inf)
    for (i, j), length in zip(PAIRS, lengths, strict=True):
        normal = _cross(y[i], y[j])
        sine2 = squared_norm(normal)
        apart = p[j] - p[i]
        # half of the chord that the cylinder around the other line cuts out of this one
        half = np.sqrt(length**2 - dot(apart, normal) ** 2 / sine2) / np.sqrt(sine2)
        # parallel lines give no bound; lines too far from one another an empty range
        half = np.where(sine2 < MIN_SINE**3, np.inf, np.where(half >= 0, half, -np.inf))
        for ray, other in ((i, j), (j, i)):
            middle = dot(_cross(apart, y[other]), normal) / np.maximum(sine2, MIN_SINE**3)
            low[ray] = np.maximum(low[ray], middle - half)
            high[ray] = np.minimum(high[ray], middle + half)
    return low, high


def _shortest_range_first(
    p: Float64, y: Float64, x: Float64, sides: Float64, low: Float64, high: Float64
) -> tuple[Float64, ...]:
    """Permute rays cyclically so that the first, the unknown of the polynomial, has the shortest
    range of distances."""
    first = np.argmin(high - low, axis=0)
    order = (first + np.arange(3)[:, None]) % 3
    # sides 12, 13, 23 of the new order: pair k lacks ray 2 - k
    pairs = 2 - (first + np.array([[2], [1], [0]])) % 3
    permuted = [np.take_along_axis(each, order[:, None], 0) for each in (p, y, x)]
    bounds = [np.take_along_axis(each, order, 0) for each in (low, high)]
    return (*permuted, np.take_along_axis(sides, pairs, 0), *bounds)


def _cosine_laws(
    p: Float64, y: Float64, sides: Float64, low: Float64, high: Float64
) -> tuple[Float64, Float64, Float64]:
    """Cosine laws, in units of the longest side and of distances from new origins on the rays.

    The new origins are the middle of the first ray's range, and the points nearest to that on the
    others.

    Returns:
        (4, 3, N) b, u, v, e of l_i^2 + l_j^2 + 2 (u l_i + v l_j - b l_i l_j) + e = 0 for each pair,
        (3, 3, N) the new origins, and (3, N) distances from them at which a ray starts.
    """
    scale = np.sqrt(sides.max(axis=0))
    middle = 0.5 * (low + high)
    start = p[0] + middle * y[0]
    along = np.stack([middle, dot(start - p[1], y[1]), dot(start - p[2], y[2])])
    origins = p + along[:, None] * y
    laws = np.empty((4, 3, p.shape[2]))
    for k, (i, j) in enumerate(PAIRS):
        apart = (origins[i] - origins[j]) / scale
        laws[0, k] = dot(y[i], y[j])
        laws[1, k], laws[2, k] = dot(apart, y[i]), -dot(apart, y[j])
        laws[3, k] = squared_norm(apart) - sides[k] / scale**2
    return laws, origins, -along / scale


def _quadratics(laws: Float64, first: Float64) -> tuple[Float64, Float64, Float64, Float64]:
    """A2, B2, A3, B3 of l_k^2 + 2 A_k l_k + B_k = 0 for the other distances, given the first."""
    (b12, b13, _), (u12, u13, _), (v12, v13, _), (e12, e13, _) = laws
    a2, a3 = v12 - b12 * first, v13 - b13 * first
    return a2, (first + 2 * u12) * first + e12, a3, (first + 2 * u13) * first + e13


def _resultant(laws: Float64, first: Float64) -> Float64:
    """(M, N) resultant at (M, N) first distances: a polynomial of degree 8, zero where all three
    laws can be satisfied."""
    a2, b2, a3, b3 = _quadratics(laws, first)
    b23, u23, v23, e23 = laws[:, 2]
    # the third law without squares: one + two l2 + three l3 + both l2 l3 = 0
    one, two, three, both = e23 - b2 - b3, 2 * (u23 - a2), 2 * (v23 - a3), -2 * b23
    # substitute its l3 into the quadratic of l3, then reduce by that of l2 to a linear equation
    q2 = two * (two - 2 * a3 * both) + b3 * both**2
    q1 = 2 * (one * two - a3 * (one * both + two * three) + b3 * three * both)
    q0 = one * (one - 2 * a3 * three) + b3 * three**2
    slope, rest = q1 - 2 * a2 * q2, q0 - b2 * q2
    return rest * (rest - 2 * a2 * slope) + b2 * slope**2


def _other_distances(laws: Float64, first: Float64, nearest: Float64) -> tuple[Float64, Int64]:
    """(3, M) distances that extend the (N,) first ones, and (M,) indices of these.

    Distances clearly behind the start of their ray, (3, N) ``nearest``, are left out.
    """
    a2, b2, a3, b3 = _quadratics(laws, first)
    root2, root3 = np.sqrt(np.maximum(a2**2 - b2, 0)), np.sqrt(np.maximum(a3**2 - b3, 0))
    second = np.stack([root2, root2, -root2, -root2]) - a2
    third = np.stack([root3, -root3, root3, -root3]) - a3
    b23, u23, v23, e23 = laws[:, 2]
    residual = np.abs(
        (second + 2 * u23 - 2 * b23 * third) * second + (third + 2 * v23) * third + e23
    )
    wanted = (residual == residual.min(axis=0)) | (residual < MAX_START_RESIDUAL)
    wanted &= second > nearest[1] - BEHIND_TOLERANCE
    wanted &= third > nearest[2] - BEHIND_TOLERANCE
    sign, chosen = np.nonzero(wanted)
    return np.stack([first[chosen], second[sign, chosen], third[sign, chosen]]), chosen


def _refine_distances(laws: Float64, distances: Float64) -> tuple[Float64, Float64]:
    """Newton's method on the three laws; a step that does not reduce the residual is not taken.

    Returns:
        Distances and the root of the sum of squared residuals.
    """
    distances, residual = _newton(laws, distances, NEWTON_STEPS)
    # near a double root it gains one digit in three steps
    slow = np.flatnonzero((residual > CONVERGED) & (residual < MAX_START_RESIDUAL))
    distances[:, slow], residual[slow] = _newton(
        laws[..., slow], distances[:, slow], MORE_NEWTON_STEPS
    )
    return distances, residual


def _newton(laws: Float64, distances: Float64, steps: int) -> tuple[Float64, Float64]:
    (b12, b13, b23), (u12, u13, u23), (v12, v13, v23), (e12, e13, e23) = laws

    def residuals(l1: Float64, l2: Float64, l3: Float64) -> Float64:
        return np.stack([
            (l1 + 2 * (u12 - b12 * l2)) * l1 + (l2 + 2 * v12) * l2 + e12,
            (l1 + 2 * (u13 - b13 * l3)) * l1 + (l3 + 2 * v13) * l3 + e13,
            (l2 + 2 * (u23 - b23 * l3)) * l2 + (l3 + 2 * v23) * l3 + e23,
        ])  # fmt: skip

    values = residuals(*distances)
    size = squared_norm(values)
    for _ in range(steps):
        l1, l2, l3 = distances
        # halves of the derivatives of each law by the first and by the second of its distances
        i12, j12 = l1 + u12 - b12 * l2, l2 + v12 - b12 * l1
        i13, j13 = l1 + u13 - b13 * l3, l3 + v13 - b13 * l1
        i23, j23 = l2 + u23 - b23 * l3, l3 + v23 - b23 * l2
        f12, f13, f23 = values
        inverse = 0.5 / (i12 * j13 * i23 + j12 * i13 * j23)
        step = np.stack([
            j13 * i23 * f12 + j12 * j23 * f13 - j12 * j13 * f23,
            i13 * j23 * f12 - i12 * j23 * f13 + i12 * j13 * f23,
            -i13 * i23 * f12 + i12 * i23 * f13 + j12 * i13 * f23,
        ])  # fmt: skip
        trial = distances - inverse * step
        trial_values = residuals(*trial)
        trial_size = squared_norm(trial_values)
        better = trial_size < size
        distances = np.where(better, trial, distances)
        values, size = np.where(better, trial_values, values), np.where(better, trial_size, size)
    return distances, np.sqrt(size)


def _align_triangles(in_rig: Float64, in_world: Float64) -> tuple[Float64, Float64]:
    """(N, 3, 3) rotations and (N, 3) translations between congruent triangles.

    Args:
        in_rig: (3, 3, N) (point, component, sample).
        in_world: same shape.
    """
    axes_rig, axes_world = _triangle_axes(in_rig), _triangle_axes(in_world)
    rotation = np.einsum("kin,kjn->nij", axes_rig, axes_world)
    centroids = in_rig.mean(axis=0).T, in_world.mean(axis=0).T
    return rotation, centroids[0] - (rotation @ centroids[1][:, :, None])[:, :, 0]


def _triangle_axes(corners: Float64) -> Float64:
    """(axis, component, N) orthonormal axes: along a side, in the triangle's plane, and normal."""
    one, two = corners[1] - corners[0], corners[2] - corners[0]
    normal = _cross(one, two)
    one, normal = one / np.sqrt(squared_norm(one)), normal / np.sqrt(squared_norm(normal))
    return np.stack([one, _cross(normal, one), normal])
