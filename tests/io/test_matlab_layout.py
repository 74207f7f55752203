"""Sizes in structs of MATLAB files are checked before SciPy trusts them."""

from __future__ import annotations

import random
import struct
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from hloc_lite.errors import FormatError
from hloc_lite.io import matlab_layout
from hloc_lite.io.matlab import read_variable
from hloc_lite.io.matlab_layout import check_layout

VALUE = {
    "text": "café", "none": np.empty((0, 0)), "one": 25.0, "long": np.arange(300.0).reshape(2, 150),
    "small": np.array([1, 2], np.uint8), "flag": np.array([True]), "empty": "",
    "cell": np.array([["a.jpg"], [np.array([[1.5]])], [""]], object),
    "inner": {"a": np.int32(3), "b": np.array([], object)},
}  # fmt: skip


def written(folder: Path, value: object = VALUE, *, compressed: bool = False) -> Path:
    savemat(folder / "v.mat", {"other": 1j, "v": value}, do_compression=compressed)
    return folder / "v.mat"


@pytest.mark.parametrize("compressed", [False, True])
def test_whole_files_pass(compressed: bool, tmp_path: Path) -> None:
    path = written(tmp_path, compressed=compressed)
    check_layout(path, "v")
    assert read_variable(path, "v")["one"][0, 0] == 25
    check_layout(path, "missing")


def test_big_endian_files_pass(tmp_path: Path) -> None:
    name, values = b"v" + bytes(7), struct.pack(">2d", 1.5, 2.5)
    array = struct.pack(">IIII", 6, 8, 6, 0) + struct.pack(">IIii", 5, 8, 1, 2)
    array += struct.pack(">II", 1, 1) + name + struct.pack(">II", 9, 16) + values
    header = b"MATLAB 5.0".ljust(124) + struct.pack(">H", 0x0100) + b"MI"
    path = tmp_path / "v.mat"
    path.write_bytes(header + struct.pack(">II", 14, len(array)) + array)
    check_layout(path, "v")
    assert read_variable(path, "v").tolist() == [[1.5, 2.5]]


@pytest.mark.parametrize(
    ("value", "message"),
    [(np.array([1j]), "complex"), ({"a": np.array([2j])}, "complex")],
)
def test_other_kinds_are_refused(value: object, message: str, tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=message):
        check_layout(written(tmp_path, value), "v")


def test_a_text_that_is_too_short_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, {"name": "abcdefgh"})
    data = bytearray(path.read_bytes())
    at = data.index(struct.pack("<IIii", 5, 8, 1, 8))
    data[at + 8 : at + 16] = struct.pack("<ii", 1, 1 << 28)
    path.write_bytes(data)
    with pytest.raises(FormatError, match="an array of 268435456 values has the bytes of 8"):
        check_layout(path, "v")


def test_bombs_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path, np.zeros((1000, 1000)), compressed=True)
    monkeypatch.setattr(matlab_layout, "MAX_BYTES", 100_000)
    with pytest.raises(FormatError, match="a variable is too large"):
        check_layout(path, "v")
    path.write_bytes(bytes(100_001))
    with pytest.raises(FormatError, match="is larger than"):
        check_layout(path, "v")


def test_deep_nesting_is_refused(tmp_path: Path) -> None:
    value: object = 1.0
    for _ in range(matlab_layout.MAX_DEPTH + 1):
        value = {"a": value}
    with pytest.raises(FormatError, match="too many arrays in one another"):
        check_layout(written(tmp_path, value), "v")


@pytest.mark.parametrize("content", [b"", b"MATLAB", bytes(200)])
def test_other_files_are_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "v.mat").write_bytes(content)
    with pytest.raises(FormatError, match="no MATLAB file of version 5"):
        check_layout(tmp_path / "v.mat", "v")


def test_damaged_files_are_refused_or_read_without_a_crash(tmp_path: Path) -> None:
    path = written(tmp_path)
    data, rng = path.read_bytes(), random.Random(0)
    for _ in range(400):
        changed = bytearray(data)
        for _ in range(rng.randint(1, 6)):
            changed[rng.randrange(128, len(data))] = rng.randrange(256)
        path.write_bytes(changed[: rng.choice([len(data), rng.randrange(128, len(data))])])
        with suppress(FormatError):
            check_layout(path, "v")
            read_variable(path, "v")
