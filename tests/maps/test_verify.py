"""Changed files of maps: found by ``verify_map``, and refused where they are read."""

from __future__ import annotations

import json
import os
from pathlib import Path

import h5py
import numpy as np
import pytest
from click.testing import CliRunner

from hloc_lite.cli.main import cli
from hloc_lite.errors import DamagedMapError, FormatError, NewerVersionError
from hloc_lite.io.array_file import ArrayRows, write_array
from hloc_lite.io.bank import Bank, write_bank
from hloc_lite.io.schemas import with_checksum
from hloc_lite.maps.compress import compress_map
from hloc_lite.maps.georeference import write_georeference
from hloc_lite.maps.map import Map
from hloc_lite.maps.surface_saving import write_surface
from hloc_lite.maps.verify import FileState, verify_map
from hloc_lite.types import Surface
from tests.maps.test_replacement import GEOREFERENCE


@pytest.fixture
def folders(labelled_map: Map, tmp_path: Path) -> dict[str, Path]:
    """A full and a compact map, both with a georeference and a surface."""
    found = {"full": tmp_path / "full", "compact": tmp_path / "compact"}
    labelled_map.save(found["full"])
    compress_map(labelled_map, found["compact"])
    points = np.random.default_rng(0).random((500, 3), np.float32)
    surface = Surface(points, np.zeros((500, 3), np.uint8))
    for folder in found.values():
        write_georeference(folder, GEOREFERENCE)
        write_surface(folder, [surface], labelled_map.fingerprint, {})
    return found


@pytest.mark.parametrize("kind", ["full", "compact"])
@pytest.mark.parametrize("change", ["flipped", "cut", "deleted"])
def test_every_file_is_compared(folders, kind: str, change: str) -> None:
    folder = folders[kind]
    checks = verify_map(folder)
    assert {each.state for each in checks} == {FileState.INTACT}
    files = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    assert {each.name for each in checks} == files
    for name in sorted(files - {"map.json", "surface/map.json"}):
        path = folder / name
        content = path.read_bytes()
        if change == "deleted":
            path.unlink()
        else:
            middle = len(content) // 2
            flipped = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
            path.write_bytes(flipped if change == "flipped" else content[:middle])
        states = {each.name: each.state for each in verify_map(folder)}
        path.write_bytes(content)
        if change == "deleted" and name == "georeference.json":
            assert name not in states  # nothing says that there was one
            continue
        assert states[name] is FileState.CHANGED
        assert sum(state is not FileState.INTACT for state in states.values()) == 1


def test_the_command_lists_changed_files_and_fails(folders) -> None:
    assert CliRunner().invoke(cli, ["info", str(folders["full"]), "--verify"]).exit_code == 0
    path = folders["full"] / "features.h5"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    found = CliRunner().invoke(cli, ["info", str(folders["full"]), "--verify", "--json"])
    assert isinstance(found.exception, DamagedMapError) and "features.h5" in str(found.exception)
    assert json.loads(found.output)["features.h5"] == "changed"
    assert json.loads(found.output)["retrieval.h5"] == "intact"


def test_features_that_are_written_again_in_another_order_are_refused(folders) -> None:
    path = folders["full"] / "features.h5"
    bank = Bank(path)
    items = {key: dict(bank[key]) for key in bank}
    attrs = dict(bank.attrs)
    bank.close()
    first = next(iter(items))
    items[first]["descriptors"] = items[first]["descriptors"][::-1]
    write_bank(path, items.items(), attrs)
    with pytest.raises(DamagedMapError, match=r"features\.h5 was changed"):
        Map.open(folders["full"])


def test_features_that_are_changed_in_place_are_refused_where_they_are_read(folders) -> None:
    path = folders["full"] / "features.h5"
    with h5py.File(path, "r+") as file:
        file["descriptors"][:] = file["descriptors"][:][::-1]
    with pytest.raises(FormatError, match="was changed"):
        list(Map.open(folders["full"]).features.values())


