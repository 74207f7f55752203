"""GPS positions in CSV files."""

from __future__ import annotations

from pathlib import Path

import pytest

from hloc_lite.errors import FormatError
from hloc_lite.formats.gps import read_positions
from hloc_lite.geometry.geodesy import Geodetic


def csv_file(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "positions.csv"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("header", ["", "name,latitude,longitude,height\n", "Foto,lat,lon,h\n"])
def test_positions_with_and_without_header(tmp_path: Path, header: str) -> None:
    text = header + '# comment\n\nb/1.jpg, 48.5, -11.25, 500\n"a, b.jpg",-33,151,-2.5\r\n'
    text += "c\u2028d.jpg,1,2,3"
    assert read_positions(csv_file(tmp_path, text)) == {
        "b/1.jpg": Geodetic(48.5, -11.25, 500.0),
        "a, b.jpg": Geodetic(-33.0, 151.0, -2.5),
        "c\u2028d.jpg": Geodetic(1.0, 2.0, 3.0),
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a.jpg,1,2\n", "line 1: expected 'name,latitude,longitude,height'"),
        ("a.jpg,1,2,3\nb.jpg,1,2,\n", "line 2: expected"),
        ("a.jpg,1,2,3\nname,lat,lon,h\n", "line 2: expected"),
        ("a.jpg,91,2,3\n", "line 1: expected a latitude within 90"),
        ("a.jpg,1,2,nan\n", "line 1: expected"),
        ("a.jpg,1,2,3\n./a.jpg,1,2,3\n", "line 2: 'a.jpg' is listed twice"),
        (",1,2,3\n", "line 1: expected"),
    ],
)
def test_bad_lines_are_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        read_positions(csv_file(tmp_path, text))
