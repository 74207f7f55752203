"""Tokyo 24/7 (Torii et al., CVPR 2015): positions of queries, and panoramas of database cutouts.

Each query photo has a CSV file that begins with ``NAME,LATITUDE,LONGITUDE``. Database images are
cutouts of panoramas, 12 for each, named ``..._012_ANGLE.png`` with a multiple of 30 degrees.
"""

from __future__ import annotations

import csv
import re
from pathlib import Path

import numpy as np

from hloc_lite.errors import FormatError
from hloc_lite.formats.pose_text import finite_numbers, image_name
from hloc_lite.geometry.utm import utm_from_geodetic
from hloc_lite.io.files import text_lines
from hloc_lite.types import Float64

UTM_ZONE = 54
"""Zone of Tokyo, on the northern half (band S)."""
STEP_DEG = 30
"""Step of the angles of cutouts."""
_CUTOUT = re.compile(r"(.+)_012_([0-9]{1,3})(?=\.|$)")


def read_tokyo_queries(folder: Path) -> tuple[tuple[str, ...], Float64]:
    """Read the CSV files of a folder of queries.

    Returns:
        Names, and (Q, 2) UTM metres east and north in ``UTM_ZONE``.

    Raises:
        FormatError: no CSV files, another first line, or a position far from Tokyo's zone.
    """
    files = sorted(folder.glob("*.csv"))
    if not files:
        raise FormatError(f"{folder}: expected a CSV file for each query, found none")
    names, positions = [], []
    for file in files:
        # zip files made on a Mac have such copies beside the files
        if file.name.startswith("._"):
            continue
        line = next(text_lines(file), "")
        try:
            cells = next(csv.reader([line]), [])
        except csv.Error as error:
            raise FormatError(f"{file}: {error}") from None
        if len(cells) < 3:
            raise FormatError(f"{file}: expected 'NAME,LATITUDE,LONGITUDE,...', got {line[:120]!r}")
        names.append(image_name(cells[0].strip(), str(file)))
        position = finite_numbers(cells[1:3], str(file))
        try:
            positions.append(utm_from_geodetic(position[0], position[1], UTM_ZONE))
        except FormatError as error:
            raise FormatError(f"{file}: {error}") from None
    if len(set(names)) != len(names):
        raise FormatError(f"{folder}: a query is listed twice")
    return tuple(names), np.array(positions, np.float64).reshape(-1, 2)


def panorama_of_cutout(name: str) -> str:
    """Panorama that a database image was cut out of; the name itself for other images."""
    found = _CUTOUT.match(name)
    is_cutout = found is not None and int(found[2]) % STEP_DEG == 0 and int(found[2]) < 360
    return found[1] if found is not None and is_cutout else name
