"""Minimal samples with known pose for P3P, among them all near-degenerate configurations.

Each kind generates points in the camera frame; the world frame is random.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from hloc_lite.types import Float64, Int64

FAR = 1e5
"""Distance of a scene from the world origin, as in national grid coordinates; map units."""
Rng = np.random.Generator
Kind = Callable[[int, Rng], Float64]
"""(B, generator) -> (B, 3, 3) points in the camera frame, one per row."""


@dataclass(frozen=True, eq=False)
class P3PSamples:
    """B minimal samples with the true pose of each."""

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


def make_p3p_samples(in_cam: Float64, rng: Rng, *, origin: float = 10.0) -> P3PSamples:
    """Put (B, 3, 3) camera-frame points into random world frames.

    Args:
        in_cam: (B, 3, 3) points in the camera frame, one per row.
        rng: generator of the poses.
        origin: approximate distance of the world origin from the camera, map units.
    """
    rotations = Rotation.random(len(in_cam), random_state=int(rng.integers(2**31))).as_matrix()
    translations = origin * rng.normal(size=(len(in_cam), 3))
    points3D = np.einsum("nji,npj->npi", rotations, in_cam - translations[:, None])
    rays = in_cam / np.linalg.norm(in_cam, axis=2, keepdims=True)
    return P3PSamples(rays, points3D, rotations, translations)


def lens(count: int, rng: Rng, half_width: float = 0.6) -> Float64:
    """Points in a field of view of 62 degrees, near and far, at three scales."""
    plane = rng.uniform(-half_width, half_width, (count, 3, 2))
    rays = np.concatenate([plane, np.ones((count, 3, 1))], axis=2)
    depths = np.exp(rng.normal(0, 0.5, (count, 3, 1))) * rng.choice([1, 10, 100], (count, 1, 1))
    return np.asarray(rays * depths)


def telephoto(count: int, rng: Rng) -> Float64:
    """Points in a field of view of 2.3 degrees."""
    return lens(count, rng, 0.02)


def all_around(count: int, rng: Rng) -> Float64:
    """Points in any direction, also behind the camera (fields of view beyond 180 degrees)."""
    return 10 * rng.normal(size=(count, 3, 3))


def nearly_collinear(count: int, rng: Rng) -> Float64:
    """Third point off the line through the others by 0.1 or 1 % of their distance."""
    points = lens(count, rng)
    side = points[:, 1] - points[:, 0]
    points[:, 2] = points[:, 0] + rng.uniform(0.2, 0.8, (count, 1)) * side
    return points + _offsets(points, rng)


def nearly_coincident(count: int, rng: Rng) -> Float64:
    """Third point off the first one by 0.1 or 1 % of the distance of the others."""
    points = lens(count, rng)
    points[:, 2] = points[:, 0] + _offsets(points, rng)[:, 2]
    return points


def nearly_one_ray(count: int, rng: Rng) -> Float64:
    """Two points nearly on one ray."""
    points = lens(count, rng)
    points[:, 1] = points[:, 0] * rng.uniform(1.2, 4, (count, 1)) + _offsets(points, rng)[:, 1]
    return points


def nearly_in_one_plane_with_the_camera(count: int, rng: Rng) -> Float64:
    """Three rays nearly in one plane."""
    points = lens(count, rng)
    shares = rng.uniform(0.2, 2, (2, count, 1))
    points[:, 2] = shares[0] * points[:, 0] + shares[1] * points[:, 1] + _offsets(points, rng)[:, 2]
    return points


def facing(count: int, rng: Rng) -> Float64:
    """Equilateral triangles parallel to the image plane: all symmetric coefficients vanish."""
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
    """Points on the camera axes: the cosines between all rays vanish."""
    distances = rng.uniform(1, 20, (count, 3, 1))
    return np.asarray(distances * rng.choice([-1, 1], (count, 3, 1)) * np.eye(3))


def danger_cylinder(count: int, rng: Rng) -> Float64:
    """Camera off the danger cylinder by 0.1 or 1 % of its radius.

    On the cylinder over the triangle's circumscribed circle two solutions coincide.
    """
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


def _offsets(points: Float64, rng: Rng) -> Float64:
    """(B, 3, 3) random offsets of 0.1 or 1 % of the distance between the first two points."""
    size = np.linalg.norm(points[:, 1] - points[:, 0], axis=1)[:, None, None]
    share = rng.choice([1e-3, 1e-2], (len(points), 1, 1))
    return np.asarray(share * size * rng.normal(size=points.shape))


def samples_by_kind(count: int, seed: int = 0) -> dict[str, P3PSamples]:
    """Generate ``count`` samples, equally many of each kind and of scenes far from the origin."""
    rng = np.random.default_rng(seed)
    kinds = [*KINDS.items(), (f"origin {FAR:.0e} away", lens)]
    sizes = np.diff(np.linspace(0, count, len(kinds) + 1).astype(int))
    return {
        name: make_p3p_samples(kind(int(size), rng), rng, origin=10.0 if name in KINDS else FAR)
        for (name, kind), size in zip(kinds, sizes, strict=True)
    }


def rotation_errors(
    truth: P3PSamples,
    rotations: Float64,
    samples: Int64,
    *,
    targets: tuple[Float64, Int64] | None = None,
) -> Float64:
    """(T,) error of the solution nearest to each target rotation; infinite without a solution.

    The error is the largest absolute entry of the difference of two rotation matrices.

    Args:
        truth: the samples that were solved.
        rotations: (H, 3, 3) rotations of the solutions.
        samples: (H,) sample index of each solution, in any order.
        targets: (T, 3, 3) rotations and their (T,) sample indices; default: the true rotations.
    """
    wanted, rows = (truth.rotations, np.arange(len(truth))) if targets is None else targets
    order = np.argsort(samples, kind="stable")
    starts = np.searchsorted(samples[order], np.arange(len(truth) + 1))
    errors = np.full(len(rows), np.inf)
    for k in range(int(np.diff(starts).max(initial=0))):
        has = np.flatnonzero(starts[rows] + k < starts[rows + 1])
        solution = rotations[order[starts[rows[has]] + k]]
        difference = np.abs(solution - wanted[has]).max(axis=(1, 2))
        errors[has] = np.fmin(errors[has], difference)  # ignores NaN solutions
    return errors
