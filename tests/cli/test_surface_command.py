"""``hloc-lite surface`` and ``map --surface``: made, described, exported; errors for people."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from hloc_lite.cli.main import cli
from hloc_lite.formats.ply import PlyFile, write_ply
from hloc_lite.maps.map import Map
from hloc_lite.types import Surface
from tests.exact_scene import ExactScene, mapped_scene


@pytest.fixture(scope="module")
def built() -> tuple[ExactScene, Map]:
    with mapped_scene() as both:
        return both


@pytest.fixture()
def map_folder(built: tuple[ExactScene, Map], tmp_path: Path) -> Path:
    built[1].save(tmp_path / "map")
    return tmp_path / "map"


def run(*arguments: object) -> Result:
    return CliRunner().invoke(cli, [str(each) for each in arguments])


def cloud_around(sfm_map: Map, copies: int = 40) -> Surface:
    """Map points, each surrounded by others on the plane across the axis of the first camera."""
    rng = np.random.default_rng(0)
    model = sfm_map.model
    to_world = model.images[0].cam_from_world.inverse().rotation
    shifts = rng.uniform(-0.04, 0.04, (model.num_points, copies, 3)) * [1, 1, 0.02]
    xyz = model.xyz[:, None] + shifts @ to_world.T
    return Surface(xyz.reshape(-1, 3), np.repeat(model.rgb, copies, axis=0))


def test_a_cloud_becomes_the_surface_and_is_exported(
    built: tuple[ExactScene, Map], map_folder: Path, tmp_path: Path
) -> None:
    write_ply(tmp_path / "scan.ply", [cloud_around(built[1])])
    result = run("surface", map_folder, "--scan", tmp_path / "scan.ply", "--voxel", 0.01)
    assert result.exit_code == 0, result.output
    assert "covers" in result.output
    surface = Map.open(map_folder).surface
    assert surface is not None
    result = run("surface", map_folder, "-o", tmp_path / "out.ply")
    assert result.exit_code == 0, result.output
    assert sum(map(len, PlyFile.open(tmp_path / "out.ply").blocks())) == len(surface)


def test_a_cloud_in_other_units_is_refused_and_the_old_surface_stays(
    built: tuple[ExactScene, Map], map_folder: Path, tmp_path: Path
) -> None:
    right = cloud_around(built[1])
    write_ply(tmp_path / "right.ply", [right])
    assert run("surface", map_folder, "--scan", tmp_path / "right.ply").exit_code == 0
    before = len(Map.open(map_folder).surface)  # type: ignore[arg-type]
    write_ply(tmp_path / "wrong.ply", [replace(right, xyz=right.xyz * 1000)])
    result = run("surface", map_folder, "--scan", tmp_path / "wrong.ply")
    assert "another frame or unit" in str(result.exception)
    assert len(Map.open(map_folder).surface) == before  # type: ignore[arg-type]


def test_sfm_points_are_said_to_be_thin(map_folder: Path) -> None:
    result = run("surface", map_folder, "--points")
    assert result.exit_code == 0, result.output
    assert "too thin to be rendered" in result.output


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "has no surface"),
        (["--points", "--scan", "a.ply"], "one source"),
        (["--points", "-o", "a.obj"], ".ply"),
        (["--depth-camera", "7scenes", "--points"], "--depth"),
        (["--scan", "a.las"], "does not exist"),
        (["--depth", "nowhere"], "does not exist"),
    ],
)
def test_wrong_use_is_explained(map_folder: Path, options: list[str], message: str) -> None:
    assert message in str(run("surface", map_folder, *options).exception)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--surface", "a.ply"], "--reference"),
        (["--surface", "a.ply", "--reference", "m", "--depth", "d"], "not by both"),
    ],
)
def test_map_with_a_surface_needs_poses(tmp_path: Path, options: list[str], message: str) -> None:
    result = run("map", tmp_path, "-o", tmp_path / "map", *options)
    assert message in str(result.exception)
