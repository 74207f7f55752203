"""Up direction of the world from level cameras."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hloc_lite.geometry.rotations import exp_so3
from hloc_lite.geometry.up_direction import UpEstimate, estimate_up
from hloc_lite.types import Rigid3

no_deadline = settings(max_examples=50)
rotation_vectors = st.tuples(*[st.floats(-3, 3)] * 3).map(np.array)


def cameras(n: int, roll_deg: float, yaw_deg: float = 360, seed: int = 0) -> list[Rigid3]:
    """Poses in a world with z up, with headings within ``yaw_deg`` and random pitch."""
    rng = np.random.default_rng(seed)
    level = np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0.0]])
    rotations = [
        exp_so3([0, 0, np.radians(roll_deg) * rng.normal()])
        @ exp_so3([rng.uniform(-0.5, 0.5), 0, 0])
        @ level
        @ exp_so3([0, 0, np.radians(rng.uniform(0, yaw_deg))])
        for _ in range(n)
    ]
    return [Rigid3(rotation, rng.normal(size=3)) for rotation in rotations]


@no_deadline
@given(rotation_vectors)
def test_up_of_level_cameras(rotvec: np.ndarray) -> None:
    world = Rigid3(exp_so3(rotvec), np.zeros(3))
    up = estimate_up([pose.compose(world) for pose in cameras(10, 0.0)])
    assert isinstance(up, UpEstimate)
    np.testing.assert_allclose(up.direction, world.rotation.T[:, 2], atol=1e-7)
    assert up.sigma_deg == pytest.approx(1.0, abs=1e-3)


def test_rolled_cameras_are_outliers() -> None:
    poses = cameras(40, 2.0) + cameras(8, 60.0, seed=1)
    up = estimate_up(poses)
    assert isinstance(up, UpEstimate)
    assert np.degrees(np.arccos(up.direction[2])) < 2 * up.sigma_deg < 5


@pytest.mark.parametrize(
    ("poses", "reason"),
    [
        (cameras(4, 0.0), "fewer than 5"),
        (cameras(20, 0.0, yaw_deg=3), "look the same way"),
        (cameras(60, 40.0), "not held level"),
    ],
)
def test_reasons_for_no_estimate(poses: list[Rigid3], reason: str) -> None:
    assert reason in str(estimate_up(poses))


def test_half_of_the_cameras_upside_down() -> None:
    over = Rigid3(np.diag([-1.0, -1.0, 1.0]), np.zeros(3))
    poses = cameras(10, 0.0)
    assert "upside down" in str(estimate_up([*poses, *(over.compose(pose) for pose in poses)]))
