"""Where on Earth a map lies: known answers, noise, outliers, what positions cannot say, files."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hloc_lite.errors import FormatError, GeoreferenceError, HlocLiteError, StaleArtefactError
from hloc_lite.geometry.frames import covariance_in_frame
from hloc_lite.geometry.geodesy import (
    Geodetic,
    ecef_from_enu_rotation,
    enu_from_geodetic,
    geodetic_from_enu,
)
from hloc_lite.geometry.rotations import exp_so3
from hloc_lite.geometry.similarity import Similarity3
from hloc_lite.maps.folder import GEOREFERENCE
from hloc_lite.maps.georeference import (
    FitQuality,
    Georeference,
    delete_stale_georeference,
    read_georeference,
    write_georeference,
)
from hloc_lite.maps.georeference_fit import fit_georeference
from hloc_lite.types import Rigid3

ORIGIN = Geodetic(48.1, 11.6, 520.0)
QUALITY = FitQuality(9, 8, 1.0, 1.2, 0.8, 0.01, 1.0, 2.0, "both", (0.5, 2.5))
HALF = np.sqrt(0.5)


def plain(scale: float = 1.0) -> Georeference:
    """A map that lies in ENU already."""
    enu_from_map = Similarity3(scale, np.eye(3), np.zeros(3))
    return Georeference(48.1, 11.6, 520.0, enu_from_map, QUALITY)


def looking(forward: list[float], center: np.ndarray | list[float]) -> Rigid3:
    """A level camera in ENU."""
    down = [0, 0, -1]
    rotation = np.array([np.cross(down, forward), down, forward], np.float64)
    return Rigid3(rotation, -rotation @ np.array(center, np.float64))


class Survey:
    """A map of n cameras, the true georeference, and measured positions."""

    def __init__(
        self, n: int = 20, noise_m=(0.0, 0.0), num_wrong: int = 0, width_m: float = 60.0,
        roll_deg: float = 2.0, seed: int = 0,
    ) -> None:  # fmt: skip
        rng = np.random.default_rng(seed)
        self.enu_from_map = Similarity3(2.5, exp_so3(rng.normal(size=3)), np.array([3.0, 4, 5]))
        self.poses, self.positions = {}, {}
        for index in range(n):
            center = rng.uniform(-0.5, 0.5, 3) * [120, width_m, 0.02 * width_m]
            yaw = rng.uniform(0, 2 * np.pi)
            roll = exp_so3([0, 0, np.radians(roll_deg) * rng.normal()])
            level = looking([np.cos(yaw), np.sin(yaw), 0], center)
            in_enu = Rigid3(roll, np.zeros(3)).compose(level)
            measured = center + rng.normal(size=3) * [noise_m[0], noise_m[0], noise_m[1]]
            if index < num_wrong:
                measured += rng.normal(size=3) * 300
            name = f"{index}.jpg"
            self.poses[name] = self.enu_from_map.pose_in_b(in_enu)
            self.positions[name] = Geodetic(*geodetic_from_enu(measured, ORIGIN).tolist())

    def errors(self, found: Georeference) -> tuple[float, float, float, float]:
        """Relative error of the scale, tilt and heading (degrees), worst position (metres)."""
        turn = found.enu_from_map.rotation @ self.enu_from_map.rotation.T
        tilt_deg = np.degrees(np.arctan2(np.hypot(*turn[2, :2]), turn[2, 2]))
        heading_deg = np.degrees(np.arctan2(turn[1, 0], turn[0, 0]))
        centers = np.array([pose.center for pose in self.poses.values()])
        true = self.enu_from_map.apply(centers)
        given = enu_from_geodetic(found.geodetic_from_map(centers), ORIGIN)
        worst = np.linalg.norm(true - given, axis=1).max()
        return found.metres_per_unit / 2.5 - 1, float(tilt_deg), abs(float(heading_deg)), worst


def test_exact_positions() -> None:
    survey = Survey()
    found, residuals_m = fit_georeference(survey.poses, survey.positions)
    scale, tilt_deg, heading_deg, worst_m = survey.errors(found)
    assert abs(scale) < 1e-5 and tilt_deg < 1e-3 and heading_deg < 1e-3 and worst_m < 1e-3
    assert max(residuals_m.values()) < 1e-3 and set(residuals_m) == set(survey.poses)
    assert found.quality.num_inliers == found.quality.num_positions == 20


@pytest.mark.parametrize("seed", range(5))
def test_noisy_positions_many_far_off(seed: int) -> None:
    survey = Survey(60, (3.0, 8.0), num_wrong=20, seed=seed)
    found, residuals_m = fit_georeference(survey.poses, survey.positions)
    scale, tilt_deg, heading_deg, worst_m = survey.errors(found)
    quality = found.quality
    assert abs(scale) < 4 * quality.scale_sigma < 0.08
    assert tilt_deg < 3 * quality.tilt_sigma_deg < 6
    assert heading_deg < 4 * quality.heading_sigma_deg < 4
    assert worst_m < 8
    assert 38 <= quality.num_inliers <= 42
    assert min(residuals_m[f"{index}.jpg"] for index in range(15)) > 30


def test_cameras_on_a_line_are_held_upright() -> None:
    survey = Survey(width_m=0.0, noise_m=(1.0, 2.0))
    found, _ = fit_georeference(survey.poses, survey.positions)
    assert found.quality.up_from == "cameras"
    assert survey.errors(found)[1] < 2.5


def test_cameras_on_a_line_that_are_not_level_are_refused() -> None:
    survey = Survey(60, width_m=0.0, roll_deg=60.0)
    with pytest.raises(GeoreferenceError, match=r"tilt.*nearly on a line.*not held level"):
        fit_georeference(survey.poses, survey.positions)


def test_all_in_one_place_is_refused() -> None:
    survey = Survey()
    same = dict.fromkeys(survey.positions, ORIGIN)
    with pytest.raises(GeoreferenceError, match="one place"):
        fit_georeference(survey.poses, same)


def test_too_small_a_map_for_the_noise_is_refused() -> None:
    survey = Survey(noise_m=(60.0, 90.0))
    with pytest.raises(GeoreferenceError, match=r"scale uncertain by \d+ %"):
        fit_georeference(survey.poses, survey.positions)


def test_a_mast_has_no_north() -> None:
    poses = {str(h): looking([np.cos(h), np.sin(h), 0], [0, 0, 10 * h]) for h in range(8)}
    rng = np.random.default_rng(0)
    places = {
        name: Geodetic(*geodetic_from_enu(pose.center + rng.normal(size=3), ORIGIN).tolist())
        for name, pose in poses.items()
    }
    with pytest.raises(GeoreferenceError, match="leave north uncertain"):
        fit_georeference(poses, places)


def test_other_names_are_shown() -> None:
    survey = Survey()
    other = {f"photos/{name}": place for name, place in survey.positions.items()}
    with pytest.raises(GeoreferenceError, match=r"names like '0.jpg'.*like 'photos/0.jpg'"):
        fit_georeference(survey.poses, other)
    few = dict(list(survey.positions.items())[:2])
    with pytest.raises(GeoreferenceError, match="at least 3 of the map's images, got 2 of 20"):
        fit_georeference(survey.poses, few)


def test_across_the_date_line() -> None:
    survey = Survey()
    moved = {
        name: Geodetic(*geodetic_from_enu(enu_from_geodetic(
            [place.latitude_deg, place.longitude_deg, place.height_m], ORIGIN
        ), Geodetic(0.0, 180.0, 0.0)).tolist())
        for name, place in survey.positions.items()
    }  # fmt: skip
    assert {place.longitude_deg > 0 for place in moved.values()} == {True, False}
    found, residuals_m = fit_georeference(survey.poses, moved)
    assert abs(found.longitude_deg) == pytest.approx(180, abs=0.01)
    assert max(residuals_m.values()) < 1e-3


@pytest.mark.parametrize(
    ("forward", "camera", "quat_xyzw"),
    [
        ([1, 0, 0], "ros", [0, 0, 0, 1]),
        ([0, 1, 0], "ros", [0, 0, HALF, HALF]),  # yaw counts from east towards north
        ([1, 0, 0], "opengl", [0.5, -0.5, -0.5, 0.5]),
    ],
)
def test_geopose_of_a_level_camera(forward, camera: str, quat_xyzw: list[float]) -> None:
    found = json.loads(json.dumps(plain().geopose(looking(forward, [0, 0, 0]), camera)))
    assert found["position"] == pytest.approx({"lat": 48.1, "lon": 11.6, "h": 520.0})
    assert [found["quaternion"][k] for k in "xyzw"] == pytest.approx(quat_xyzw, abs=1e-9)


def test_geopose_has_up_at_the_camera() -> None:
    """A degree north of the origin, the vertical is a degree off."""
    georeference, there = plain(scale=2.0), Geodetic(49.1, 11.6, 30.0)
    center = georeference.map_from_geodetic(49.1, 11.6, 30.0)
    origin_from_there = ecef_from_enu_rotation(ORIGIN).T @ ecef_from_enu_rotation(there)
    local = looking([1, 0, 0], [0, 0, 0]).rotation @ origin_from_there.T
    found = georeference.geopose(Rigid3(local, -local @ center))
    assert found["position"] == pytest.approx({"lat": 49.1, "lon": 11.6, "h": 30.0}, abs=1e-7)
    assert [found["quaternion"][k] for k in "xyzw"] == pytest.approx([0, 0, 0, 1], abs=1e-9)


def test_points_there_and_back() -> None:
    survey = Survey()
    georeference = replace(plain(), enu_from_map=survey.enu_from_map)
    place = georeference.geodetic_from_map([1.0, 2, 3])
    np.testing.assert_allclose(georeference.map_from_geodetic(*place), [1, 2, 3], atol=1e-6)
    lower = georeference.geodetic_from_map(np.array([1.0, 2, 3]) + georeference.down_in_map)
    np.testing.assert_allclose(lower - place, [0, 0, -2.5], atol=1e-4)
    height_m = float(georeference.enu_from_map.apply([1.0, 2, 3])[2])
    in_map = -float(np.dot([1.0, 2, 3], georeference.down_in_map))
    assert georeference.map_heights(height_m) == pytest.approx((in_map,))
    pose = survey.poses["0.jpg"]
    back = georeference.from_enu(georeference.in_enu(pose))
    np.testing.assert_allclose(back.translation, pose.translation, atol=1e-9)


def test_covariances_in_metres() -> None:
    pose, georeference = looking([0, 1, 0], [1, 2, 3]), plain(scale=4.0)
    covariance = np.diag([0.1, 0.2, 0.3, 1, 2, 3.0]) ** 2
    found = georeference.covariance_in_enu(covariance)
    np.testing.assert_allclose(np.sqrt(np.diag(found)), [0.1, 0.2, 0.3, 4, 8, 12])
    in_ros = covariance_in_frame(georeference.in_enu(pose), found, "ros", "enu")
    # right is east, ahead is north, below is down
    np.testing.assert_allclose(np.sqrt(np.diag(in_ros)), [4, 12, 8, 0.1, 0.3, 0.2])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """As much of a map as a georeference looks at."""
    header = {"fingerprint": "0123", "files": {"sfm/images.bin": "abcd" * 16}}
    (tmp_path / "map.json").write_text(json.dumps(header))
    return tmp_path


def test_files_there_and_back(folder: Path) -> None:
    assert read_georeference(folder) is None
    survey = Survey(noise_m=(1.0, 1.0))
    written, _ = fit_georeference(survey.poses, survey.positions)
    write_georeference(folder, written)
    found = read_georeference(folder)
    assert found is not None and found.quality == written.quality
    assert found.origin == written.origin
    assert found.metres_per_unit == written.metres_per_unit
    np.testing.assert_allclose(
        found.enu_from_map.rotation, written.enu_from_map.rotation, atol=1e-15
    )
    np.testing.assert_array_equal(found.enu_from_map.translation, written.enu_from_map.translation)


@pytest.mark.parametrize(
    "header",
    [
        {"fingerprint": "4567", "files": {"sfm/images.bin": "abcd" * 16}},
        {"fingerprint": "0123", "files": {"sfm/images.bin": "bcda" * 16}},
    ],
)
def test_a_map_of_other_poses_needs_another(folder: Path, header: dict) -> None:
    write_georeference(folder, plain())
    delete_stale_georeference(folder)
    assert read_georeference(folder) is not None
    (folder / "map.json").write_text(json.dumps(header))
    with pytest.raises(StaleArtefactError, match=r"another map.*georeference` again"):
        read_georeference(folder)
    delete_stale_georeference(folder)
    assert read_georeference(folder) is None


@pytest.mark.parametrize(
    "change",
    [
        lambda value: value | {"schema": "another/1"},
        lambda value: value | {"latitude_deg": 100},
        lambda value: value | {"enu_from_map": value["enu_from_map"] | {"scale": 0}},
        lambda value: value | {"enu_from_map": value["enu_from_map"] | {"translation": [1, 2]}},
        lambda value: value | {"quality": {}},
        lambda value: [],
    ],
)
def test_damaged_files_are_refused_and_stay(folder: Path, change) -> None:
    write_georeference(folder, plain())
    path = folder / GEOREFERENCE
    path.write_text(json.dumps(change(json.loads(path.read_text()))))
    with pytest.raises(FormatError, match=r"georeference.json.*georeference` again"):
        read_georeference(folder)
    delete_stale_georeference(folder)
    assert path.exists()


def test_no_map_there(tmp_path: Path) -> None:
    with pytest.raises(HlocLiteError, match=r"map.json does not exist"):
        write_georeference(tmp_path, plain())
    assert not (tmp_path / GEOREFERENCE).exists()
