"""Positions of photos from CSV files."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from hloc_lite.errors import FormatError
from hloc_lite.geometry.geodesy import Geodetic
from hloc_lite.io.files import read_text
from hloc_lite.io.image_names import normalize_name

COLUMNS = ("name", "latitude", "longitude", "height")
"""Columns of a file without a header, in order."""
HEADER_NAMES: Mapping[str, tuple[str, ...]] = {
    "name": (
        "name", "filename", "file", "image", "imagename", "img", "photo", "photoname", "foto",
        "label", "path", "sourcefile",
    ),
    "latitude": ("latitude", "lat", "gpslatitude"),
    "longitude": ("longitude", "lon", "lng", "long", "gpslongitude"),
    "height": ("height", "h", "altitude", "alt", "elevation", "ele", "elev", "gpsaltitude"),
}  # fmt: skip
"""Column -> header names of it in lower case, without spaces, '_' and '-'."""


def read_positions(path: Path) -> dict[str, Geodetic]:
    """Read positions of photos, one per line (degrees and metres, WGS-84).

    A header names the columns in any order (``HEADER_NAMES``); other columns are ignored. Without a
    header they are ``name,latitude,longitude,height``. Names with commas are in double quotes.
    Empty lines and lines that begin with '#' are skipped, unless the first of them is a header.

    Returns:
        Image name -> position.

    Raises:
        FormatError: an unknown header, a bad line (with its number), an impossible position, or a
            name listed twice.
    """
    positions: dict[str, Geodetic] = {}
    # not splitlines(): it also splits at characters that names may contain (such as U+2028)
    reader = csv.reader(read_text(path).split("\n"), skipinitialspace=True, strict=True)
    order: Sequence[int] | None = None
    try:
        for row in reader:
            if not any(cell.strip() for cell in row):
                continue
            where = f"{path}, line {reader.line_num}"
            if row[0].startswith("#"):
                if order is None and not _unnamed_columns(row):
                    order = _column_order(row, where)
                continue
            if order is None:
                has_header = len(row) > 1 and not any(_is_number(cell) for cell in row[1:])
                order = _column_order(row, where) if has_header else range(len(COLUMNS))
                if has_header:
                    continue
            name, position = _parse_row(row, order, where)
            if name in positions:
                raise FormatError(f"{where}: {name!r} is listed twice")
            positions[name] = position
    except csv.Error as error:
        raise FormatError(
            f"{path}, line {reader.line_num}: {error}: a double quote has no other one that "
            f'closes it, or text beside it; names with commas are written as "a, b.jpg"'
        ) from None
    return positions


def _column_order(header: Sequence[str], where: str) -> list[int]:
    """Index in each row of name, latitude, longitude and height.

    Raises:
        FormatError: a column is missing, or given twice.
    """
    found = _columns(header)
    missing = _unnamed_columns(header)
    repeated = [column for column in COLUMNS if found.count(column) > 1]
    if missing or repeated:
        problem = f"two columns hold the {repeated[0]}" if repeated else ""
        if missing:
            problem = f"no column is called {' or '.join(HEADER_NAMES[missing[0]][:3])}"
        raise FormatError(
            f"{where}: the header {','.join(header)[:120]!r} is not understood: {problem}. "
            f"Expected the columns {', '.join(COLUMNS)} in any order, or no header and this order"
        )
    return [found.index(column) for column in COLUMNS]


def _unnamed_columns(header: Sequence[str]) -> list[str]:
    found = _columns(header)
    return [column for column in COLUMNS if column not in found]


def _columns(header: Sequence[str]) -> list[str | None]:
    """Meaning of each cell of a header; None if it has none."""
    return [_column(cell) for cell in header]


def _column(cell: str) -> str | None:
    # 'Latitude (deg)', 'lat_deg', 'altitude [m]', and 'X/Longitude' as Metashape writes it
    text = re.sub(r"[(\[].*", "", cell.lower()).rpartition("/")[2]
    text = re.sub(r"_(deg|degrees|m|metres|meters)$", "", text.strip(" \t\r#\ufeff"))
    key = re.sub(r"[\s_-]", "", text)
    return next((column for column, names in HEADER_NAMES.items() if key in names), None)


def _is_number(text: str) -> bool:
    try:
        return bool(np.isfinite(float(text)))
    except ValueError:
        return False


def _parse_row(row: Sequence[str], order: Sequence[int], where: str) -> tuple[str, Geodetic]:
    without_header = order == range(len(COLUMNS))
    if len(row) <= max(order) or (without_header and len(row) != len(COLUMNS)):
        raise _bad_row(row, order, where)
    name, *cells = (row[index].strip() for index in order)
    if not name or not all(_is_number(cell) for cell in cells):
        raise _bad_row(row, order, where)
    latitude, longitude, height = (float(cell) for cell in cells)
    try:
        return normalize_name(name), Geodetic(latitude, longitude, height)
    except FormatError as error:
        hint = "; latitude and longitude may be exchanged" if abs(longitude) <= 90 else ""
        raise FormatError(f"{where}: {error}{hint}") from None


def _bad_row(row: Sequence[str], order: Sequence[int], where: str) -> FormatError:
    columns = ",".join(COLUMNS[i] for i in sorted(range(len(order)), key=order.__getitem__))
    return FormatError(f"{where}: expected '{columns}', got {','.join(row)[:120]!r}")
