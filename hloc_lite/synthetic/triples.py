"""Three points seen from a known pose, of every kind that is hard for P3P: for tests, benchmarks.

Each kind gives points in the camera frame; the world around them is arbitrary.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from hloc_lite.types import Float64, Int64

FAR = 1e5
"""Map units between the origin and a scene in a national grid, as it were."""
Rng = np.random.Generator
Kind = Callable[[int, Rng], Float64]
"""(B, 3, 3) points in the camera frame, one a row, for B and a generator."""


@dataclass(frozen=True, eq=False)
class Triples:
    """B minimal samples and the pose that each was made with."""

    rays: Float64
    """(B, 3, 3) unit rays in the camera frame."""
    points3D: Float64
    """(B, 3, 3) world."""
    rotations: Float64
    """(B, 3, 3) cam_from_world."""
    translations: Float64
    """(B, 3) cam_from_world."""

    def __len__(self) -> int:
        return len(self.rays)


def make_triples(in_cam: Float64, rng: Rng, *, origin: float = 10.0) -> Triples:
    """(B, 3, 3) points in the camera frame, in a world turned at random whose origin is about so
    many units away."""
    rotations = Rotation.random(len(in_cam), random_state=int(rng.integers(2**31))).as_matrix()
    translations = origin * rng.normal(size=(len(in_cam), 3))
    points3D = np.einsum("nji,npj->npi", rotations, in_cam - translations[:, None])
    rays = in_cam / np.linalg.norm(in_cam, axis=2, keepdims=True)
    return Triples(rays, points3D, rotations, translations)


def lens(count: int, rng: Rng, half_width: float = 0.6) -> Float64:
    """In front of a lens (62 degrees), near and far, at three scales."""
    plane = rng.uniform(-half_width, half_width, (count, 3, 2))
    rays = np.concatenate([plane, np.ones((count, 3, 1))], axis=2)
    depths = np.exp(rng.normal(0, 0.5, (count, 3, 1))) * rng.choice([1, 10, 100], (count, 1, 1))
    return np.asarray(rays * depths)


def telephoto(count: int, rng: Rng) -> Float64:
    """In front of a lens of 2.3 degrees."""
    return lens(count, rng, 0.02)


def all_around(count: int, rng: Rng) -> Float64:
    """In any direction, also behind the camera: fields of view beyond 180 degrees."""
    return 10 * rng.normal(size=(count, 3, 3))


def nearly_collinear(count: int, rng: Rng) -> Float64:
    """The third is off the line of the others by about 0.1 or 1 % of their distance."""
    points = lens(count, rng)
    side = points[:, 1] - points[:, 0]
    points[:, 2] = points[:, 0] + rng.uniform(0.2, 0.8, (count, 1)) * side
    return points + _nudge(points, rng)


def nearly_coincident(count: int, rng: Rng) -> Float64:
    """The third is 0.1 or 1 % of the others' distance off the first."""
    points = lens(count, rng)
    points[:, 2] = points[:, 0] + _nudge(points, rng)[:, 2]
    return points


def nearly_one_ray(count: int, rng: Rng) -> Float64:
    """Two of them nearly behind one another."""
    points = lens(count, rng)
    points[:, 1] = points[:, 0] * rng.uniform(1.2, 4, (count, 1)) + _nudge(points, rng)[:, 1]
    return points


def nearly_in_one_plane_with_the_camera(count: int, rng: Rng) -> Float64:
    """The rays lie nearly in a plane."""
    points = lens(count, rng)
    shares = rng.uniform(0.2, 2, (2, count, 1))
    points[:, 2] = shares[0] * points[:, 0] + shares[1] * points[:, 1] + _nudge(points, rng)[:, 2]
    return points


def facing(count: int, rng: Rng) -> Float64:
    """Equilateral triangles parallel to the image: every symmetric coefficient vanishes."""
    angles = rng.uniform(0, 2 * np.pi, (count, 1)) + np.arange(3) * 2 * np.pi / 3
    depths = np.broadcast_to(rng.uniform(1, 50, (count, 1)), (count, 3))
    return np.stack([np.cos(angles), np.sin(angles), depths], axis=2)


