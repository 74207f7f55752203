"""Mapillary Street-Level Sequences: positions, panoramas and subtasks of the validation cities.

Files of each city, for ``query`` and ``database``: ``raw.csv`` (``pano``), ``postprocessed.csv``
(``easting``, ``northing``) and ``subtask_index.csv``, with a row for each image in the same order
(Warburg et al., CVPR 2020; https://github.com/mapillary/mapillary_sls). Single images are read, no
sequences.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from hloc_lite.errors import FormatError
from hloc_lite.formats.csv_rows import csv_rows
from hloc_lite.formats.named_positions import NamedPositions
from hloc_lite.formats.pose_text import finite_numbers
from hloc_lite.formats.retrieval_truth import RetrievalTruth
from hloc_lite.formats.vpr_truth import RecognitionTruth, is_position
from hloc_lite.types import Float64

VALIDATION_CITIES = ("cph", "sf")
"""Copenhagen and San Francisco: the cities of the public validation."""
SUBTASKS = ("all", "s2w", "w2s", "o2n", "n2o", "d2n", "n2d")
MAX_DISTANCE_M = 25.0
"""Distance up to which a database image is right."""
_TRUTHS = {"true": True, "1": True, "false": False, "0": False}


def read_msls(
    root: Path, cities: Sequence[str] = VALIDATION_CITIES, subtask: str = "all"
) -> RetrievalTruth:
    """Truth of cities, by image key; each city is searched with its own positions.

    Panoramas are left out on both sides, and so are images that are not of the subtask, and queries
    without any right image.

    Args:
        root: folder with ``train_val``, or that folder.
        cities: names of their folders.
        subtask: one of ``SUBTASKS``.

    Raises:
        FormatError: an unknown subtask, a file that is missing or damaged, or files of one side
            with different rows.
    """
    if subtask not in SUBTASKS:
        raise FormatError(f"expected a subtask of {', '.join(SUBTASKS)}, got {subtask!r}")
    base = root / "train_val" if (root / "train_val").is_dir() else root
    positives: dict[str, frozenset[str]] = {}
    database: set[str] = set()
    for city in cities:
        query_names, queries = _read_side(base / city / "query", subtask)
        map_names, images = _read_side(base / city / "database", subtask)
        truth = RecognitionTruth(queries, images, MAX_DISTANCE_M)
        found = NamedPositions(truth, query_names, map_names).truth()
        positives |= {query: right for query, right in found.positives.items() if right}
        database |= found.database
    return RetrievalTruth(positives, {}, frozenset(database))


def _read_side(folder: Path, subtask: str) -> tuple[tuple[str, ...], Float64]:
    """Keys and (N, 2) positions of the images that count."""
    placed = [
        (key, finite_numbers(cells, f"{folder / 'postprocessed.csv'}, line {number}"))
        for number, (key, *cells) in csv_rows(
            folder / "postprocessed.csv", ("key", "easting", "northing")
        )
    ]
    keys = [key for key, _ in placed]
    raw = [
        (key, _truth(cell, folder / "raw.csv", number))
        for number, (key, cell) in csv_rows(folder / "raw.csv", ("key", "pano"))
    ]
    asked = [
        _truth(cell, folder / "subtask_index.csv", number)
        for number, (cell,) in csv_rows(folder / "subtask_index.csv", (subtask,))
    ]
    if [key for key, _ in raw] != keys or len(asked) != len(keys):
        raise FormatError(
            f"{folder}: expected the same images in the same order in raw.csv, postprocessed.csv "
            f"and subtask_index.csv, got {len(raw)}, {len(keys)} and {len(asked)} rows"
        )
    if len(set(keys)) != len(keys):
        raise FormatError(f"{folder / 'raw.csv'}: a key is listed twice")
    kept = [row for row, (_, is_pano) in enumerate(raw) if asked[row] and not is_pano]
    if not is_position([position for _, position in placed]):
        raise FormatError(f"{folder / 'postprocessed.csv'}: a coordinate is at no spot on Earth")
    positions = np.array([placed[row][1] for row in kept], np.float64).reshape(-1, 2)
    return tuple(keys[row] for row in kept), positions


def _truth(cell: str, path: Path, number: int) -> bool:
    if cell.lower() not in _TRUTHS:
        raise FormatError(f"{path}, line {number}: expected True or False, got {cell[:80]!r}")
    return _TRUTHS[cell.lower()]
