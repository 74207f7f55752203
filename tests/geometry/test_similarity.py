"""Similarity transforms: exact fits, outliers, degenerate points."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hloc_lite.errors import ShapeError
from hloc_lite.geometry.robust_similarity import fit_similarity_robust
from hloc_lite.geometry.rotations import exp_so3
from hloc_lite.geometry.similarity import Similarity3, fit_level_similarity, fit_similarity
from hloc_lite.types import Rigid3

no_deadline = settings(max_examples=50)
rotation_vectors = st.tuples(*[st.floats(-3, 3)] * 3).map(np.array)
vectors = st.tuples(*[st.floats(-100, 100)] * 3).map(np.array)
similarities = st.builds(
    lambda s, r, t: Similarity3(s, exp_so3(r), t), st.floats(0.01, 100), rotation_vectors, vectors
)


def cloud(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, 3)) * [5, 4, 1]


def assert_same(found: Similarity3 | None, true: Similarity3) -> None:
    assert found is not None
    assert found.scale == pytest.approx(true.scale, rel=1e-9)
    np.testing.assert_allclose(found.rotation, true.rotation, atol=1e-9)
    np.testing.assert_allclose(found.translation, true.translation, atol=1e-7 * (1 + true.scale))


@no_deadline
@given(similarities, vectors)
def test_inverse(similarity: Similarity3, point: np.ndarray) -> None:
    there = similarity.apply(point)
    np.testing.assert_allclose(similarity.inverse().apply(there), point, atol=1e-8)


@no_deadline
@given(similarities, rotation_vectors, vectors, vectors)
def test_cameras_transform_with_points(similarity, rotvec, translation, point) -> None:
    pose = Rigid3(exp_so3(rotvec), translation)
    moved = similarity.pose_in_a(pose)
    seen = moved.apply(similarity.apply(point))
    np.testing.assert_allclose(seen, similarity.scale * pose.apply(point), atol=1e-6)
    back = similarity.inverse().pose_in_a(moved)
    np.testing.assert_allclose(back.translation, pose.translation, atol=1e-6)


@no_deadline
@given(similarities)
def test_exact_points(similarity: Similarity3) -> None:
    points = cloud(6)
    assert_same(fit_similarity(points, similarity.apply(points)), similarity)


@no_deadline
@given(st.floats(0.01, 100), st.floats(-3, 3), vectors)
def test_exact_points_with_a_common_z_axis(scale: float, yaw: float, shift: np.ndarray) -> None:
    similarity = Similarity3(scale, exp_so3([0, 0, yaw]), shift)
    points = cloud(2)
    assert_same(fit_level_similarity(points, similarity.apply(points)), similarity)


def test_mirrored_points_give_a_proper_rotation() -> None:
    points = cloud(20)
    found = fit_similarity(points, points * [1, 1, -1])
    assert found is not None and np.linalg.det(found.rotation) == pytest.approx(1)


def test_zero_weights_remove_points() -> None:
    points, similarity = cloud(8), Similarity3(2, exp_so3([1, 0, 0]), np.ones(3))
    target = similarity.apply(points)
    target[:2] += 100
    weights = np.array([0, 0, 1, 1, 1, 1, 1, 1.0])
    assert_same(fit_similarity(points, target, weights), similarity)


@pytest.mark.parametrize("fit", [fit_similarity, fit_level_similarity])
def test_coincident_points_have_no_scale(fit) -> None:
    assert fit(np.ones((5, 3)), cloud(5)) is None
    assert fit(cloud(5), np.ones((5, 3))) is None
    assert fit(cloud(5), cloud(5), np.zeros(5)) is None


def test_vertical_line_has_no_level_similarity() -> None:
    points = np.arange(15.0).reshape(5, 3) * [0, 0, 1]
    assert fit_level_similarity(points, points) is None


@pytest.mark.parametrize("scale", [0.0, -1.0, np.nan])
def test_invalid_scales_are_refused(scale: float) -> None:
    with pytest.raises(ShapeError, match="scale"):
        Similarity3(scale, np.eye(3), np.zeros(3))


@pytest.mark.parametrize(("n", "num_wrong"), [(3, 0), (8, 2), (20, 8), (200, 80)])
def test_outliers_are_rejected(n: int, num_wrong: int) -> None:
    rng = np.random.default_rng(n)
    points, similarity = cloud(n, n), Similarity3(3, exp_so3([1, 2, 0.3]), np.ones(3))
    target = similarity.apply(points)
    target[:num_wrong] += rng.normal(size=(num_wrong, 3)) * 50
    found = fit_similarity_robust(points, target, fit_similarity, 3, 500, 1e-6)
    assert found is not None
    np.testing.assert_allclose(found[0].apply(points)[num_wrong:], target[num_wrong:], atol=1e-4)


def test_noise_is_estimated() -> None:
    rng = np.random.default_rng(1)
    points = cloud(300)
    target = points + 0.2 * rng.normal(size=points.shape)
    found = fit_similarity_robust(points, target, fit_similarity, 3, 100, 1e-6)
    assert found is not None and found[1] == pytest.approx(0.2, rel=0.1)
