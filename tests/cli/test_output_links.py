"""Outputs that are links: those that a user made are followed, those in a map are refused."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from hloc_lite.cli.evaluate import command
from hloc_lite.errors import ConfigError
from hloc_lite.formats.hloc_lists import write_poses
from hloc_lite.types import Rigid3

pytestmark = pytest.mark.skipif(os.name == "nt", reason="links of Unix")


@pytest.fixture
def poses(tmp_path: Path) -> Path:
    path = tmp_path / "poses.txt"
    write_poses(path, {"a.jpg": Rigid3.identity(), "b.jpg": Rigid3.identity()})
    return path


def test_a_link_stays_and_its_target_is_written(poses: Path, tmp_path: Path) -> None:
    target, link = tmp_path / "elsewhere" / "scores.json", tmp_path / "scores.json"
    target.parent.mkdir()
    target.write_text("{}")
    target.chmod(0o600)
    link.symlink_to(target)
    result = CliRunner().invoke(command, [str(poses), str(poses), "--json", str(link)])
    assert result.exit_code == 0, result.output
    assert link.is_symlink() and "conditions" in target.read_text()
    assert target.stat().st_mode & 0o777 == 0o600


def test_a_link_in_a_map_is_refused(poses: Path, tmp_path: Path) -> None:
    (tmp_path / "map").mkdir()
    (tmp_path / "map" / "map.json").write_text("{}")
    link = tmp_path / "map" / "scores.json"
    link.symlink_to(tmp_path / "precious")
    result = CliRunner().invoke(command, [str(poses), str(poses), "--json", str(link)])
    assert isinstance(result.exception, ConfigError) and "is a link in the map" in str(
        result.exception
    )
    assert not (tmp_path / "precious").exists()
