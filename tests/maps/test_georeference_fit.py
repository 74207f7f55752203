"""Fit of georeferences: known answers, noise, outliers, and undetermined cases."""

from __future__ import annotations

import numpy as np
import pytest

from hloc_lite.errors import GeoreferenceError
from hloc_lite.geometry.geodesy import Geodetic, enu_from_geodetic, geodetic_from_enu
from hloc_lite.geometry.rotations import exp_so3
from hloc_lite.geometry.similarity import Similarity3
from hloc_lite.maps.georeference import Georeference
from hloc_lite.maps.georeference_fit import fit_georeference
from hloc_lite.types import Rigid3
from tests.maps.test_georeference import ORIGIN, level_camera


class Survey:
    """Map of n cameras, its true georeference, and measured positions."""

    def __init__(
        self, n: int = 20, noise_m=(0.0, 0.0), num_outliers: int = 0, width_m: float = 60.0,
        roll_deg: float = 2.0, seed: int = 0,
    ) -> None:  # fmt: skip
        rng = np.random.default_rng(seed)
        self.enu_from_map = Similarity3(2.5, exp_so3(rng.normal(size=3)), np.array([3.0, 4, 5]))
        self.poses, self.positions = {}, {}
        for index in range(n):
            center = rng.uniform(-0.5, 0.5, 3) * [120, width_m, 0.02 * width_m]
            yaw = rng.uniform(0, 2 * np.pi)
            roll = exp_so3([0, 0, np.radians(roll_deg) * rng.normal()])
            level = level_camera([np.cos(yaw), np.sin(yaw), 0], center)
            in_enu = Rigid3(roll, np.zeros(3)).compose(level)
            measured = center + rng.normal(size=3) * [noise_m[0], noise_m[0], noise_m[1]]
            if index < num_outliers:
                measured += rng.normal(size=3) * 300
            name = f"{index}.jpg"
            self.poses[name] = self.enu_from_map.inverse().pose_in_a(in_enu)
            self.positions[name] = Geodetic(*geodetic_from_enu(measured, ORIGIN).tolist())

    def errors(self, found: Georeference) -> tuple[float, float, float, float]:
        """Errors of a fit: scale (relative), tilt and heading (degrees), worst camera (metres)."""
        turn = found.enu_from_map.rotation @ self.enu_from_map.rotation.T
        tilt_deg = np.degrees(np.arctan2(np.hypot(*turn[2, :2]), turn[2, 2]))
        heading_deg = np.degrees(np.arctan2(turn[1, 0], turn[0, 0]))
        centers = np.array([pose.center for pose in self.poses.values()])
        true = self.enu_from_map.apply(centers)
        fitted = enu_from_geodetic(found.geodetic_from_map(centers), ORIGIN)
        worst = np.linalg.norm(true - fitted, axis=1).max()
        return found.metres_per_unit / 2.5 - 1, float(tilt_deg), abs(float(heading_deg)), worst


def test_exact_positions() -> None:
    survey = Survey()
    found, residuals_m = fit_georeference(survey.poses, survey.positions)
    scale, tilt_deg, heading_deg, worst_m = survey.errors(found)
    assert abs(scale) < 1e-5 and tilt_deg < 1e-3 and heading_deg < 1e-3 and worst_m < 1e-3
    assert max(residuals_m.values()) < 1e-3 and set(residuals_m) == set(survey.poses)
    assert found.quality.num_inliers == found.quality.num_positions == 20


@pytest.mark.parametrize("seed", range(5))
def test_noise_and_outliers(seed: int) -> None:
    survey = Survey(60, (3.0, 8.0), num_outliers=20, seed=seed)
    found, residuals_m = fit_georeference(survey.poses, survey.positions)
    scale, tilt_deg, heading_deg, worst_m = survey.errors(found)
    quality = found.quality
    assert abs(scale) < 4 * quality.scale_sigma < 0.08
    assert tilt_deg < 3 * quality.tilt_sigma_deg < 6
    assert heading_deg < 4 * quality.heading_sigma_deg < 4
    assert worst_m < 8
    assert 38 <= quality.num_inliers <= 42
    assert min(residuals_m[f"{index}.jpg"] for index in range(15)) > 30


def test_level_cameras_determine_the_tilt_of_a_line() -> None:
    survey = Survey(width_m=0.0, noise_m=(1.0, 2.0))
    found, _ = fit_georeference(survey.poses, survey.positions)
    assert found.quality.up_from == "cameras"
    assert survey.errors(found)[1] < 2.5


def test_line_of_cameras_that_are_not_level_is_refused() -> None:
    survey = Survey(60, width_m=0.0, roll_deg=60.0)
    with pytest.raises(GeoreferenceError, match=r"tilt.*nearly on a line.*not held level"):
        fit_georeference(survey.poses, survey.positions)


def test_coinciding_positions_are_refused() -> None:
    survey = Survey()
    same = dict.fromkeys(survey.positions, ORIGIN)
    with pytest.raises(GeoreferenceError, match="all coincide"):
        fit_georeference(survey.poses, same)


def test_map_that_is_small_for_the_noise_is_refused() -> None:
    survey = Survey(noise_m=(60.0, 90.0))
    with pytest.raises(GeoreferenceError, match=r"scale uncertain by \d+ %"):
        fit_georeference(survey.poses, survey.positions)


def test_vertical_line_has_no_north() -> None:
    poses = {str(h): level_camera([np.cos(h), np.sin(h), 0], [0, 0, 10 * h]) for h in range(8)}
    rng = np.random.default_rng(0)
    positions = {
        name: Geodetic(*geodetic_from_enu(pose.center + rng.normal(size=3), ORIGIN).tolist())
        for name, pose in poses.items()
    }
    with pytest.raises(GeoreferenceError, match="leave north uncertain"):
        fit_georeference(poses, positions)


def test_names_that_do_not_match_are_shown() -> None:
    survey = Survey()
    other = {f"photos/{name}": position for name, position in survey.positions.items()}
    with pytest.raises(GeoreferenceError, match=r"names like '0.jpg'.*like 'photos/0.jpg'"):
        fit_georeference(survey.poses, other)
    few = dict(list(survey.positions.items())[:2])
    with pytest.raises(GeoreferenceError, match="at least 3 of the map's images, got 2 of 20"):
        fit_georeference(survey.poses, few)


def test_positions_on_both_sides_of_the_date_line() -> None:
    survey = Survey()
    moved = {
        name: Geodetic(*geodetic_from_enu(enu_from_geodetic(
            [position.latitude_deg, position.longitude_deg, position.height_m], ORIGIN
        ), Geodetic(0.0, 180.0, 0.0)).tolist())
        for name, position in survey.positions.items()
    }  # fmt: skip
    assert {position.longitude_deg > 0 for position in moved.values()} == {True, False}
    found, residuals_m = fit_georeference(survey.poses, moved)
    assert abs(found.longitude_deg) == pytest.approx(180, abs=0.01)
    assert max(residuals_m.values()) < 1e-3