def symmetric(count: int, rng: Rng) -> Float64:
    """Isosceles triangles seen from their plane of symmetry: two distances are equal."""
    points = lens(count, rng)
    points[:, 1] = points[:, 0] * np.array([-1, 1, 1])
    points[:, 2, 0] = 0
    return points


def right_angles(count: int, rng: Rng) -> Float64:
    """On the axes of the camera: all cosines vanish."""
    distances = rng.uniform(1, 20, (count, 3, 1))
    return np.asarray(distances * rng.choice([-1, 1], (count, 3, 1)) * np.eye(3))


def danger_cylinder(count: int, rng: Rng) -> Float64:
    """The camera lies near the cylinder on the triangle's circumscribed circle, where two solutions
    become one: 0.1 or 1 % of the radius off it."""
    angles = rng.uniform(0, 2 * np.pi, (count, 4))
    angles[:, 1:3] = angles[:, :1] + rng.uniform(0.4, 2.5, (count, 2)) * [1, -1]
    off = 1 + rng.choice([1e-3, 1e-2], (count, 1)) * rng.choice([-1, 1], (count, 1))
    center = np.stack([np.cos(angles[:, 3]), np.sin(angles[:, 3])], axis=1) * off
    corners = np.stack([np.cos(angles[:, :3]), np.sin(angles[:, :3])], axis=2) - center[:, None]
    height = np.broadcast_to(rng.uniform(1, 8, (count, 1, 1)), (count, 3, 1))
    return np.concatenate([corners, height], axis=2)


KINDS: dict[str, Kind] = {
    "lens": lens,
    "telephoto": telephoto,
    "all around": all_around,
    "nearly collinear": nearly_collinear,
    "nearly coincident": nearly_coincident,
    "nearly one ray": nearly_one_ray,
    "nearly in one plane with the camera": nearly_in_one_plane_with_the_camera,
    "facing": facing,
    "symmetric": symmetric,
    "right angles": right_angles,
    "danger cylinder": danger_cylinder,
}


def _nudge(points: Float64, rng: Rng) -> Float64:
    """(B, 3, 3) of 0.1 or 1 % of the distance between the first two points."""
    size = np.linalg.norm(points[:, 1] - points[:, 0], axis=1)[:, None, None]
    share = rng.choice([1e-3, 1e-2], (len(points), 1, 1))
    return np.asarray(share * size * rng.normal(size=points.shape))


def samples_of_every_kind(count: int, seed: int = 0) -> dict[str, Triples]:
    """``count`` samples in all, as many of each kind and of one in a world far from its origin."""
    rng = np.random.default_rng(seed)
    kinds = [*KINDS.items(), (f"origin {FAR:.0e} away", lens)]
    sizes = np.diff(np.linspace(0, count, len(kinds) + 1).astype(int))
    return {
        name: make_triples(kind(int(size), rng), rng, origin=10.0 if name in KINDS else FAR)
        for (name, kind), size in zip(kinds, sizes, strict=True)
    }


def rotation_misses(
    triples: Triples, rotations: Float64, samples: Int64, *, of: tuple[Float64, Int64] | None = None
) -> Float64:
    """How far the nearest of some solutions is from each true one: the largest entry of the
    difference of rotations, infinite where a sample has none.

    Args:
        rotations: (H, 3, 3) solutions.
        samples: (H,) the sample that each is of, ascending or not.
        of: (T, 3, 3) and (T,) the true ones; default: the pose that each sample was made with.
    """
    wanted, rows = (triples.rotations, np.arange(len(triples))) if of is None else of
    order = np.argsort(samples, kind="stable")
    starts = np.searchsorted(samples[order], np.arange(len(triples) + 1))
    missed = np.full(len(rows), np.inf)
    for k in range(int(np.diff(starts).max(initial=0))):
        has = np.flatnonzero(starts[rows] + k < starts[rows + 1])
        solution = rotations[order[starts[rows[has]] + k]]
        difference = np.abs(solution - wanted[has]).max(axis=(1, 2))
        missed[has] = np.fmin(missed[has], difference)  # a solution of NaN is none
    return missed
