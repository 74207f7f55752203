"""Georeferences: conversion of points, poses and covariances, GeoPose, and files."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hloc_lite.errors import FormatError, HlocLiteError, StaleArtefactError
from hloc_lite.geometry.frames import covariance_in_frame
from hloc_lite.geometry.geodesy import (
    Geodetic,
    ecef_from_enu_rotation,
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
from hloc_lite.maps.map import Map
from hloc_lite.types import Rigid3

ORIGIN = Geodetic(48.1, 11.6, 520.0)
QUALITY = FitQuality(9, 8, 1.0, 1.2, 0.8, 0.01, 1.0, 2.0, "both", (0.5, 2.5))
HALF = np.sqrt(0.5)


def axis_aligned(scale: float = 1.0) -> Georeference:
    """Georeference of a map whose axes are those of ENU."""
    enu_from_map = Similarity3(scale, np.eye(3), np.zeros(3))
    return Georeference(48.1, 11.6, 520.0, enu_from_map, QUALITY)


def level_camera(forward: list[float], center: np.ndarray | list[float]) -> Rigid3:
    """Pose of a level camera in ENU."""
    down = [0, 0, -1]
    rotation = np.array([np.cross(down, forward), down, forward], np.float64)
    return Rigid3(rotation, -rotation @ np.array(center, np.float64))


@pytest.mark.parametrize(
    ("forward", "camera", "quat_xyzw"),
    [
        ([1, 0, 0], "ros", [0, 0, 0, 1]),
        ([0, 1, 0], "ros", [0, 0, HALF, HALF]),  # yaw counts from east towards north
        ([1, 0, 0], "opengl", [0.5, -0.5, -0.5, 0.5]),
    ],
)
def test_geopose_of_a_level_camera(forward, camera: str, quat_xyzw: list[float]) -> None:
    found = json.loads(json.dumps(axis_aligned().geopose(level_camera(forward, [0, 0, 0]), camera)))
    assert found["position"] == pytest.approx({"lat": 48.1, "lon": 11.6, "h": 520.0})
    assert [found["quaternion"][k] for k in "xyzw"] == pytest.approx(quat_xyzw, abs=1e-9)


def test_geopose_is_relative_to_up_at_the_camera() -> None:
    """One degree north of the origin, the vertical differs by one degree."""
    georeference, there = axis_aligned(scale=2.0), Geodetic(49.1, 11.6, 30.0)
    center = georeference.map_from_geodetic(49.1, 11.6, 30.0)
    origin_from_there = ecef_from_enu_rotation(ORIGIN).T @ ecef_from_enu_rotation(there)
    local = level_camera([1, 0, 0], [0, 0, 0]).rotation @ origin_from_there.T
    found = georeference.geopose(Rigid3(local, -local @ center))
    assert found["position"] == pytest.approx({"lat": 49.1, "lon": 11.6, "h": 30.0}, abs=1e-7)
    assert [found["quaternion"][k] for k in "xyzw"] == pytest.approx([0, 0, 0, 1], abs=1e-9)


def test_points_and_poses() -> None:
    enu_from_map = Similarity3(2.5, exp_so3([0.4, -1.1, 0.7]), np.array([3.0, 4, 5]))
    georeference = replace(axis_aligned(), enu_from_map=enu_from_map)
    point = np.array([1.0, 2, 3])
    position = georeference.geodetic_from_map(point)
    np.testing.assert_allclose(georeference.map_from_geodetic(*position), point, atol=1e-6)
    lower = georeference.geodetic_from_map(point + georeference.down_in_map)
    np.testing.assert_allclose(lower - position, [0, 0, -2.5], atol=1e-4)
    height_m = float(enu_from_map.apply(point)[2])
    assert georeference.map_heights(height_m) == pytest.approx((-point @ georeference.down_in_map,))
    pose = Rigid3(exp_so3([0.1, 0.2, 0.3]), np.array([0.5, 0, -1]))
    found = georeference.in_enu(pose)
    np.testing.assert_allclose(found.center, enu_from_map.apply(pose.center), atol=1e-12)
    in_camera = found.apply(enu_from_map.apply(point))
    np.testing.assert_allclose(in_camera, 2.5 * pose.apply(point), atol=1e-12)


def test_covariance_in_metres() -> None:
    pose, georeference = level_camera([0, 1, 0], [1, 2, 3]), axis_aligned(scale=4.0)
    covariance = np.diag([0.1, 0.2, 0.3, 1, 2, 3.0]) ** 2
    found = georeference.covariance_in_enu(covariance)
    np.testing.assert_allclose(np.sqrt(np.diag(found)), [0.1, 0.2, 0.3, 4, 8, 12])
    in_ros = covariance_in_frame(georeference.in_enu(pose), found, "ros", "enu")
    # the camera looks north: its x axis is east, its z axis north, its y axis down
    np.testing.assert_allclose(np.sqrt(np.diag(in_ros)), [4, 12, 8, 0.1, 0.3, 0.2])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Part of a map folder that its georeference depends on."""
    header = {"fingerprint": "0123", "files": {"sfm/images.bin": "abcd" * 16}}
    (tmp_path / "map.json").write_text(json.dumps(header))
    return tmp_path


def test_file_round_trip(folder: Path) -> None:
    assert read_georeference(folder) is None
    enu_from_map = Similarity3(2.5, exp_so3([0.4, -1.1, 0.7]), np.array([3.0, 4, 5]))
    written = replace(axis_aligned(), enu_from_map=enu_from_map)
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
def test_georeference_of_other_poses_is_refused_and_deleted(folder: Path, header: dict) -> None:
    write_georeference(folder, axis_aligned())
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
def test_damaged_file_is_refused_and_kept(folder: Path, change) -> None:
    write_georeference(folder, axis_aligned())
    path = folder / GEOREFERENCE
    path.write_text(json.dumps(change(json.loads(path.read_text()))))
    with pytest.raises(FormatError, match=r"georeference.json.*georeference` again"):
        read_georeference(folder)
    delete_stale_georeference(folder)
    assert path.exists()


def test_folder_without_a_map_is_refused(tmp_path: Path) -> None:
    with pytest.raises(HlocLiteError, match=r"map.json does not exist"):
        write_georeference(tmp_path, axis_aligned())
    assert not (tmp_path / GEOREFERENCE).exists()


def test_a_map_saved_to_another_folder_keeps_its_georeference(exact_map, tmp_path: Path) -> None:
    full = replace(exact_map[1], georeference=axis_aligned(scale=2.0))
    full.save(tmp_path / "a")
    Map.open(tmp_path / "a").save(tmp_path / "b")
    found = Map.open(tmp_path / "b")
    assert found.georeference is not None and found.metres_per_unit == 2.0
    replace(found, georeference=None).save(tmp_path / "b")  # its poses are the same
    assert Map.open(tmp_path / "b").metres_per_unit == 2.0
