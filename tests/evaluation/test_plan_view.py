"""Plan view from above, for any orientation of the world's axes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hloc_lite.evaluation.plan_view import PlanQuery, plan_values, plan_view_svg
from hloc_lite.evaluation.records import QueryRecord
from hloc_lite.evaluation.thresholds import DistanceUnit
from hloc_lite.geometry.ground_plane import ground_axes
from hloc_lite.geometry.rotations import exp_so3
from hloc_lite.geometry.up_direction import approximate_up
from hloc_lite.types import Rigid3

from .scenes import level_camera, ring_model

rotation_vectors = st.tuples(*[st.floats(-3, 3)] * 3).map(np.array)


def in_other_world(pose: Rigid3, other_from_world: np.ndarray) -> Rigid3:
    return Rigid3(pose.rotation @ other_from_world.T, pose.translation)


def cameras(num: int, pitch_rad: float, max_yaw_rad: float, roll_rad: float = 0.0) -> list[Rigid3]:
    generator = np.random.default_rng(0)
    poses = []
    for _ in range(num):
        yaw = generator.uniform(-max_yaw_rad, max_yaw_rad)
        pose = level_camera(tuple(generator.normal(0, 5, 3)), yaw, pitch_rad)
        turn = exp_so3([0, 0, generator.normal(0, roll_rad)])
        poses.append(Rigid3(turn @ pose.rotation, turn @ pose.translation))
    return poses


def angle_deg(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.degrees(np.arccos(np.clip(a @ b, -1, 1))))


@settings(max_examples=30)
@given(rotation_vectors, st.floats(-0.6, 0.6))
def test_up_of_cameras_without_roll_is_exact_at_any_pitch(rotvec: np.ndarray, pitch: float) -> None:
    other_from_world = exp_so3(rotvec)
    poses = [in_other_world(p, other_from_world) for p in cameras(30, pitch, np.pi)]
    assert angle_deg(approximate_up(poses), other_from_world @ [0, 0, 1]) < 0.1


def test_up_is_robust_to_roll_and_portrait_photos() -> None:
    poses = cameras(60, 0.2, np.pi, roll_rad=0.05)
    quarter = exp_so3([0, 0, np.pi / 2])
    portrait = [Rigid3(quarter @ p.rotation, quarter @ p.translation) for p in poses[:10]]
    assert angle_deg(approximate_up(poses[10:] + portrait), np.array([0, 0, 1.0])) < 3


def test_up_of_cameras_with_one_viewing_direction() -> None:
    assert angle_deg(approximate_up(cameras(10, 0.0, 0.02)), np.array([0, 0, 1.0])) < 2


def test_up_of_one_camera_and_of_none() -> None:
    assert angle_deg(approximate_up(cameras(1, 0.0, 1.0)), np.array([0, 0, 1.0])) < 1e-3
    np.testing.assert_array_equal(approximate_up([]), [0, 0, 1])


@given(rotation_vectors)
def test_plan_is_not_mirrored(rotvec: np.ndarray) -> None:
    up = exp_so3(rotvec) @ [0, 0, 1]
    points = np.random.default_rng(0).normal(0, [5, 2, 1], (50, 3))
    axes = ground_axes(up, points)
    np.testing.assert_allclose(axes @ axes.T, np.eye(2), atol=1e-12)
    np.testing.assert_allclose(np.cross(axes[0], axes[1]), up, atol=1e-12)


def test_widest_spread_is_horizontal() -> None:
    points = np.random.default_rng(0).normal(0, [1, 20, 3], (500, 3))
    axes = ground_axes(np.array([0, 0, 1.0]), points)
    assert abs(axes[0] @ [0, 1, 0]) > 0.99


def test_estimates_outside_the_view_are_counted() -> None:
    model = ring_model()
    true = level_camera((3, 0, 1.5), 0.0, 0.0)
    near, far = level_camera((3, 0.2, 1.5), 0.0, 0.0), level_camera((500, 0, 1.5), 0.0, 0.0)
    queries = [PlanQuery(near, true), PlanQuery(far, true), PlanQuery(None, true)]
    map_poses = [image.cam_from_world for image in model.images]
    found = plan_view_svg(model.xyz, map_poses, queries, DistanceUnit())
    assert found is not None
    svg, outside = found
    assert outside == 1
    assert svg.startswith("<svg")
    for label in ("map images", "true", "estimated", "not localized (true pose)"):
        assert label in svg


@pytest.mark.parametrize("num_points", [0, 1, 3])
def test_plan_of_few_points_and_one_camera(num_points: int) -> None:
    query = PlanQuery(level_camera((0, 0, 0), 0.0, 0.0), None)
    assert plan_view_svg(np.zeros((num_points, 3)), [], [query], DistanceUnit()) is not None


def test_no_plan_without_cameras() -> None:
    assert plan_view_svg(np.zeros((5, 3)), [], [PlanQuery(None, None)], DistanceUnit()) is None


def test_plan_is_wider_than_high() -> None:
    wall = np.random.default_rng(0).uniform([3, 20, 0], [13, 21, 5], (500, 3))
    query = PlanQuery(level_camera((8, 0, 1.5), np.pi / 2, 0.0), None)
    found = plan_view_svg(wall, [], [query], DistanceUnit())
    assert found is not None
    width, height = map(float, found[0].split('viewBox="0 0 ')[1].split('"')[0].split())
    assert width > height
    assert found[1] == 0


def test_each_floor_has_a_plan() -> None:
    ring = ring_model()
    shift = Rigid3(np.eye(3), np.array([1000.0, 0, 0]))  # old from moved
    moved = [
        replace(each, image_id=100 + each.image_id, name=f"far {each.name}",
                cam_from_world=each.cam_from_world.compose(shift))
        for each in ring.images
    ]  # fmt: skip
    model = replace(ring, images=(*ring.images, *moved))
    names = [each.name for each in model.images]
    records = [
        QueryRecord(name, "localized", "", image.cam_from_world)
        for name, image in zip(names, model.images, strict=True)
    ]
    one = plan_values(records[:1], None, ring, DistanceUnit())
    both = plan_values(records, None, model, DistanceUnit())
    assert one is not None and len(one["svgs"]) == 1
    assert both is not None and len(both["svgs"]) == 2 and both["outside"] == 0
