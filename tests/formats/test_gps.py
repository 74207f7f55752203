"""Positions of photos: CSV as people write it, EXIF as cameras do."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import ExifTags, Image

from hloc_lite.config import ImagesConfig
from hloc_lite.errors import FormatError, ImageError
from hloc_lite.formats.gps import read_positions
from hloc_lite.geometry.geodesy import Geodetic
from hloc_lite.io.images import exif_position

GPS = ExifTags.GPS
MUNICH = {
    GPS.GPSLatitudeRef: "N",
    GPS.GPSLatitude: (48.0, 8.0, 24.0),
    GPS.GPSLongitudeRef: "E",
    GPS.GPSLongitude: (11.0, 34.0, 48.0),
    GPS.GPSAltitudeRef: b"\0",
    GPS.GPSAltitude: 519.5,
}


def csv_file(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "positions.csv"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("header", ["", "name,latitude,longitude,height\n", "Foto,lat,lon,h\n"])
def test_positions_with_and_without_header(tmp_path: Path, header: str) -> None:
    text = header + '# comment\n\nb/1.jpg, 48.5, -11.25, 500\n"a, b.jpg",-33,151,-2.5\n'
    assert read_positions(csv_file(tmp_path, text)) == {
        "b/1.jpg": Geodetic(48.5, -11.25, 500.0),
        "a, b.jpg": Geodetic(-33.0, 151.0, -2.5),
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


def photo(tmp_path: Path, gps: dict) -> Path:
    path = tmp_path / "photo.jpg"
    image = Image.new("RGB", (8, 8))
    exif = image.getexif()
    exif.get_ifd(ExifTags.IFD.GPSInfo).update(gps)
    image.save(path, exif=exif)
    return path


def test_exif(tmp_path: Path) -> None:
    found = exif_position(photo(tmp_path, MUNICH), ImagesConfig())
    assert found is not None
    assert found.latitude_deg == pytest.approx(48.14, abs=1e-6)
    assert found.longitude_deg == pytest.approx(11.58, abs=1e-6)
    assert found.height_m == pytest.approx(519.5)


def test_exif_of_the_other_hemispheres_and_below_sea_level(tmp_path: Path) -> None:
    signs = {GPS.GPSLatitudeRef: "S", GPS.GPSLongitudeRef: "W", GPS.GPSAltitudeRef: b"\x01"}
    found = exif_position(photo(tmp_path, MUNICH | signs), ImagesConfig())
    assert found is not None
    assert (found.latitude_deg, found.longitude_deg) == pytest.approx((-48.14, -11.58), abs=1e-6)
    assert found.height_m == pytest.approx(-519.5)


@pytest.mark.parametrize(
    "gps",
    [
        {},
        {key: value for key, value in MUNICH.items() if key != GPS.GPSAltitude},
        {key: value for key, value in MUNICH.items() if key != GPS.GPSLatitudeRef},
        MUNICH | {GPS.GPSLatitude: (0.0, 0.0, 0.0), GPS.GPSLongitude: (0.0, 0.0, 0.0)},
        MUNICH | {GPS.GPSLatitude: (100.0, 0.0, 0.0)},
    ],
)
def test_exif_that_does_not_say(tmp_path: Path, gps: dict) -> None:
    assert exif_position(photo(tmp_path, gps), ImagesConfig()) is None


def test_no_image(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="does not exist"):
        exif_position(tmp_path / "none.jpg", ImagesConfig())
    (tmp_path / "text.jpg").write_text("no image")
    with pytest.raises(ImageError, match="cannot read"):
        exif_position(tmp_path / "text.jpg", ImagesConfig())
