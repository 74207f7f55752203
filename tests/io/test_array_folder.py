"""Array folders: round trips, damage, overwriting, killed writers."""

from __future__ import annotations

import json
import zlib
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock

from hloc_lite.config import fingerprint
from hloc_lite.errors import FormatError, HlocLiteError
from hloc_lite.io import array_folder
from hloc_lite.io.array_file import read_array
from hloc_lite.io.array_folder import (
    json_array,
    json_of,
    read_array_folder,
    write_array_folder,
)

SCHEMA = "test/1"
ARRAYS = {
    "a/small": np.arange(7, dtype=np.uint32),
    "a/large": np.arange(1 << 17, dtype=np.float32).reshape(-1, 4),
    "b/empty": np.zeros((0, 3), np.int8),
    "b/big-endian": np.arange(5, dtype=">i4"),
}


def write(folder: Path, arrays=ARRAYS, overwrite: bool = False, **header) -> None:
    write_array_folder(folder, SCHEMA, arrays, header, overwrite=overwrite)


def content(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def fail_to_write(*_: object) -> None:
    raise HlocLiteError("the disk is full")


def test_arrays_round_trip_and_are_read_only(tmp_path: Path) -> None:
    write(tmp_path / "f", words=["ü", 1.5])
    header, arrays = read_array_folder(tmp_path / "f", SCHEMA)
    assert header["words"] == ["ü", 1.5] and arrays.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        assert np.array_equal(arrays[name], array) and arrays[name].dtype.byteorder != ">"
        with pytest.raises(ValueError, match="read-only"):
            arrays[name][...] = 0
    assert set(content(tmp_path / "f")) == {"map.json", *(f"{name}.npy" for name in ARRAYS)}


@pytest.mark.parametrize("name", ["map.json", *(f"{name}.npy" for name in ARRAYS)])
@pytest.mark.parametrize("damage", ["truncated", "flipped", "missing", "longer"])
def test_damage_is_an_error_that_names_the_file(tmp_path: Path, name, damage) -> None:
    write(tmp_path / "f", words="as they were")
    path = tmp_path / "f" / name
    data = bytearray(path.read_bytes())
    if damage == "missing":
        path.unlink()
    elif damage == "flipped":
        data[-20] ^= 1  # in map.json a digit of the checksum
        path.write_bytes(data)
    else:
        path.write_bytes(data[:-5] if damage == "truncated" else data + b"x")
    with pytest.raises(FormatError, match=name):
        read_array_folder(tmp_path / "f", SCHEMA)


def test_an_edited_header_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "f", words="as they were")
    path = tmp_path / "f/map.json"
    path.write_text(path.read_text().replace("as they were", "as they are"))
    with pytest.raises(FormatError, match="damaged or was changed"):
        read_array_folder(tmp_path / "f", SCHEMA)


def test_files_outside_the_folder_are_never_read(tmp_path: Path) -> None:
    write(tmp_path / "f")
    np.save(tmp_path / "secret.npy", np.arange(3))
    header = json.loads((tmp_path / "f/map.json").read_text())
    header["files"]["../secret.npy"] = header["files"]["a/small.npy"]
    plain = {key: value for key, value in header.items() if key != "checksum"}
    header["checksum"] = fingerprint(plain)
    (tmp_path / "f/map.json").write_text(json.dumps(header))
    with pytest.raises(FormatError, match=r"names '\.\./secret\.npy'"):
        read_array_folder(tmp_path / "f", SCHEMA)


def test_pickles_are_never_read(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="Object arrays cannot be saved"):
        write(tmp_path / "f", {"a/x": np.array([{}], object)})


@pytest.mark.parametrize("schema", ["other/1", None])
def test_another_schema_is_refused(tmp_path: Path, schema) -> None:
    (tmp_path / "map.json").write_text(json.dumps({"schema": schema}))
    with pytest.raises(FormatError, match=f"expected schema {SCHEMA}, got {schema!r}"):
        read_array_folder(tmp_path, SCHEMA)


@pytest.mark.parametrize("name", ["thesis.txt", "a/small.npy", "map.json", ".new/notes.txt"])
@pytest.mark.parametrize("overwrite", [False, True])
def test_folders_with_other_files_are_refused_and_unchanged(
    tmp_path: Path, name, overwrite
) -> None:
    path = tmp_path / "f" / name
    path.parent.mkdir(parents=True)
    path.write_text("mine")
    with pytest.raises(HlocLiteError, match=f"not empty.*{name}"):
        write(tmp_path / "f", overwrite=overwrite)
    assert content(tmp_path / "f") == {name: b"mine"}


def test_overwrite_replaces_a_folder_and_keeps_other_files(tmp_path: Path) -> None:
    write(tmp_path / "f")
    before = content(tmp_path / "f")
    with pytest.raises(HlocLiteError, match="--overwrite"):
        write(tmp_path / "f")
    assert content(tmp_path / "f") == before
    (tmp_path / "f/a/notes.txt").write_text("mine")
    write(tmp_path / "f", {"c/new": np.arange(3)}, overwrite=True)
    assert set(content(tmp_path / "f")) == {"map.json", "c/new.npy", "a/notes.txt"}
    assert not (tmp_path / "f/b").exists()


