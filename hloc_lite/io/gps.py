"""Where photos were taken: from CSV files, and from the EXIF of the photos themselves."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import ExifTags

from hloc_lite.config import ImagesConfig
from hloc_lite.errors import FormatError, ImageError
from hloc_lite.geometry.geodesy import Geodetic
from hloc_lite.io.files import read_text
from hloc_lite.io.images import check_file_size, opened_image, short_reason
from hloc_lite.io.poses import normal_name

COLUMNS = "name,latitude,longitude,height"


def read_positions(path: Path) -> dict[str, Geodetic]:
    """``name,latitude,longitude,height`` a line (degrees and metres, WGS-84) -> name -> place.

    Names with commas stand in double quotes. Lines that are empty or begin with '#' are comments; a
    first line without numbers is a header.

    Raises:
        FormatError: a bad line (with its number), no such place on Earth, or a name twice.
    """
    positions: dict[str, Geodetic] = {}
    reader = csv.reader(read_text(path).splitlines(), skipinitialspace=True)
    is_first = True
    try:
        for row in reader:
            if not any(cell.strip() for cell in row) or row[0].startswith("#"):
                continue
            where = f"{path}, line {reader.line_num}"
            if not (is_first and _is_header(row)):
                name, place = _parsed(row, where)
                if name in positions:
                    raise FormatError(f"{where}: {name!r} is there twice")
                positions[name] = place
            is_first = False
    except csv.Error as error:
        raise FormatError(f"{path}, line {reader.line_num}: {error}") from None
    return positions


def exif_position(path: Path, config: ImagesConfig) -> Geodetic | None:
    """Where EXIF says that a photo was taken; None if it does not, or not how high.

    Cameras mostly give heights above sea level, and hardly ever say which; they are taken as given.

    Raises:
        ImageError: missing, too large, or not an image.
    """
    check_file_size(path, "image", config)
    try:
        with opened_image(path) as image:
            gps = image.getexif().get_ifd(ExifTags.IFD.GPSInfo)
    except Exception as error:  # Pillow raises all sorts of errors on broken files
        raise ImageError(f"cannot read image {path}: {short_reason(error)}") from None
    return _place_of(gps)


def _place_of(gps: Mapping[int, Any]) -> Geodetic | None:
    try:
        latitude = _degrees(gps[ExifTags.GPS.GPSLatitude])
        longitude = _degrees(gps[ExifTags.GPS.GPSLongitude])
        height = float(gps[ExifTags.GPS.GPSAltitude])
        if _letter(gps[ExifTags.GPS.GPSLatitudeRef]) == "S":
            latitude = -latitude
        if _letter(gps[ExifTags.GPS.GPSLongitudeRef]) == "W":
            longitude = -longitude
        if gps.get(ExifTags.GPS.GPSAltitudeRef, b"\0") in (b"\x01", 1):
            height = -height
        is_void = latitude == 0 and longitude == 0  # what cameras without reception write
        return None if is_void else Geodetic(latitude, longitude, height)
    except (KeyError, TypeError, ValueError, ZeroDivisionError, FormatError):
        return None  # EXIF is optional and often broken


def _degrees(value: Any) -> float:
    """Of degrees, minutes and seconds."""
    degrees, minutes, seconds = (float(part) for part in value)
    return degrees + minutes / 60 + seconds / 3600


def _letter(value: Any) -> str:
    text = value.decode("ascii") if isinstance(value, bytes) else str(value)
    return text.strip("\0 ").upper()


def _is_header(row: list[str]) -> bool:
    return len(row) == 4 and not any(_is_number(cell) for cell in row[1:])


def _is_number(text: str) -> bool:
    try:
        return bool(np.isfinite(float(text)))
    except ValueError:
        return False


def _parsed(row: list[str], where: str) -> tuple[str, Geodetic]:
    name, *cells = (cell.strip() for cell in row)
    if len(cells) != 3 or not name or not all(_is_number(cell) for cell in cells):
        raise FormatError(f"{where}: expected '{COLUMNS}', got {','.join(row)[:120]!r}")
    try:
        return normal_name(name), Geodetic(*(float(cell) for cell in cells))
    except FormatError as error:
        raise FormatError(f"{where}: {error}") from None
