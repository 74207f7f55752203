"""Poses and points in the axes of other programs: known values, round trips, handedness."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from hloc_lite.errors import ConfigError, FormatError, ShapeError
from hloc_lite.geometry.frames import (
    FRAMES,
    camera_axes,
    camera_vectors_from_frame,
    covariance_in_frame,
    points_from_frame,
    points_in_frame,
    pose_from_frame,
    pose_in_frame,
)
from hloc_lite.geometry.rotations import exp_so3
from hloc_lite.types import Rigid3

HALF = np.sqrt(0.5)
numbers = st.floats(-100, 100)
vectors = st.tuples(numbers, numbers, numbers).map(np.array)
rotation_vectors = st.tuples(*[st.floats(-3, 3)] * 3).map(np.array)
poses = st.builds(lambda r, t: Rigid3(exp_so3(r), t), rotation_vectors, vectors)
no_deadline = settings(max_examples=25)
every_frame = pytest.mark.parametrize("frame", list(FRAMES))
every_world = pytest.mark.parametrize("world", ["map", "enu"])

RIGHT_UP_FORWARD = {
    "colmap": lambda x, y, z: (x, -y, z),
    "opencv": lambda x, y, z: (x, -y, z),
    "opengl": lambda x, y, z: (x, y, -z),
    "unity": lambda x, y, z: (x, y, z),
    "ros": lambda x, y, z: (-y, z, x),
    "ros_optical": lambda x, y, z: (x, -y, z),
}
"""Map from camera coordinates of each frame to (right, up, forward)."""


def looking(forward: list[float], center: list[float]) -> Rigid3:
    """Pose of a level camera in an ENU world."""
    down = [0, 0, -1]
    rotation = np.array([np.cross(down, forward), down, forward], np.float64)
    return Rigid3(rotation, -rotation @ np.array(center, np.float64))


@pytest.mark.parametrize(
    ("frame", "position", "quat_xyzw"),
    [
        ("colmap", [10, 20, 1.5], [HALF, 0, 0, HALF]),
        ("opencv", [10, 20, 1.5], [-HALF, 0, 0, HALF]),
        ("opengl", [10, 1.5, -20], [0, 0, 0, 1]),
        ("unity", [10, 1.5, 20], [0, 0, 0, 1]),
        ("ros", [10, 20, 1.5], [0, 0, HALF, HALF]),
        ("ros_optical", [10, 20, 1.5], [-HALF, 0, 0, HALF]),
    ],
)
def test_camera_facing_north(frame: str, position: list, quat_xyzw: list) -> None:
    found = pose_in_frame(looking([0, 1, 0], [10, 20, 1.5]), frame, "enu")
    np.testing.assert_allclose(found["position"], position, atol=1e-12)
    np.testing.assert_allclose(found["rotation_xyzw"], quat_xyzw, atol=1e-12)


@pytest.mark.parametrize(
    ("frame", "quat_xyzw"),
    [
        ("opengl", [0, -HALF, 0, HALF]),  # a turn to the right is negative about y
        ("unity", [0, HALF, 0, HALF]),  # Quaternion.Euler(0, 90, 0)
        ("ros", [0, 0, 0, 1]),  # yaw 0 is east
        ("ros_optical", [-0.5, 0.5, -0.5, 0.5]),  # of every ROS camera_link to its optical frame
    ],
)
def test_camera_facing_east(frame: str, quat_xyzw: list[float]) -> None:
    found = pose_in_frame(looking([1, 0, 0], [0, 0, 0]), frame, "enu")
    np.testing.assert_allclose(found["rotation_xyzw"], quat_xyzw, atol=1e-12)


def test_colmap_has_a_translation() -> None:
    found = pose_in_frame(looking([0, 1, 0], [10, 20, 1.5]), "colmap")
    np.testing.assert_allclose(found["translation"], [-10, 1.5, -20], atol=1e-12)


@pytest.mark.parametrize(
    ("frame", "expected"),
    [
        ("colmap", [1, 2, 3]), ("opencv", [1, 2, 3]), ("opengl", [1, -2, -3]),
        ("unity", [1, -2, 3]), ("ros", [3, -1, -2]), ("ros_optical", [3, -1, -2]),
    ],
)  # fmt: skip
def test_points_in_map_axes(frame: str, expected: list[float]) -> None:
    np.testing.assert_array_equal(points_in_frame([1, 2, 3], frame), expected)


@every_frame
def test_up_is_up_in_an_enu_world(frame: str) -> None:
    axis = 1 if frame in ("opengl", "unity") else 2
    np.testing.assert_array_equal(points_in_frame([0, 0, 1], frame, "enu"), np.eye(3)[axis])


@pytest.mark.parametrize("frame", sorted(set(FRAMES) - {"ros_optical"}))
def test_identity_stays_identity_in_a_map(frame: str) -> None:
    found = pose_in_frame(Rigid3.identity(), frame)
    assert found["position"] == [0, 0, 0]
    assert found["rotation_xyzw"] == [0, 0, 0, 1]


@every_world
@every_frame
def test_only_unity_is_left_handed(frame: str, world: str) -> None:
    hand = -1 if frame == "unity" else 1
    axes = points_in_frame(np.eye(3), frame, world)  # type: ignore[arg-type]
    assert np.linalg.det(axes) == pytest.approx(hand)
    assert np.linalg.det(camera_axes(frame)) == pytest.approx(hand)


@every_world
@every_frame
@no_deadline
@given(pose=poses, point=vectors)
def test_points_project_as_before(frame: str, world: str, pose: Rigid3, point) -> None:
    found = pose_in_frame(pose, frame, world)  # type: ignore[arg-type]
    turn = Rotation.from_quat(found["rotation_xyzw"]).as_matrix()
    world_from_cam = turn.T if frame == "colmap" else turn
    there = points_in_frame(point, frame, world)  # type: ignore[arg-type]
    seen = world_from_cam.T @ (there - np.array(found["position"]))
    right, down, ahead = pose.apply(point)
    np.testing.assert_allclose(RIGHT_UP_FORWARD[frame](*seen), [right, -down, ahead], atol=1e-9)


@every_world
@every_frame
@no_deadline
@given(pose=poses, point=vectors)
def test_pose_round_trip(frame: str, world: str, pose: Rigid3, point) -> None:
    value = json.loads(json.dumps(pose_in_frame(pose, frame, world)))  # type: ignore[arg-type]
    assert value["rotation_xyzw"][3] >= 0
    again = pose_from_frame(value["position"], value["rotation_xyzw"], frame, world)  # type: ignore[arg-type]
    np.testing.assert_allclose(again.rotation, pose.rotation, atol=1e-9)
    np.testing.assert_allclose(again.translation, pose.translation, atol=1e-7)
    there = points_in_frame(point, frame, world)  # type: ignore[arg-type]
    np.testing.assert_array_equal(points_from_frame(there, frame, world), point)  # type: ignore[arg-type]


@every_world
@every_frame
def test_covariance_agrees_with_finite_differences(frame: str, world: str) -> None:
    """One small perturbation at a time, with a covariance of rank 1."""
    pose, step = Rigid3(exp_so3([0.3, -1, 0.5]), np.array([1.0, -2, 3])), 1e-6
    before = pose_in_frame(pose, frame, world)  # type: ignore[arg-type]
    for index in range(6):
        d = step * np.eye(6)[index]
        moved = pose_in_frame(Rigid3(exp_so3(d[:3]), d[3:]).compose(pose), frame, world)  # type: ignore[arg-type]
        turns = [Rotation.from_quat(value["rotation_xyzw"]) for value in (before, moved)]
        first, second = (turn.inv() if frame == "colmap" else turn for turn in turns)
        shift = np.subtract(moved["position"], before["position"])
        change = np.concatenate([shift, (second * first.inv()).as_rotvec()]) / step
        found = covariance_in_frame(pose, np.outer(d, d) / step**2, frame, world)  # type: ignore[arg-type]
        np.testing.assert_allclose(found, np.outer(change, change), atol=1e-5)


@pytest.mark.parametrize(
    ("frame", "down"),
    [("opencv", [0, 1, 0]), ("opengl", [0, -1, 0]), ("unity", [0, -1, 0]), ("ros", [0, 0, -1])],
)
def test_gravity_of_a_level_phone(frame: str, down: list[float]) -> None:
    np.testing.assert_array_equal(camera_vectors_from_frame(down, frame), [0, 1, 0])


@every_frame
def test_frames_have_descriptions(frame: str) -> None:
    in_map, in_enu = (pose_in_frame(Rigid3.identity(), frame, world) for world in ("map", "enu"))
    assert "camera" in FRAMES[frame] or "body" in FRAMES[frame]
    assert "(x, y, z)" in in_map["convention"] and "east" in in_enu["convention"]


def test_invalid_input_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"unknown frame 'arkit'; known are colmap, opencv"):
        pose_in_frame(Rigid3.identity(), "arkit")
    with pytest.raises(ConfigError, match="expected map or enu"):
        points_in_frame([1, 2, 3], "ros", "ned")  # type: ignore[arg-type]
    with pytest.raises(FormatError, match="finite"):
        pose_from_frame([np.nan, 0, 0], [0, 0, 0, 1], "ros")
    with pytest.raises(FormatError, match="quaternion"):
        pose_from_frame([0, 0, 0], [0, 0, 0, 0], "ros")
    with pytest.raises(ShapeError, match="position"):
        pose_from_frame([0, 0], [0, 0, 0, 1], "ros")
