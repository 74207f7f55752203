"""Positions of photos from CSV files."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from hloc_lite.errors import FormatError
from hloc_lite.geometry.geodesy import Geodetic
from hloc_lite.io.files import read_text
from hloc_lite.io.image_names import normalize_name

COLUMNS = "name,latitude,longitude,height"


def read_positions(path: Path) -> dict[str, Geodetic]:
    """Read ``name,latitude,longitude,height`` lines (degrees and metres, WGS-84).

    Names with commas are in double quotes. Empty lines and lines that begin with '#' are skipped; a
    first line without numbers is a header.

    Returns:
        Image name -> position.

    Raises:
        FormatError: a bad line (with its number), an impossible position, or a name listed twice.
    """
    positions: dict[str, Geodetic] = {}
    # not splitlines(): it also splits at characters that names may contain (such as U+2028)
    reader = csv.reader(read_text(path).split("\n"), skipinitialspace=True)
    is_first = True
    try:
        for row in reader:
            if not any(cell.strip() for cell in row) or row[0].startswith("#"):
                continue
            where = f"{path}, line {reader.line_num}"
            if not (is_first and _is_header(row)):
                name, position = _parse_row(row, where)
                if name in positions:
                    raise FormatError(f"{where}: {name!r} is listed twice")
                positions[name] = position
            is_first = False
    except csv.Error as error:
        raise FormatError(f"{path}, line {reader.line_num}: {error}") from None
    return positions


def _is_header(row: list[str]) -> bool:
    return len(row) == 4 and not any(_is_number(cell) for cell in row[1:])


def _is_number(text: str) -> bool:
    try:
        return bool(np.isfinite(float(text)))
    except ValueError:
        return False


def _parse_row(row: list[str], where: str) -> tuple[str, Geodetic]:
    name, *cells = (cell.strip() for cell in row)
    if len(cells) != 3 or not name or not all(_is_number(cell) for cell in cells):
        raise FormatError(f"{where}: expected '{COLUMNS}', got {','.join(row)[:120]!r}")
    try:
        return normalize_name(name), Geodetic(*(float(cell) for cell in cells))
    except FormatError as error:
        raise FormatError(f"{where}: {error}") from None
