"""Diagnosis of wrong pose conventions."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pytest

from hloc_lite.evaluation.diagnosis import diagnose
from hloc_lite.evaluation.evaluate import evaluate
from hloc_lite.evaluation.thresholds import parse_thresholds
from hloc_lite.geometry.rotations import exp_so3, quat_wxyz_from_rotation, rotation_from_quat_wxyz
from hloc_lite.types import Rigid3

from .scenes import moved, random_poses

TRUE = random_poses([f"q{i}" for i in range(12)])


def world_from_cam(pose: Rigid3) -> Rigid3:
    return pose.inverse()


def center_written(pose: Rigid3) -> Rigid3:
    return Rigid3(pose.rotation, pose.center)


def written_xyzw_read_wxyz(pose: Rigid3) -> Rigid3:
    w, x, y, z = quat_wxyz_from_rotation(pose.rotation)
    return Rigid3(rotation_from_quat_wxyz([x, y, z, w]), pose.translation)


def other_frame(pose: Rigid3) -> Rigid3:
    world_from_other = Rigid3(exp_so3([0.4, 1.0, -0.3]), np.array([5.0, 6, 7]))
    turned = pose.compose(world_from_other)
    return Rigid3(turned.rotation, 2.5 * turned.translation)


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        (world_from_cam, "look like world_from_cam"),
        (center_written, "camera centres in place of translations"),
        (written_xyzw_read_wxyz, "order x y z w"),
        (other_frame, r"another world frame .* scale 0\.4"),
    ],
)
def test_wrong_convention_is_named(mistake: Callable[[Rigid3], Rigid3], message: str) -> None:
    wrong = {name: mistake(moved(pose, 0.01, 0.1)) for name, pose in TRUE.items()}
    found = evaluate(wrong, {"all": TRUE}, parse_thresholds(["aachen"]))
    assert found.overall.recalls[-1].value < 0.1
    assert found.hint is not None
    assert re.search(message, found.hint)


def test_correct_and_random_poses_have_no_hint() -> None:
    generator = np.random.default_rng(3)
    right = {
        name: Rigid3(pose.rotation, pose.translation + generator.normal(0, 0.01, 3))
        for name, pose in TRUE.items()
    }
    assert diagnose(right, TRUE) is None
    assert diagnose(random_poses(list(TRUE), seed=9), TRUE) is None
    few = dict(list(TRUE.items())[:2])
    assert diagnose({n: p.inverse() for n, p in few.items()}, few) is None


def test_mirrored_world_has_no_hint() -> None:
    mirrored = {
        name: Rigid3(pose.rotation, -pose.rotation @ (pose.center * [-1.0, 1.0, 1.0]))
        for name, pose in TRUE.items()
    }
    assert diagnose(mirrored, TRUE) is None
