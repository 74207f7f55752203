"""Pose priors: which map images remain, which poses agree, and the sentences that explain it."""

from __future__ import annotations

import numpy as np
import pytest

from hloc_lite.errors import FormatError, ShapeError
from hloc_lite.geometry.geodesy import Geodetic, geodetic_from_enu
from hloc_lite.geometry.rotations import exp_so3
from hloc_lite.geometry.similarity import Similarity3
from hloc_lite.localize.prior import check_pose, images_within, prior_from_gps
from hloc_lite.maps.georeference import FitQuality, Georeference
from hloc_lite.types import Prior, Rigid3

DOWN = np.array([0.0, 1.0, 0.0])
CENTERS = np.array([[0.0, 0, 0], [3, 0, 0], [0, 0, 7], [0, -2.6, 0], [0, -4.4, 0]])


def camera_at(center: list[float], rotvec: list[float] | None = None) -> Rigid3:
    rotation = exp_so3(rotvec or [0, 0, 0])
    return Rigid3(rotation, -rotation @ np.array(center, np.float64))


@pytest.mark.parametrize(
    ("radius", "margin", "expected"),
    [(1, 0, [0]), (3, 0, [0, 1, 3]), (1, 2, [0, 1, 3]), (5, 2, [0, 1, 2, 3, 4])],
)
def test_images_within_radius_and_margin(radius, margin, expected) -> None:
    prior = Prior(position=np.zeros(3), radius=radius)
    assert np.flatnonzero(images_within(prior, CENTERS, margin)).tolist() == expected


@pytest.mark.parametrize("heights", [(0.0, 3.0), (2.0, 5.0), (-3.0, 0.0)])
def test_images_of_a_floor(heights: tuple[float, float]) -> None:
    prior = Prior(heights=heights)
    found = images_within(prior, CENTERS, 100.0, 3 * DOWN)
    expected = [heights[0] - 1.5 <= h <= heights[1] + 1.5 for h in (0, 0, 0, 2.6, 4.4)]
    assert found.tolist() == expected
    assert images_within(prior, CENTERS, 0.0).all()  # gravity is unknown


def test_an_empty_prior_keeps_all_images() -> None:
    assert images_within(Prior(), CENTERS, 0.0).tolist() == [True] * 5
    assert images_within(Prior(position=np.zeros(3), radius=1.0), np.zeros((0, 3)), 0).shape == (0,)


@pytest.mark.parametrize("margin", [-1.0, np.nan])
def test_a_negative_margin_is_refused(margin: float) -> None:
    with pytest.raises(ShapeError, match="margin"):
        images_within(Prior(), CENTERS, margin)


@pytest.mark.parametrize(("x", "expected"), [(0.0, True), (1.999, True), (2.001, False)])
def test_a_pose_agrees_within_the_radius(x: float, expected: bool) -> None:
    prior = Prior(position=np.array([0.0, 1, 0]), radius=2.0)
    assert check_pose(prior, camera_at([x, 1, 0]))[0] is expected


@pytest.mark.parametrize("axis", [[1.0, 0, 0], [0, 0, 1.0]])
@pytest.mark.parametrize(("tilt_deg", "expected"), [(0, True), (9.9, True), (-10.1, False)])
def test_a_pose_agrees_within_the_tilt_against_gravity(
    axis, tilt_deg: float, expected: bool
) -> None:
    prior = Prior(gravity_in_cam=np.array([0, 9.81, 0]))
    pose = camera_at([1, 2, 3], (np.radians(tilt_deg) * np.array(axis)).tolist())
    assert check_pose(prior, pose, DOWN)[0] is expected


def test_rotation_about_gravity_is_not_constrained() -> None:
    prior = Prior(gravity_in_cam=DOWN, gravity_tolerance_deg=0.01)
    assert check_pose(prior, camera_at([0, 0, 0], [0, 2.5, 0]), DOWN)[0]


def test_gravity_of_the_prior_takes_precedence_over_the_maps() -> None:
    prior = Prior(gravity_in_cam=DOWN, gravity_in_world=np.array([0, 0, 2.0]))
    assert not check_pose(prior, camera_at([0, 0, 0]), DOWN)[0]
    assert check_pose(prior, camera_at([0, 0, 0], [-np.pi / 2, 0, 0]), DOWN)[0]


