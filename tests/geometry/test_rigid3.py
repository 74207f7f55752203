"""Axioms of rigid transforms, rotations, and pose errors."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from hloc_lite.errors import FormatError, ShapeError
from hloc_lite.geometry.rotations import (
    cross_matrices,
    exp_so3,
    pose_errors,
    quat_wxyz_from_rotation,
    rotation_angle_deg,
    rotation_from_quat_wxyz,
    rotation_to_z,
)
from hloc_lite.types import Rigid3

numbers = st.floats(-100, 100)
vectors = st.tuples(numbers, numbers, numbers).map(np.array)
rotation_vectors = st.tuples(*[st.floats(-3, 3)] * 3).map(np.array)
poses = st.builds(lambda r, t: Rigid3(exp_so3(r), t), rotation_vectors, vectors)


def assert_same(a: Rigid3, b: Rigid3) -> None:
    np.testing.assert_allclose(a.rotation, b.rotation, atol=1e-12)
    np.testing.assert_allclose(a.translation, b.translation, atol=1e-10)


@given(poses, poses, poses)
def test_composition_is_associative(a: Rigid3, b: Rigid3, c: Rigid3) -> None:
    assert_same(a.compose(b).compose(c), a.compose(b.compose(c)))


@given(poses)
def test_identity_and_inverse(pose: Rigid3) -> None:
    assert_same(pose.compose(Rigid3.identity()), pose)
    assert_same(Rigid3.identity().compose(pose), pose)
    assert_same(pose.compose(pose.inverse()), Rigid3.identity())
    assert_same(pose.inverse().inverse(), pose)


@given(poses, poses, vectors)
def test_apply_follows_composition(a: Rigid3, b: Rigid3, point: np.ndarray) -> None:
    np.testing.assert_allclose(a.compose(b).apply(point), a.apply(b.apply(point)), atol=1e-9)


@given(poses)
def test_center_maps_to_the_origin(pose: Rigid3) -> None:
    np.testing.assert_allclose(pose.apply(pose.center), 0, atol=1e-10)
    np.testing.assert_allclose(pose.center, pose.inverse().translation, atol=1e-12)


def test_apply_accepts_leading_dimensions() -> None:
    pose = Rigid3(exp_so3([0, 0, np.pi / 2]), np.array([1.0, 0, 0]))
    np.testing.assert_allclose(
        pose.apply(np.ones((2, 5, 3))), np.tile([0.0, 1, 1], (2, 5, 1)), atol=1e-15
    )


def test_wrong_shapes_are_refused_and_arrays_are_read_only() -> None:
    with pytest.raises(ShapeError, match=r"Rigid3.rotation: expected shape \(3, 3\)"):
        Rigid3(np.eye(4), np.zeros(3))
    with pytest.raises(ValueError, match="read-only"):
        Rigid3.identity().translation[0] = 1.0


@given(rotation_vectors)
def test_quaternions_round_trip_and_have_positive_w(rotvec: np.ndarray) -> None:
    rotation = exp_so3(rotvec)
    quat = quat_wxyz_from_rotation(rotation)
    assert quat[0] >= 0
    assert np.linalg.norm(quat) == pytest.approx(1)
    np.testing.assert_allclose(rotation_from_quat_wxyz(quat), rotation, atol=1e-12)
    np.testing.assert_allclose(rotation_from_quat_wxyz(-3 * quat), rotation, atol=1e-12)


def test_quaternions_have_w_first() -> None:
    half = np.sqrt(0.5)
    quarter_turn_about_z = [[0, -1, 0], [1, 0, 0], [0, 0, 1]]
    np.testing.assert_allclose(
        rotation_from_quat_wxyz([half, 0, 0, half]), quarter_turn_about_z, atol=1e-15
    )


@pytest.mark.parametrize("quat", [[0, 0, 0, 0], [np.nan, 0, 0, 1], [1, 0, 0], [np.inf, 0, 0, 0]])
def test_invalid_quaternions_are_refused(quat: list[float]) -> None:
    with pytest.raises(FormatError, match="four finite numbers"):
        rotation_from_quat_wxyz(quat)


@pytest.mark.parametrize("angle_deg", [0.0, 1e-7, 1e-3, 1.0, 90.0, 179.999, 180.0])
def test_rotation_angles_are_accurate_at_all_sizes(angle_deg: float) -> None:
    axis = np.array([1.0, -2.0, 0.5]) / np.linalg.norm([1.0, -2.0, 0.5])
    other = exp_so3([0.3, 0.4, -0.5])
    turned = exp_so3(np.radians(angle_deg) * axis) @ other
    assert rotation_angle_deg(turned, other) == pytest.approx(angle_deg, abs=1e-10, rel=1e-6)


@given(poses, rotation_vectors)
def test_pose_errors_of_a_perturbed_camera(pose: Rigid3, rotvec: np.ndarray) -> None:
    assume(np.linalg.norm(rotvec) > 1e-9)
    turn = exp_so3(np.radians(1.0) * rotvec / np.linalg.norm(rotvec))
    center = pose.center + np.array([0.3, 0, 0])
    rotation = turn @ pose.rotation
    distance, angle_deg = pose_errors(Rigid3(rotation, -rotation @ center), pose)
    assert distance == pytest.approx(0.3, abs=1e-10)
    assert angle_deg == pytest.approx(1.0, abs=1e-9)


@given(vectors, vectors)
def test_cross_matrices(a: np.ndarray, b: np.ndarray) -> None:
    np.testing.assert_allclose(cross_matrices(a[None])[0] @ b, np.cross(a, b), atol=1e-9)


@settings(max_examples=50)
@given(vectors.filter(lambda v: np.linalg.norm(v) > 1e-3))
def test_rotation_to_z(direction: np.ndarray) -> None:
    unit = direction / np.linalg.norm(direction)
    rotation = rotation_to_z(unit)
    np.testing.assert_allclose(rotation @ unit, [0, 0, 1], atol=1e-9)
    assert rotation_angle_deg(rotation @ rotation.T, np.eye(3)) == pytest.approx(0, abs=1e-5)
    assert np.linalg.det(rotation) == pytest.approx(1)
