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
        ("a.jpg,1,2,1e300\n", "line 1: expected a height within 1e"),
        ("a.jpg,1,2,3\n./a.jpg,1,2,3\n", "line 2: 'a.jpg' is listed twice"),
        (",1,2,3\n", "line 1: expected"),
        ('a.jpg,1,2,3\n"b', "line 2: .*a double quote has no other one that closes it"),
    ],
)
def test_bad_lines_are_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        read_positions(csv_file(tmp_path, text))


@pytest.mark.parametrize(
    "header",
    [
        "name,longitude,latitude,height",
        "filename,lon,lat,alt",
        "Image Name, LNG , Lat,elevation (m)",
        "#Label,X/Longitude,Y/Latitude,Z/Altitude",
        "SourceFile,GPSLongitude,GPSLatitude,GPSAltitude",
    ],
)
def test_a_header_names_the_columns_in_any_order(tmp_path: Path, header: str) -> None:
    path = csv_file(tmp_path, f"{header}\n1.jpg,13.19,55.7,59.9\n")
    assert read_positions(path) == {"1.jpg": Geodetic(55.7, 13.19, 59.9)}


def test_other_columns_of_a_header_are_ignored(tmp_path: Path) -> None:
    path = csv_file(tmp_path, "alt,yaw,lat,lon,name\n59.9,7,55.7,13.19,1.jpg\n5,,6,7,2.jpg,x\n")
    assert read_positions(path) == {
        "1.jpg": Geodetic(55.7, 13.19, 59.9),
        "2.jpg": Geodetic(6.0, 7.0, 5.0),
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name,easting,northing,height\n", "no column is called latitude or lat.*Expected"),
        ("name,lat,lon\n", "no column is called height"),
        ("name,lat,latitude,lon,alt\n", "two columns hold the latitude"),
        ("alt,lat,lon,name\n1,2,3\n", "line 2: expected 'height,latitude,longitude,name'"),
        ("a.jpg 55.7 13.19 59.9\n", "line 1: expected 'name,latitude"),
        ("name,lat,lon,alt\na.jpg,151.2,-33.8,9\n", "line 2.*may be exchanged"),
    ],
)
def test_headers_and_values_that_do_not_fit_are_refused(
    tmp_path: Path, text: str, message: str
) -> None:
    with pytest.raises(FormatError, match=message):
        read_positions(csv_file(tmp_path, text))