@pytest.mark.parametrize(("y", "expected"), [(-1.0, True), (-2.0, True), (0.0, False), (-3, False)])
def test_heights_are_measured_against_gravity(y: float, expected: bool) -> None:
    assert check_pose(Prior(heights=(0.5, 2.5)), camera_at([5, y, 5]), 2 * DOWN)[0] is expected


def test_the_sentence_names_each_reason() -> None:
    prior = Prior(
        position=np.zeros(3), radius=5.0, gravity_in_cam=DOWN, heights=(0.0, 3.0)
    )  # fmt: skip
    assert check_pose(prior, camera_at([40, -1, 0], [0, 0, 0.5]), DOWN) == (
        False,
        "the pose lies 40 map units from the expected position, expected within 5 and is tilted "
        "28.6 deg against gravity, expected within 10",
    )
    assert check_pose(prior, camera_at([3, -1, 0])) == (
        True,
        "the pose lies 3.16 map units from the expected position, within 5 (gravity and height "
        "not compared: gravity in the map is unknown)",
    )
    assert check_pose(Prior(), camera_at([0, 0, 0])) == (
        True,
        "the prior does not constrain the pose",
    )


def test_gravity_must_have_a_direction() -> None:
    with pytest.raises(ShapeError, match="gravity in the world"):
        check_pose(Prior(heights=(0.0, 1.0)), camera_at([0, 0, 0]), np.zeros(3))


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"position": (np.nan, 0, 0), "radius": 1.0}, "finite"),
        ({"position": (1e200, 0, 0), "radius": 1.0}, "finite"),
        ({"position": (0, 0, 0), "radius": -1.0}, "above 0"),
        ({"position": (0, 0, 0), "radius": "5"}, "above 0"),
        ({"gravity_in_cam": (0, 0, np.nan)}, "finite"),
        ({"gravity_in_cam": (0, 0, 0)}, "a direction"),
        ({"gravity_in_world": (0, 0, 0)}, "a direction"),
        ({"gravity_tolerance_deg": np.nan}, "an angle"),
        ({"gravity_tolerance_deg": -1.0}, "an angle"),
        ({"heights": (5.0, 1.0)}, "least and greatest"),
        ({"heights": (np.nan, 1.0)}, "least and greatest"),
        ({"heights": (1.0, 2.0, 3.0)}, "shape"),
        ({"heights": "ab"}, "Prior.heights"),
    ],
)
def test_impossible_priors_are_refused(values, reason: str) -> None:
    with pytest.raises(ShapeError, match=reason):
        Prior(**values)


@pytest.fixture
def georeference() -> Georeference:
    quality = FitQuality(9, 9, 1.0, 1.2, 0.8, 0.01, 1.0, 2.0, "both", (-2.0, 6.0))
    enu_from_map = Similarity3(2.0, exp_so3([0.4, -0.2, 1.0]), np.array([10.0, 20, 30]))
    return Georeference(48.1, 11.6, 520.0, enu_from_map, quality)


def test_a_gps_position(georeference: Georeference) -> None:
    true = np.array([4.0, 5, 6])
    latitude, longitude, height = georeference.geodetic_from_map(true)
    prior = prior_from_gps(georeference, latitude, longitude, 5.0, height)
    np.testing.assert_allclose(prior.position, true, atol=1e-6)
    assert prior.radius == pytest.approx((3 * 5 + 1) / 2)  # metres, two to a map unit
    np.testing.assert_allclose(prior.gravity_in_world, georeference.down_in_map)


@pytest.mark.parametrize("height_m", [-2.0, 6.0])
def test_a_gps_position_without_height(georeference: Georeference, height_m: float) -> None:
    """The radius includes all heights of the map's cameras at its horizontal edge."""
    location = geodetic_from_enu([0, 0, 0], georeference.origin)
    prior = prior_from_gps(georeference, *location[:2], 5.0)
    edge = Geodetic(*geodetic_from_enu([15.9, 0, height_m], georeference.origin))
    center = georeference.map_from_geodetic(
        edge.latitude_deg, edge.longitude_deg, edge.height_m
    )  # fmt: skip
    assert check_pose(prior, camera_at(center.tolist()))[0]
    assert prior.radius == pytest.approx(np.hypot(16, 4) / 2)


def test_impossible_gps_positions_are_refused(georeference: Georeference) -> None:
    with pytest.raises(FormatError, match="latitude"):
        prior_from_gps(georeference, 99.0, 11.6, 5.0)
    with pytest.raises(ShapeError, match="accuracy_m"):
        prior_from_gps(georeference, 48.1, 11.6, 0.0)
