"""Similarities: exact where the data are, right where many are far off, none without a scale."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hloc_lite.errors import ShapeError
from hloc_lite.geometry.level import CamerasUp, rotation_to_z, up_of_cameras
from hloc_lite.geometry.robust_similarity import fit_robustly
from hloc_lite.geometry.rotations import exp_so3, rotation_angle_deg
from hloc_lite.geometry.similarity import Similarity3, fit_level_similarity, fit_similarity
from hloc_lite.types import Rigid3

in_time_of_its_own = settings(deadline=None, max_examples=50)
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


@in_time_of_its_own
@given(similarities, vectors)
def test_inverse(similarity: Similarity3, point: np.ndarray) -> None:
    there = similarity.apply(point)
    np.testing.assert_allclose(similarity.inverse().apply(there), point, atol=1e-8)


@in_time_of_its_own
@given(similarities, rotation_vectors, vectors, vectors)
def test_a_moved_camera_sees_the_moved_point(similarity, rotvec, translation, point) -> None:
    pose = Rigid3(exp_so3(rotvec), translation)
    moved = similarity.pose_in_a(pose)
    seen = moved.apply(similarity.apply(point))
    np.testing.assert_allclose(seen, similarity.scale * pose.apply(point), atol=1e-6)
    back = similarity.pose_in_b(moved)
    np.testing.assert_allclose(back.translation, pose.translation, atol=1e-6)


@in_time_of_its_own
@given(similarities)
def test_exact_points(similarity: Similarity3) -> None:
    points = cloud(6)
    assert_same(fit_similarity(points, similarity.apply(points)), similarity)


@in_time_of_its_own
@given(st.floats(0.01, 100), st.floats(-3, 3), vectors)
def test_exact_points_with_a_common_up(scale: float, yaw: float, shift: np.ndarray) -> None:
    similarity = Similarity3(scale, exp_so3([0, 0, yaw]), shift)
    points = cloud(2)
    assert_same(fit_level_similarity(points, similarity.apply(points)), similarity)


def test_a_mirrored_set_is_not_mirrored_back() -> None:
    points = cloud(20)
    found = fit_similarity(points, points * [1, 1, -1])
    assert found is not None and np.linalg.det(found.rotation) == pytest.approx(1)


def test_weights_of_zero_remove_points() -> None:
    points, similarity = cloud(8), Similarity3(2, exp_so3([1, 0, 0]), np.ones(3))
    target = similarity.apply(points)
    target[:2] += 100
    weights = np.array([0, 0, 1, 1, 1, 1, 1, 1.0])
    assert_same(fit_similarity(points, target, weights), similarity)


@pytest.mark.parametrize("fit", [fit_similarity, fit_level_similarity])
def test_one_place_has_no_scale(fit) -> None:
    assert fit(np.ones((5, 3)), cloud(5)) is None
    assert fit(cloud(5), np.ones((5, 3))) is None
    assert fit(cloud(5), cloud(5), np.zeros(5)) is None


def test_no_turn_about_up_without_width() -> None:
    points = np.arange(15.0).reshape(5, 3) * [0, 0, 1]
    assert fit_level_similarity(points, points) is None


@pytest.mark.parametrize("scale", [0.0, -1.0, np.nan])
def test_impossible_scales(scale: float) -> None:
    with pytest.raises(ShapeError, match="scale"):
        Similarity3(scale, np.eye(3), np.zeros(3))


@pytest.mark.parametrize(("n", "num_wrong"), [(3, 0), (8, 2), (20, 8), (200, 80)])
def test_many_wrong_points_do_no_harm(n: int, num_wrong: int) -> None:
    rng = np.random.default_rng(n)
    points, similarity = cloud(n, n), Similarity3(3, exp_so3([1, 2, 0.3]), np.ones(3))
    target = similarity.apply(points)
    target[:num_wrong] += rng.normal(size=(num_wrong, 3)) * 50
    found = fit_robustly(points, target, fit_similarity, 3, 500, 1e-6)
    assert found is not None
    np.testing.assert_allclose(found[0].apply(points)[num_wrong:], target[num_wrong:], atol=1e-4)


def test_the_noise_is_found() -> None:
    rng = np.random.default_rng(1)
    points = cloud(300)
    target = points + 0.2 * rng.normal(size=points.shape)
    found = fit_robustly(points, target, fit_similarity, 3, 100, 1e-6)
    assert found is not None and found[1] == pytest.approx(0.2, rel=0.1)


def cameras(n: int, roll_deg: float, turn_deg: float = 360, seed: int = 0) -> list[Rigid3]:
    """In a world with z up, heading anywhere within ``turn_deg``, also looking up and down."""
    rng = np.random.default_rng(seed)
    level = np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0.0]])
    rotations = [
        exp_so3([0, 0, np.radians(roll_deg) * rng.normal()])
        @ exp_so3([rng.uniform(-0.5, 0.5), 0, 0])
        @ level
        @ exp_so3([0, 0, np.radians(rng.uniform(0, turn_deg))])
        for _ in range(n)
    ]
    return [Rigid3(rotation, rng.normal(size=3)) for rotation in rotations]


@in_time_of_its_own
@given(rotation_vectors)
def test_level_cameras_know_up(rotvec: np.ndarray) -> None:
    world = Rigid3(exp_so3(rotvec), np.zeros(3))
    up = up_of_cameras([pose.compose(world) for pose in cameras(10, 0.0)])
    assert isinstance(up, CamerasUp)
    np.testing.assert_allclose(up.direction, world.rotation.T[:, 2], atol=1e-7)
    assert up.sigma_deg == pytest.approx(1.0, abs=1e-3)


def test_some_tilted_cameras_do_no_harm() -> None:
    poses = cameras(40, 2.0) + cameras(8, 60.0, seed=1)
    up = up_of_cameras(poses)
    assert isinstance(up, CamerasUp)
    assert np.degrees(np.arccos(up.direction[2])) < 2 * up.sigma_deg < 5


@pytest.mark.parametrize(
    ("poses", "reason"),
    [
        (cameras(4, 0.0), "fewer than 5"),
        (cameras(20, 0.0, turn_deg=3), "look the same way"),
        (cameras(60, 40.0), "not held level"),
    ],
)
def test_cameras_that_do_not_know(poses: list[Rigid3], reason: str) -> None:
    assert reason in str(up_of_cameras(poses))


def test_cameras_upside_down_half_the_time() -> None:
    over = Rigid3(np.diag([-1.0, -1.0, 1.0]), np.zeros(3))
    poses = cameras(10, 0.0)
    assert "upside down" in str(up_of_cameras([*poses, *(over.compose(pose) for pose in poses)]))


@in_time_of_its_own
@given(vectors.filter(lambda v: np.linalg.norm(v) > 1e-3))
def test_rotation_to_z(direction: np.ndarray) -> None:
    unit = direction / np.linalg.norm(direction)
    rotation = rotation_to_z(unit)
    np.testing.assert_allclose(rotation @ unit, [0, 0, 1], atol=1e-9)
    assert rotation_angle_deg(rotation @ rotation.T, np.eye(3)) == pytest.approx(0, abs=1e-5)
    assert np.linalg.det(rotation) == pytest.approx(1)
