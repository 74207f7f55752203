"""Generalized P3P on exact scenes, also near its degenerate cases."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.polynomial import Polynomial
from scipy.spatial.transform import Rotation

from hloc_lite.errors import ShapeError
from hloc_lite.pose.bernstein_roots import chebyshev_nodes, roots_in_unit_interval
from hloc_lite.pose.gp3p import solve_gp3p
from hloc_lite.pose.p3p import solve_p3p
from hloc_lite.types import Float64

Scene = tuple[Float64, Float64, Float64, Float64, Float64]
Make = Callable[[int, np.random.Generator], tuple[Float64, Float64]]


def scene(centers: Float64, in_rig: Float64, rng: np.random.Generator) -> Scene:
    """Ray centres, rays, world points, rotations and translations of (B, 3, 3) points."""
    count = len(in_rig)
    rotations = Rotation.random(count, random_state=int(rng.integers(2**31))).as_matrix()
    translations = 10 * rng.normal(size=(count, 3))
    world = np.einsum("nji,npj->npi", rotations, in_rig - translations[:, None])
    return centers, unit(in_rig - centers), world, rotations, translations


def unit(vectors: Float64) -> Float64:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True))


def depths(count: int, rng: np.random.Generator) -> Float64:
    return np.asarray(10 * np.exp(rng.normal(0, 0.5, (count, 3, 1))))


def around(baseline: float) -> Make:
    """Rays in all directions, from random centres."""

    def make(count: int, rng: np.random.Generator) -> tuple[Float64, Float64]:
        centers = baseline * rng.normal(size=(count, 3, 3))
        return centers, centers + depths(count, rng) * unit(rng.normal(size=(count, 3, 3)))

    return make


def ahead(baseline: float, half_width: float) -> Make:
    """All cameras look the same way."""

    def make(count: int, rng: np.random.Generator) -> tuple[Float64, Float64]:
        centers = baseline * rng.normal(size=(count, 3, 3))
        plane = rng.uniform(-half_width, half_width, (count, 3, 2))
        rays = unit(np.concatenate([plane, np.ones((count, 3, 1))], axis=2))
        return centers, centers + depths(count, rng) * rays

    return make


def two_of_one_camera(count: int, rng: np.random.Generator) -> tuple[Float64, Float64]:
    centers, points = ahead(1.0, 0.6)(count, rng)
    points[:, 1] += centers[:, 0] - centers[:, 1]
    centers[:, 1] = centers[:, 0]
    return centers, points


def cameras_in_a_row(count: int, rng: np.random.Generator) -> tuple[Float64, Float64]:
    centers, points = ahead(1.0, 0.6)(count, rng)
    points[:, :, 1:] -= centers[:, :, 1:]
    centers[:, :, 1:] = 0
    return centers, points


def two_parallel_rays(count: int, rng: np.random.Generator) -> tuple[Float64, Float64]:
    centers, points = ahead(1.0, 0.6)(count, rng)
    ray = unit(points[:, :1] - centers[:, :1])[:, 0]
    points[:, 1] = centers[:, 1] + depths(count, rng)[:, 1] * ray
    return centers, points


def nearly_collinear(count: int, rng: np.random.Generator) -> tuple[Float64, Float64]:
    centers, points = around(1.0)(count, rng)
    points[:, 2] = points[:, 0] + rng.uniform(0.2, 0.8, (count, 1)) * (points[:, 1] - points[:, 0])
    size = np.linalg.norm(points[:, 1] - points[:, 0], axis=1)[:, None, None]
    return centers, points + 1e-2 * size * rng.normal(size=(count, 3, 3))


def nearly_coincident(count: int, rng: np.random.Generator) -> tuple[Float64, Float64]:
    centers, points = around(1.0)(count, rng)
    size = np.linalg.norm(points[:, 1] - points[:, 0], axis=1, keepdims=True)
    points[:, 2] = points[:, 0] + 1e-2 * size * rng.normal(size=(count, 3))
    return centers, points


def symmetric(count: int, rng: np.random.Generator) -> tuple[Float64, Float64]:
    """Equilateral triangles of cameras and points on one axis."""
    angle = rng.uniform(0, 2 * np.pi, (count, 1)) + np.arange(3) * 2 * np.pi / 3
    depth = np.broadcast_to(rng.uniform(1, 50, (count, 1)), (count, 3))
    circle = np.stack([np.cos(angle), np.sin(angle), 0 * angle], axis=2)
    return circle, 3 * circle + depth[:, :, None] * [0, 0, 1.0]


def errors_of_best(given: Scene) -> Float64:
    """(B,) largest entry of the errors of rotation and translation, for the best solution."""
    centers, rays, world, rotations, translations = given
    found, moved, sample = solve_gp3p(centers, rays, world)
    best = np.full(len(rays), np.inf)
    error = np.abs(found - rotations[sample]).max(axis=(1, 2))
    error += np.abs(moved - translations[sample]).max(axis=1)
    np.minimum.at(best, sample, error)
    return best


@pytest.mark.parametrize(
    ("make", "tolerance", "share"),
    [
        (around(1.0), 1e-6, 0.9998),
        (around(10.0), 1e-6, 0.9998),
        (around(1e-3), 1e-5, 0.9998),
        (around(1e-6), 1e-5, 0.9998),
        (around(0.0), 1e-5, 0.9998),
        (ahead(1.0, 0.6), 1e-5, 0.9998),
        (ahead(0.1, 0.6), 1e-5, 0.9998),
        (ahead(1.0, 0.02), 1e-3, 0.999),
        (two_of_one_camera, 1e-5, 0.9998),
        (cameras_in_a_row, 1e-5, 0.9998),
        (two_parallel_rays, 1e-2, 0.998),
        (nearly_collinear, 1e-2, 0.999),
        (nearly_coincident, 1e-2, 0.999),
        (symmetric, 1e-5, 0.9998),
    ],
    ids=[
        "around", "wide rig", "small rig", "tiny rig", "one centre", "ahead", "near ahead",
        "telephoto", "two of one", "row", "parallel", "collinear", "coincident", "symmetric",
    ],
)  # fmt: skip
def test_the_true_pose_is_among_the_solutions(make: Make, tolerance: float, share: float) -> None:
    rng = np.random.default_rng(5)
    given = scene(*make(10_000, rng), rng)
    assert (errors_of_best(given) < tolerance).mean() >= share


def test_all_solutions_are_valid() -> None:
    """Rotations are rotations, and points lie on their rays, in front."""
    rng = np.random.default_rng(6)
    centers, rays, world, *_ = scene(*around(1.0)(5000, rng), rng)
    rotations, translations, sample = solve_gp3p(centers, rays, world)
    identity = np.einsum("hij,hkj->hik", rotations, rotations)
    np.testing.assert_allclose(identity, np.broadcast_to(np.eye(3), identity.shape), atol=1e-12)
    assert (np.linalg.det(rotations) > 0).all()
    in_rig = np.einsum("hij,hpj->hpi", rotations, world[sample]) + translations[:, None]
    assert np.abs(unit(in_rig - centers[sample]) - rays[sample]).max() < 1e-5


def test_shared_centres_give_the_solutions_of_p3p() -> None:
    rng = np.random.default_rng(7)
    centers, points = ahead(0.0, 0.6)(300, rng)
    shift = np.array([1.0, 2.0, 3.0])
    centers, rays, world, *_ = scene(centers + shift, points + shift, rng)
    rotations, translations, sample = solve_p3p(rays, world)
    found, moved, row = solve_gp3p(centers, rays, world)
    missed = 0
    for rotation, translation, one in zip(rotations, translations, sample, strict=True):
        mine = row == one
        error = np.abs(found[mine] - rotation).max(axis=(1, 2), initial=0)
        error += np.abs(moved[mine] - translation - shift).max(axis=1)
        missed += not (error < 1e-4).any()
    assert missed <= 1  # of about 570; a double root may be lost


def test_solutions_are_equivariant_to_scale_and_translation() -> None:
    rng = np.random.default_rng(8)
    given = scene(*around(1.0)(200, rng), rng)
    centers, rays, world, rotations, translations = given
    assert errors_of_best(given).max() < 1e-6
    shift = np.array([100.0, -200.0, 50.0])
    for factor in (1e-4, 1e4):
        found, moved, sample = solve_gp3p(factor * centers + shift, rays, factor * world)
        error = np.abs(found - rotations[sample]).max(axis=(1, 2))
        expected = factor * translations[sample] + shift
        error += np.abs(moved - expected).max(axis=1) / factor
        best = np.full(200, np.inf)
        np.minimum.at(best, sample, error)
        assert np.median(best) < 1e-7
        assert (best < 1e-3).mean() >= 0.995


def test_degenerate_samples_have_no_solution() -> None:
    centers = np.array([[0, 0, 0.0], [1, 0, 0], [0, 1, 0]])
    line = np.array([[0, 0, 5.0], [1, 0, 5], [2, 0, 5]])
    doubled = np.array([[0, 0, 5.0], [0, 0, 5], [2, 1, 5]])
    points = np.stack([line, doubled])
    all_centers = np.stack([centers] * 2)
    rotations, _, _ = solve_gp3p(all_centers, unit(points - all_centers), points)
    assert len(rotations) == 0
    # parallel rays: the distance is undetermined
    parallel = np.broadcast_to([0, 0, 1.0], (1, 3, 3))
    rotations, _, _ = solve_gp3p(centers[None], parallel, centers[None] + [0, 0, 5.0])
    assert len(rotations) == 0


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_non_finite_samples_have_no_solution_and_no_warning(bad: float) -> None:
    rng = np.random.default_rng(9)
    centers, rays, world, *_ = scene(*around(1.0)(4, rng), rng)
    world = world.copy()
    world[0, 0, 0] = bad
    rays[1, 1, 1] = bad
    centers[2, 2, 2] = bad
    _, _, sample = solve_gp3p(centers, rays, world)
    assert set(sample) == {3}


def test_empty_input_and_wrong_shapes() -> None:
    nothing = np.zeros((0, 3, 3))
    rotations, translations, sample = solve_gp3p(nothing, nothing, nothing)
    assert rotations.shape == (0, 3, 3)
    assert translations.shape == (0, 3)
    assert sample.shape == (0,)
    with pytest.raises(ShapeError, match="3, 3"):
        solve_gp3p(np.zeros((5, 3, 3)), np.zeros((4, 3, 3)), np.zeros((5, 3, 3)))


def test_roots_of_known_polynomials() -> None:
    rng = np.random.default_rng(10)
    true = np.sort(rng.uniform(-0.5, 1.5, (2000, 8)), axis=1)
    values = np.stack([Polynomial.fromroots(roots)(chebyshev_nodes()) for roots in true], axis=1)
    found, owner = roots_in_unit_interval(values)
    missed = wanted = 0
    for i, roots in enumerate(true):
        inside = roots[(roots > 0) & (roots < 1)]
        apart = np.diff(roots, prepend=-9, append=9)
        isolated = np.minimum(apart[:-1], apart[1:])[(roots > 0) & (roots < 1)] > 0.01
        mine = found[owner == i]
        for root in inside[isolated]:
            wanted += 1
            missed += not (np.abs(mine - root) < 1e-6).any()
        assert len(mine) >= isolated.sum()
    assert wanted > 5000
    assert missed <= wanted // 1000