@pytest.mark.parametrize("kind", ["full", "compact"])
def test_a_newer_version_is_named_with_its_remedy(folders, kind: str) -> None:
    path = folders[kind] / "map.json"
    header = json.loads(path.read_text())
    name, _, version = header["schema"].rpartition("/")
    newer = {**header, "schema": f"{name}/{int(version) + 98}"}
    del newer["checksum"]
    path.write_text(json.dumps(with_checksum(newer)))
    with pytest.raises(NewerVersionError, match="newer version of hloc_lite"):
        Map.open(folders[kind])


def test_a_surface_of_other_poses_is_ignored(folders, labelled_map: Map, caplog) -> None:
    assert Map.open(folders["full"]).surface is not None
    path = folders["full"] / "surface/map.json"
    header = {**json.loads(path.read_text()), "poses": {"poses_sha256": "0" * 16}}
    del header["checksum"]
    path.write_text(json.dumps(with_checksum(header)))
    assert Map.open(folders["full"]).surface is None
    assert "other poses" in caplog.text


@pytest.mark.skipif(os.name == "nt", reason="Windows cuts no open files off")
@pytest.mark.parametrize("most", [1 << 30, 0])
def test_files_that_are_cut_off_while_they_are_open_are_errors(
    folders, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr("hloc_lite.io.array_file.MAX_ROWS_BYTES", most)
    maps = [Map.open(folder) for folder in folders.values()]
    rows = np.arange(3)
    expected = [each.landmark_descriptors.rows_of(rows)[0] for each in maps]
    whole = [len(each.surface.whole()) for each in maps]
    assert whole == [500, 500]
    for folder in folders.values():
        for path in folder.rglob("*.npy"):
            os.truncate(path, 200)
    for each, values in zip(maps, expected, strict=True):
        if most or each is maps[1]:  # in memory
            assert np.array_equal(each.landmark_descriptors.rows_of(rows)[0], values)
        else:
            with pytest.raises(FormatError, match="cut off"):
                each.landmark_descriptors.rows_of(rows)
        with pytest.raises(FormatError):
            each.surface.whole()


@pytest.mark.parametrize("most", [1 << 30, 0])
def test_rows_are_read_in_any_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr("hloc_lite.io.array_file.MAX_ROWS_BYTES", most)
    rng = np.random.default_rng(0)
    values = rng.random((1000, 7)).astype(np.float16)
    recorded = write_array(tmp_path / "a.npy", values)
    rows = ArrayRows(tmp_path / "a.npy", {**recorded, "shape": [1000, 7]})
    for idxs in (
        rng.integers(-1000, 1000, 300), np.array([5]), np.array([], np.int64), slice(3, 900, 40),
        slice(None), np.arange(12).reshape(3, 4),
    ):  # fmt: skip
        assert np.array_equal(rows[idxs], values[idxs]) and rows[idxs].dtype == np.float16
    with pytest.raises(IndexError):
        rows[np.array([1000])]


@pytest.mark.parametrize("name", ["features.h5", "sfm", "surface/tiles", "calibration.json"])
def test_links_out_of_a_map_need_trust(folders, tmp_path: Path, name: str) -> None:
    folder, elsewhere = folders["full"], tmp_path / "elsewhere"
    path = folder / name
    if path.exists():
        path.rename(elsewhere)
    path.symlink_to(elsewhere)
    with pytest.raises(FormatError, match="is a link out of the map"):
        Map.open(folder)
    with pytest.raises(FormatError, match="is a link out of the map"):
        verify_map(folder)
    assert len(Map.open(folder, trust=True).model.images) > 1


def test_links_within_a_map_and_to_it_are_followed(folders, tmp_path: Path) -> None:
    folder = folders["full"]
    (folder / "report.json").rename(folder / "other.json")
    (folder / "report.json").symlink_to("other.json")
    (tmp_path / "link").symlink_to(folder)
    (tmp_path / "other disk").mkdir()
    (folder / "work").symlink_to(tmp_path / "other disk")  # no query reads it
    assert len(Map.open(tmp_path / "link").model.images) > 1
