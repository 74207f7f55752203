"""Photos whose names hold their position: ``@UTM_EAST@UTM_NORTH@...@.jpg``.

It is the convention of https://github.com/gmberton/VPR-datasets-downloader (Berton et al., CVPR
2022), which writes St Lucia, Pitts30k, Tokyo 24/7 and others as ``database/`` and ``queries/``. The
fields are UTM east, UTM north, zone, letter, latitude, longitude, panorama, tile, heading, pitch,
roll, height, time and note. Only the first two must be there.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from hloc_lite.errors import FormatError
from hloc_lite.formats.listed_names import read_listed_names
from hloc_lite.formats.named_positions import NamedPositions
from hloc_lite.formats.pose_text import finite_numbers
from hloc_lite.formats.vpr_truth import RecognitionTruth
from hloc_lite.types import Float64

MAX_DISTANCE_M = 25.0
"""Distance within which a database image is right: that of Pitts30k, Tokyo 24/7 and later sets."""
DATABASE, QUERIES = "database/", "queries/"
PANORAMA_FIELD = 7
"""Index of the panorama among the fields of a name; the first is empty."""
MAX_COORDINATE_M = 2e7
"""Bound of UTM coordinates: half the circumference of the Earth."""


def read_utm_names(path: Path, max_distance_m: float = MAX_DISTANCE_M) -> NamedPositions:
    """Read the positions in the names of ``database/**`` and ``queries/**``.

    Args:
        path: folder of both, or a list of the names in it.
        max_distance_m: distance up to which a database image is right, inclusive.

    Raises:
        FormatError: one of the two sides has no images, or a name has no position.
    """
    names = read_listed_names(path)
    sides = [tuple(name for name in names if name.startswith(side)) for side in (QUERIES, DATABASE)]
    if not all(sides):
        raise FormatError(
            f"{path}: expected images in {DATABASE} and {QUERIES}, got {len(sides[1])} and "
            f"{len(sides[0])}"
        )
    queries, images = (_positions(side, path) for side in sides)
    return NamedPositions(RecognitionTruth(queries, images, max_distance_m), *sides)


def utm_from_name(name: str, where: str) -> tuple[float, float]:
    """UTM east and north in metres of a name.

    Raises:
        FormatError: the name has no such fields.
    """
    fields = name.rpartition("/")[2].split("@")
    if len(fields) < 4 or fields[0]:
        raise FormatError(
            f"{where}: expected a name '@UTM_EAST@UTM_NORTH@...@.jpg', got {name[:120]!r}"
        )
    east, north = finite_numbers(fields[1:3], f"{where}, {name[:120]!r}")
    if max(abs(east), abs(north)) > MAX_COORDINATE_M:
        raise FormatError(f"{where}: {name[:120]!r} is at no position on Earth")
    return east, north


def panorama_from_name(name: str) -> str:
    """Panorama field of a name; the name itself where it is empty or missing."""
    fields = name.rpartition("/")[2].split("@")
    has_field = len(fields) > PANORAMA_FIELD + 1 and not fields[0]
    return (has_field and fields[PANORAMA_FIELD]) or name


def _positions(names: Sequence[str], path: Path) -> Float64:
    return np.array([utm_from_name(name, str(path)) for name in names], np.float64)
