"""Landmarks that are expected in view: in the image, and seen from near there by the map."""

from __future__ import annotations

import numpy as np
import pytest

from hloc_lite.config import VisibilityConfig
from hloc_lite.pose.visibility import Observations, expected_landmarks
from hloc_lite.types import Camera, Rigid3

CAMERA = Camera("PINHOLE", 640, 480, np.array([500.0, 500.0, 320.0, 240.0]))
AT_ORIGIN = Rigid3.identity()
CONFIG = VisibilityConfig(max_angle_deg=30, max_distance_ratio=2)


def observed(xyz: list[list[float]], centers: list[list[float]]) -> Observations:
    return Observations(np.arange(len(xyz)), np.array(xyz), np.array(centers))


def expected(xyz: list[float], center: list[float]) -> bool:
    return len(expected_landmarks(observed([xyz], [center]), AT_ORIGIN, CAMERA, CONFIG)) == 1


def test_what_the_map_saw_from_here_is_expected() -> None:
    assert expected([0.0, 0, 10], [0.0, 0, 0])


@pytest.mark.parametrize("xyz", [[0.0, 0, -10], [9.0, 0, 10], [0.0, 6, 10]])
def test_what_lies_outside_the_image_is_not(xyz: list[float]) -> None:
    assert not expected(xyz, [0.0, 0, 0])


@pytest.mark.parametrize(("degrees", "is_expected"), [(25.0, True), (35.0, False)])
def test_the_map_must_have_seen_it_from_a_similar_direction(degrees, is_expected) -> None:
    angle = np.radians(degrees)
    center = [10 * np.sin(angle), 0.0, 10 - 10 * np.cos(angle)]
    assert expected([0.0, 0, 10], center) is is_expected


@pytest.mark.parametrize(("depth", "is_expected"), [(-8.0, True), (-12.0, False), (6.0, False)])
def test_the_map_must_have_seen_it_from_a_similar_distance(depth, is_expected) -> None:
    assert expected([0.0, 0, 10], [0.0, 0, depth]) is is_expected


def test_one_observation_is_enough_and_counts_once() -> None:
    both = Observations(
        np.full(3, 7), np.full((3, 3), [0.0, 0, 10]), np.array([[0.0, 0, 0]] * 2 + [[0, 0, 20]])
    )  # fmt: skip
    assert expected_landmarks(both, AT_ORIGIN, CAMERA, CONFIG).tolist() == [7]
