"""PTX and E57 scans: frames, holes, colours, several scans, damaged files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hloc_lite.errors import FormatError, MissingDependencyError
from hloc_lite.formats.point_files import point_files, read_point_files
from hloc_lite.formats.ptx import read_ptx

TURN = "0 1 0 0\n-1 0 0 0\n0 0 1 0\n"
"""Rows are the axes of the scan in the common frame: 90 degrees about z."""
HEAD = "2\n2\n0 0 0\n1 0 0\n0 1 0\n0 0 1\n"
POINTS = "1 0 0 0.5 255 0 10\n0 0 0 0.5 0 0 0\n0 2 0 0.25 1 2 3\n0 0 3 1 9 9 9\n"
SCAN = HEAD + TURN + "10 20 30 1\n" + POINTS
PLAIN = HEAD + "1 0 0 0\n0 1 0 0\n0 0 1 0\n0 0 0 1\n" + "1 1 1 0.2\n" * 4


def test_ptx_of_two_scans(tmp_path: Path) -> None:
    path = tmp_path / "a.ptx"
    path.write_text(SCAN + PLAIN)
    first, second = read_ptx(path)
    # x of the scan is y of the common frame, its y is -x
    assert first.xyz.tolist() == [[10, 21, 30], [8, 20, 30], [10, 20, 33]]
    assert first.rgb is not None and first.rgb.tolist() == [[255, 0, 10], [1, 2, 3], [9, 9, 9]]
    assert first.scanner is not None and first.scanner.tolist() == [10, 20, 30]
    assert len(second) == 4 and second.rgb is not None and (second.rgb == 51).all()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (POINTS, POINTS[:30], "ends within scan 1|damaged"),
        ("2\n2\n", "2\nx\n", "no PTX header"),
        ("2\n2\n", "9999999\n9999999\n", "9999999 columns"),
        ("10 20 30 1", "10 20 30 0", "no rotation"),
        ("0 1 0 0\n", "0 2 0 0\n", "no rotation"),
        ("0 2 0 0.25 1 2 3", "0 2 zero 0.25 1 2 3", "damaged"),
        ("0 2 0 0.25 1 2 3", "0 2 0 0.25 1", "damaged"),
        ("0 2 0 0.25 1 2 3", "0 2 0 0.25 1 nan 3", "no number from 0 to 255"),
        ("0 2 0 0.25 1 2 3", "0 2 0 0.25 1 256 3", "no number from 0 to 255"),
        ("0 2 0 0.25 1 2 3", "0 2e300 0 0.25 1 2 3", "farther than"),
        (SCAN, "", "is empty"),
    ],
)
def test_damaged_ptx_is_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    path = tmp_path / "a.ptx"
    path.write_text(SCAN.replace(old, new, 1))
    with pytest.raises(FormatError, match=message):
        list(read_ptx(path))


def test_e57_as_pye57_writes_it(tmp_path: Path) -> None:
    pye57 = pytest.importorskip("pye57")
    rng = np.random.default_rng(0)
    xyz = rng.normal(size=(50, 3))
    colours = rng.integers(0, 256, (50, 3)).astype(np.uint8)
    data = {f"cartesian{axis}": xyz[:, i] for i, axis in enumerate("XYZ")}
    data |= {f"color{c}": colours[:, i] for i, c in enumerate(("Red", "Green", "Blue"))}
    turn, position = np.array([np.sqrt(0.5), 0, 0, np.sqrt(0.5)]), np.array([5.0, 6.0, 7.0])
    path = tmp_path / "a.e57"
    with pye57.E57(str(path), mode="w") as file:
        file.write_scan_raw(data, rotation=turn, translation=position)
        file.write_scan_raw(data)
    first, second = read_point_files(path)
    expected = np.column_stack([-xyz[:, 1], xyz[:, 0], xyz[:, 2]]) + position
    np.testing.assert_allclose(first.xyz, expected, atol=1e-6)
    np.testing.assert_array_equal(first.rgb, colours)
    assert first.scanner is not None and first.scanner.tolist() == position.tolist()
    np.testing.assert_allclose(second.xyz, xyz, atol=1e-6)


def test_what_is_no_e57_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.e57"
    path.write_bytes(b"ASTM-E57" + bytes(100))
    pytest.importorskip("pye57")
    with pytest.raises(FormatError, match="no E57 file"):
        list(read_point_files(path))
    monkeypatch.setitem(__import__("sys").modules, "pye57", None)
    with pytest.raises(MissingDependencyError, match=r"hloc-lite\[depth\]"):
        list(read_point_files(path))


def test_a_folder_of_scans_is_read_in_order(tmp_path: Path) -> None:
    for name in ("b.ptx", "a.ptx"):
        (tmp_path / name).write_text(PLAIN)
    (tmp_path / "notes.txt").write_text("")
    assert [path.name for path in point_files(tmp_path)] == ["a.ptx", "b.ptx"]
    assert sum(map(len, read_point_files(tmp_path))) == 8


@pytest.mark.parametrize("name", ["a.las", "missing.ply", "empty"])
def test_other_files_are_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "a.las").touch()
    (tmp_path / "empty").mkdir()
    with pytest.raises(FormatError, match=r"\.ply|does not exist"):
        point_files(tmp_path / name)
