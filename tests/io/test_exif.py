"""EXIF tags: focal lengths, GPS positions, broken tags."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image
from PIL.TiffImagePlugin import IFDRational

from hloc_lite.config import ImagesConfig
from hloc_lite.errors import ImageError
from hloc_lite.io.images import exif_position, read_photo
from tests.io.photos import CONFIG, HEIGHT, STORED_FROM_UPRIGHT, WIDTH, exif, quadrants

GPS = ExifTags.GPS
MUNICH = {
    GPS.GPSLatitudeRef: "N",
    GPS.GPSLatitude: (48.0, 8.0, 24.0),
    GPS.GPSLongitudeRef: "E",
    GPS.GPSLongitude: (11.0, 34.0, 48.0),
    GPS.GPSAltitudeRef: b"\0",
    GPS.GPSAltitude: 519.5,
}


@pytest.mark.parametrize("orientation", [1, 6])
def test_focal_length_from_the_35mm_equivalent(tmp_path: Path, orientation: int) -> None:
    stored = np.ascontiguousarray(STORED_FROM_UPRIGHT[orientation](quadrants()))
    tags = exif(orientation, FocalLengthIn35mmFilm=27)
    Image.fromarray(stored).save(tmp_path / "a.jpg", exif=tags)
    found = read_photo(tmp_path / "a.jpg", "a", CONFIG).exif["focal_px"]
    # a 35 mm frame has a diagonal of 43.2666 mm, this photo one of 100 px
    assert found == pytest.approx(27 / 43.2666 * 100, rel=1e-4)


@pytest.mark.parametrize(("unit", "per_mm"), [(2, 1 / 25.4), (3, 1 / 10)])
def test_focal_length_from_the_sensor_of_a_resized_or_turned_photo(
    tmp_path: Path, unit: int, per_mm: float
) -> None:
    # the camera wrote 4000 x 3000 at 100 px/mm with a 40 mm lens: f = 4000 px, now 80 px
    tags = exif(
        FocalLength=IFDRational(40), FocalPlaneXResolution=IFDRational(round(100 / per_mm)),
        FocalPlaneResolutionUnit=unit, ExifImageWidth=4000, ExifImageHeight=3000,
    )  # fmt: skip
    Image.fromarray(quadrants()).save(tmp_path / "a.jpg", exif=tags)
    assert read_photo(tmp_path / "a.jpg", "a", CONFIG).exif["focal_px"] == pytest.approx(80, 1e-3)
    # pixels stored upright by an editor: the longer side is the height
    turned = exif(
        FocalLength=IFDRational(40), FocalPlaneXResolution=IFDRational(round(100 / per_mm)),
        FocalPlaneResolutionUnit=unit, ExifImageWidth=3000, ExifImageHeight=4000,
    )  # fmt: skip
    upright = np.ascontiguousarray(np.rot90(quadrants()))
    Image.fromarray(upright).save(tmp_path / "b.jpg", exif=turned)
    assert read_photo(tmp_path / "b.jpg", "b", CONFIG).exif["focal_px"] == pytest.approx(80, 1e-3)


def test_implausible_focal_lengths_are_ignored(tmp_path: Path) -> None:
    for number, tags in enumerate(
        (
            exif(FocalLengthIn35mmFilm=0),
            exif(FocalLengthIn35mmFilm=60000),
            exif(FocalLength=IFDRational(5, 0), FocalPlaneXResolution=IFDRational(1, 0)),
            exif(FocalLength=IFDRational(5), FocalPlaneXResolution=IFDRational(9),
                 FocalPlaneResolutionUnit=99),
            exif(),
        )
    ):  # fmt: skip
        path = tmp_path / f"{number}.jpg"
        Image.fromarray(quadrants()).save(path, exif=tags)
        assert "focal_px" not in read_photo(path, "a", CONFIG).exif


@pytest.mark.filterwarnings("ignore:::PIL")
def test_a_photo_with_broken_exif_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    tags = exif(6, FocalLengthIn35mmFilm=27, LensMake="x" * 50)
    Image.fromarray(quadrants()).save(path, exif=tags, quality=95)
    whole = bytearray(path.read_bytes())
    start = whole.index(b"Exif\0\0") + 14
    end = start + 100
    rng = np.random.default_rng(2)
    for _ in range(100):
        data = bytearray(whole)
        for at in rng.integers(start, end, 3):
            data[at] = rng.integers(256)
        path.write_bytes(data)
        assert sorted(read_photo(path, "a", CONFIG).pixels.shape) == [3, HEIGHT, WIDTH]


def photo(tmp_path: Path, gps: dict) -> Path:
    path = tmp_path / "photo.jpg"
    image = Image.new("RGB", (8, 8))
    exif = image.getexif()
    exif.get_ifd(ExifTags.IFD.GPSInfo).update(gps)
    image.save(path, exif=exif)
    return path


def test_exif_position(tmp_path: Path) -> None:
    found = exif_position(photo(tmp_path, MUNICH), ImagesConfig())
    assert found is not None
    assert found.latitude_deg == pytest.approx(48.14, abs=1e-6)
    assert found.longitude_deg == pytest.approx(11.58, abs=1e-6)
    assert found.height_m == pytest.approx(519.5)


def test_exif_position_south_west_and_below_sea_level(tmp_path: Path) -> None:
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
def test_incomplete_or_invalid_exif_positions_are_none(tmp_path: Path, gps: dict) -> None:
    assert exif_position(photo(tmp_path, gps), ImagesConfig()) is None


def test_a_file_that_is_not_an_image_has_no_exif_position(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="does not exist"):
        exif_position(tmp_path / "none.jpg", ImagesConfig())
    (tmp_path / "text.jpg").write_text("no image")
    with pytest.raises(ImageError, match="cannot read"):
        exif_position(tmp_path / "text.jpg", ImagesConfig())
