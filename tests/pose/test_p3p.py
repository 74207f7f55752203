"""P3P on exact scenes, also near its degenerate cases."""

from __future__ import annotations

import numpy as np
import pytest

from hloc_lite.errors import ShapeError
from hloc_lite.pose.p3p import solve_p3p
from hloc_lite.synthetic.p3p_samples import (
    KINDS,
    P3PSamples,
    all_around,
    lens,
    make_p3p_samples,
    rotation_errors,
    samples_by_kind,
)

NUM_SAMPLES = 100_000
EVERY_KIND = samples_by_kind(NUM_SAMPLES)
FOUND = 1e-4
"""Tolerance of rotation entries (0.006 degrees): near a double root half the digits are lost."""
NEARLY_DOUBLE = ("nearly collinear", "nearly coincident", "telephoto", "danger cylinder")


def misses(triples: P3PSamples) -> np.ndarray:
    rotations, _, samples = solve_p3p(triples.rays, triples.points3D)
    return rotation_errors(triples, rotations, samples)


def test_true_pose_is_among_the_solutions_of_100000_hard_samples() -> None:
    found = np.concatenate([misses(triples) < FOUND for triples in EVERY_KIND.values()])
    assert len(found) == NUM_SAMPLES
    assert found.mean() >= 0.9999


@pytest.mark.parametrize("kind", EVERY_KIND)
def test_every_kind_of_sample_is_solved(kind: str) -> None:
    """Where solutions are well separated, to many more digits."""
    missed = misses(EVERY_KIND[kind])
    if kind in NEARLY_DOUBLE:
        assert (missed < FOUND).mean() >= 0.999
    else:
        assert (missed < 1e-6).mean() >= 0.999
        assert (missed < FOUND).all()


@pytest.mark.parametrize("kind", KINDS)
def test_all_solutions_of_poselib_are_found(kind: str) -> None:
    """Including those that are not the true pose of the sample."""
    poselib = pytest.importorskip("poselib")
    rng = np.random.default_rng(5)
    triples = make_p3p_samples(KINDS[kind](300, rng), rng)
    rotations, samples = [], []
    for sample in range(len(triples)):
        rays, points3D = triples.rays[sample], triples.points3D[sample]
        for pose in poselib.p3p(list(rays), list(points3D)):
            in_cam = points3D @ pose.R.T + pose.t
            seen = in_cam / np.linalg.norm(in_cam, axis=1, keepdims=True)
            # for symmetric samples it also returns invalid ones
            if np.abs(seen - rays).max() < 1e-9:
                rotations.append(pose.R)
                samples.append(sample)
    theirs = np.array(rotations).reshape(-1, 3, 3), np.array(samples, int)
    found, _, of = solve_p3p(triples.rays, triples.points3D)
    missed = rotation_errors(triples, found, of, targets=theirs)
    assert (missed < FOUND).mean() >= 0.999 if len(missed) else kind == "right angles"


def test_all_solutions_are_valid() -> None:
    """Rotations are rotations, and points lie on their rays, in front."""
    rng = np.random.default_rng(6)
    both = [make_p3p_samples(kind(3000, rng), rng) for kind in (lens, all_around)]
    rays = np.concatenate([triples.rays for triples in both])
    world = np.concatenate([triples.points3D for triples in both])
    rotations, translations, sample = solve_p3p(rays, world)
    identity = np.einsum("hij,hkj->hik", rotations, rotations)
    np.testing.assert_allclose(identity, np.broadcast_to(np.eye(3), identity.shape), atol=1e-12)
    assert (np.linalg.det(rotations) > 0).all()
    in_cam = np.einsum("hij,hpj->hpi", rotations, world[sample]) + translations[:, None]
    seen = in_cam / np.linalg.norm(in_cam, axis=2, keepdims=True)
    assert np.abs(seen - rays[sample]).max() < 1e-6
    assert np.bincount(sample).max() <= 4


def test_solutions_are_equivariant_to_scale() -> None:
    rng = np.random.default_rng(7)
    triples = make_p3p_samples(lens(100, rng), rng)
    for factor in (1e-6, 1e6):
        found, moved, sample = solve_p3p(triples.rays, triples.points3D * factor)
        error = np.abs(found - triples.rotations[sample]).max(axis=(1, 2))
        error += np.abs(moved / factor - triples.translations[sample]).max(axis=1)
        best = np.full(100, np.inf)
        np.minimum.at(best, sample, error)
        assert best.max() < 1e-5


def test_degenerate_samples_have_no_solution() -> None:
    line = np.array([[0, 0, 5.0], [1, 0, 5], [2, 0, 5]])
    doubled = np.array([[0, 0, 5.0], [0, 0, 5], [2, 1, 5]])
    one_ray = np.array([[0, 0, 5.0], [0, 0, 6], [2, 1, 5]])
    in_cam = np.stack([line, doubled, one_ray])
    rays = in_cam / np.linalg.norm(in_cam, axis=2, keepdims=True)
    rotations, _, _ = solve_p3p(rays, in_cam)
    assert len(rotations) == 0


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_non_finite_samples_have_no_solution_and_no_warning(bad: float) -> None:
    rng = np.random.default_rng(8)
    triples = make_p3p_samples(lens(3, rng), rng)
    rays, world = triples.rays, triples.points3D
    world[0, 0, 0] = bad
    rays[1, 1, 1] = bad
    _, _, sample = solve_p3p(rays, world)
    assert set(sample) == {2}


def test_empty_input_and_wrong_shapes() -> None:
    rotations, translations, sample = solve_p3p(np.zeros((0, 3, 3)), np.zeros((0, 3, 3)))
    assert rotations.shape == (0, 3, 3)
    assert translations.shape == (0, 3)
    assert sample.shape == (0,)
    with pytest.raises(ShapeError, match="3, 3"):
        solve_p3p(np.zeros((5, 4, 3)), np.zeros((5, 4, 3)))


def test_torch_and_numpy_agree() -> None:
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(9)
    triples = make_p3p_samples(lens(500, rng), rng)
    expected = solve_p3p(triples.rays, triples.points3D)
    found = solve_p3p(torch.from_numpy(triples.rays), torch.from_numpy(triples.points3D))
    for one, other in zip(expected, found, strict=True):
        np.testing.assert_allclose(one, other.numpy(), atol=1e-6)