def test_a_killed_write_leaves_old_or_new(tmp_path: Path, monkeypatch) -> None:
    """Kill a write over an old folder at every rename; the next write succeeds."""
    old, new = {"a/x": np.zeros(3), "a/old": np.zeros(2)}, {"a/x": np.ones(3), "a/new": np.ones(2)}
    replace, outcomes = Path.replace, []
    for survived in range(12):
        folder = tmp_path / str(survived)
        write(folder, old)
        left = [survived]

        def dying(path: Path, target: Path, left=left) -> Path:
            if left[0] == 0:
                raise KeyboardInterrupt
            left[0] -= 1
            return replace(path, target)

        monkeypatch.setattr(Path, "replace", dying)
        try:
            write(folder, new, overwrite=True)
            killed = False
        except KeyboardInterrupt:
            killed = True
        monkeypatch.setattr(Path, "replace", replace)
        found = set(read_array_folder(folder, SCHEMA)[1])
        assert found in ({"a/x", "a/old"}, {"a/x", "a/new"})
        outcomes.append("new" if "a/new" in found else "old")
        if outcomes[-1] == "new" and killed:  # completed even if the next write fails
            with monkeypatch.context() as patch, pytest.raises(HlocLiteError, match="full"):
                patch.setattr(array_folder, "write_array", fail_to_write)
                write(folder, old, overwrite=True)
            assert np.array_equal(read_array_folder(folder, SCHEMA)[1]["a/new"], np.ones(2))
        write(folder, new, overwrite=True)
        assert set(content(folder)) == {"map.json", "a/x.npy", "a/new.npy"}
        assert np.array_equal(read_array_folder(folder, SCHEMA)[1]["a/x"], np.ones(3))
        if not killed:
            break
    assert outcomes[0] == "old" and outcomes[-1] == "new" and not killed
    assert outcomes == sorted(outcomes, key=["old", "new"].index)


def test_a_killed_first_write_can_be_repeated_without_overwrite(tmp_path, monkeypatch) -> None:
    replace = Path.replace
    for survived in range(2 * len(ARRAYS) + 2):
        folder, left = tmp_path / str(survived), [survived]

        def dying(path: Path, target: Path, left=left) -> Path:
            if left[0] == 0:
                raise KeyboardInterrupt
            left[0] -= 1
            return replace(path, target)

        monkeypatch.setattr(Path, "replace", dying)
        with pytest.raises(KeyboardInterrupt):
            write(folder)
        monkeypatch.setattr(Path, "replace", replace)
        with suppress(FormatError):  # new, or nothing
            assert read_array_folder(folder, SCHEMA)[1].keys() == ARRAYS.keys()
        write(folder)
        assert read_array_folder(folder, SCHEMA)[1].keys() == ARRAYS.keys()


def test_json_round_trips_as_an_array() -> None:
    value = {"names": ["a\nb", "ü", "\0"], "n": [1, 2.5, None]}
    assert json_of(json_array(value)) == value
    with pytest.raises(FormatError, match="not JSON"):
        json_of(np.frombuffer(b"[1,", np.uint8))


def test_a_second_writer_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "f", words="first")
    before = content(tmp_path / "f")
    with FileLock(tmp_path / "f/.lock"):
        with pytest.raises(HlocLiteError, match="another process is writing"):
            write(tmp_path / "f", overwrite=True)
        during = content(tmp_path / "f")
        assert {name: during[name] for name in before} == before
    write(tmp_path / "f", overwrite=True, words="second")  # the lock of one that was killed
    assert set(content(tmp_path / "f")) == set(before)
    assert read_array_folder(tmp_path / "f", SCHEMA)[0]["words"] == "second"


@pytest.mark.parametrize("shape", [(10**10,), (10**13,), (2**62,)])
@pytest.mark.parametrize("size", [64, 1 << 17])
def test_arrays_that_claim_more_than_their_file_are_refused(tmp_path, shape, size) -> None:
    path = tmp_path / "x.npy"
    with path.open("wb") as file:
        header = {"descr": "<f8", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, header)
        file.write(b"x" * size)
    recorded = {"bytes": path.stat().st_size, "crc32": f"{zlib.crc32(path.read_bytes()):08x}"}
    with pytest.raises(FormatError, match=r"cannot read .*x\.npy"):
        read_array(path, recorded)


@pytest.mark.parametrize(
    "header", ["{'descr': '<u4', 'shape': (36,), =", "(" * 5000, "{[]: 1}", "1"]
)
def test_a_header_that_is_no_dictionary_is_refused(header: str, tmp_path: Path) -> None:
    """Its checksum fits: a stranger can compute one."""
    data = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode()
    (tmp_path / "a.npy").write_bytes(data)
    recorded = {"bytes": len(data), "crc32": f"{zlib.crc32(data):08x}"}
    with pytest.raises(FormatError, match="cannot read"):
        read_array(tmp_path / "a.npy", recorded)
