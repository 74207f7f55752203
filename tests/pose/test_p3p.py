"""P3P against exact scenes, also near its degenerate cases."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from hloc_lite.errors import ShapeError
from hloc_lite.pose.p3p import solve_p3p
from hloc_lite.types import Float64

Scene = tuple[Float64, Float64, Float64, Float64]


def scene(in_cam: Float64, rng: np.random.Generator) -> Scene:
    """Rays, world points, rotations and translations of (B, 3, 3) points in the camera frame."""
    count = len(in_cam)
    rotations = Rotation.random(count, random_state=int(rng.integers(2**31))).as_matrix()
    translations = 10 * rng.normal(size=(count, 3))
    world = np.einsum("nji,npj->npi", rotations, in_cam - translations[:, None])
    return in_cam / np.linalg.norm(in_cam, axis=2, keepdims=True), world, rotations, translations


def in_front(count: int, half_width: float, rng: np.random.Generator) -> Float64:
    plane = rng.uniform(-half_width, half_width, (count, 3, 2))
    rays = np.concatenate([plane, np.ones((count, 3, 1))], axis=2)
    return (
        rays * np.exp(rng.normal(0, 0.5, (count, 3, 1))) * rng.choice([1, 10, 100], (count, 1, 1))
    )


def all_around(count: int, rng: np.random.Generator) -> Float64:
    return rng.normal(size=(count, 3, 3)) * 10


def nearly_collinear(count: int, rng: np.random.Generator) -> Float64:
    points = in_front(count, 0.6, rng)
    points[:, 2] = points[:, 0] + rng.uniform(0.2, 0.8, (count, 1)) * (points[:, 1] - points[:, 0])
    size = np.linalg.norm(points[:, 1] - points[:, 0], axis=1, keepdims=True)
    return points + 1e-2 * size[:, None] * rng.normal(size=(count, 3, 3))


def nearly_coincident(count: int, rng: np.random.Generator) -> Float64:
    points = in_front(count, 0.6, rng)
    size = np.linalg.norm(points[:, 1] - points[:, 0], axis=1, keepdims=True)
    points[:, 2] = points[:, 0] + 1e-2 * size * rng.normal(size=(count, 3))
    return points


def facing(count: int, rng: np.random.Generator) -> Float64:
    """Equilateral triangles parallel to the image: every symmetric coefficient vanishes."""
    angle = rng.uniform(0, 2 * np.pi, (count, 1)) + np.arange(3) * 2 * np.pi / 3
    depth = np.broadcast_to(rng.uniform(1, 50, (count, 1)), (count, 3))
    return np.stack([np.cos(angle), np.sin(angle), depth], axis=2)


def errors_of_best(count: int, rays: Float64, world: Float64, rotations: Float64) -> Float64:
    """(B,) largest entry of the rotation's error, of the best solution of each sample."""
    found, _, sample = solve_p3p(rays, world)
    best = np.full(count, np.inf)
    np.minimum.at(best, sample, np.abs(found - rotations[sample]).max(axis=(1, 2)))
    return best


@pytest.mark.parametrize(
    ("make", "tolerance"),
    [
        (lambda n, rng: in_front(n, 0.6, rng), 1e-6),
        (lambda n, rng: in_front(n, 0.02, rng), 1e-4),  # a telephoto lens
        (all_around, 1e-6),
        (nearly_collinear, 1e-3),
        (nearly_coincident, 1e-3),
        (facing, 1e-5),
    ],
    ids=["lens", "telephoto", "around", "collinear", "coincident", "facing"],
)
def test_the_true_pose_is_among_the_solutions(make, tolerance: float) -> None:  # type: ignore[no-untyped-def]
    rng = np.random.default_rng(5)
    count = 20_000
    rays, world, rotations, _ = scene(make(count, rng), rng)
    assert (errors_of_best(count, rays, world, rotations) < tolerance).mean() >= 0.9999


def test_every_solution_is_one() -> None:
    """Rotations are rotations, and points lie on their rays, in front."""
    rng = np.random.default_rng(6)
    rays, world, *_ = scene(in_front(5000, 0.6, rng), rng)
    rotations, translations, sample = solve_p3p(rays, world)
    identity = np.einsum("hij,hkj->hik", rotations, rotations)
    np.testing.assert_allclose(identity, np.broadcast_to(np.eye(3), identity.shape), atol=1e-12)
    assert (np.linalg.det(rotations) > 0).all()
    in_cam = np.einsum("hij,hpj->hpi", rotations, world[sample]) + translations[:, None]
    seen = in_cam / np.linalg.norm(in_cam, axis=2, keepdims=True)
    assert np.abs(seen - rays[sample]).max() < 1e-6
    assert np.bincount(sample).max() <= 4


def test_scale_of_the_world_does_not_matter() -> None:
    rng = np.random.default_rng(7)
    rays, world, rotations, translations = scene(in_front(100, 0.6, rng), rng)
    for factor in (1e-6, 1e6):
        found, moved, sample = solve_p3p(rays, world * factor)
        error = np.abs(found - rotations[sample]).max(axis=(1, 2))
        error += np.abs(moved / factor - translations[sample]).max(axis=1)
        best = np.full(100, np.inf)
        np.minimum.at(best, sample, error)
        assert best.max() < 1e-5


def test_what_leaves_the_pose_open_is_refused() -> None:
    line = np.array([[0, 0, 5.0], [1, 0, 5], [2, 0, 5]])
    doubled = np.array([[0, 0, 5.0], [0, 0, 5], [2, 1, 5]])
    one_ray = np.array([[0, 0, 5.0], [0, 0, 6], [2, 1, 5]])
    in_cam = np.stack([line, doubled, one_ray])
    rays = in_cam / np.linalg.norm(in_cam, axis=2, keepdims=True)
    rotations, _, _ = solve_p3p(rays, in_cam)
    assert len(rotations) == 0


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_numbers_that_are_none_give_no_pose_and_no_warning(bad: float) -> None:
    rng = np.random.default_rng(8)
    rays, world, *_ = scene(in_front(3, 0.6, rng), rng)
    world = world.copy()
    world[0, 0, 0] = bad
    rays[1, 1, 1] = bad
    _, _, sample = solve_p3p(rays, world)
    assert set(sample) == {2}


def test_empty_and_misshapen_input() -> None:
    rotations, translations, sample = solve_p3p(np.zeros((0, 3, 3)), np.zeros((0, 3, 3)))
    assert rotations.shape == (0, 3, 3)
    assert translations.shape == (0, 3)
    assert sample.shape == (0,)
    with pytest.raises(ShapeError, match="3, 3"):
        solve_p3p(np.zeros((5, 4, 3)), np.zeros((5, 4, 3)))


def test_torch_gives_the_same() -> None:
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(9)
    rays, world, *_ = scene(in_front(500, 0.6, rng), rng)
    expected = solve_p3p(rays, world)
    found = solve_p3p(torch.from_numpy(rays), torch.from_numpy(world))
    for one, other in zip(expected, found, strict=True):
        np.testing.assert_allclose(one, other.numpy(), atol=1e-6)
