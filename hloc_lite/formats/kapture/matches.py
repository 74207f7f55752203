"""Matches of kapture (``.matches`` files, in a folder or a tar) and pairs files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from hloc_lite.errors import FormatError
from hloc_lite.formats.kapture.feature_files import FeatureFiles, open_files, write_files
from hloc_lite.formats.kapture.features import features_folder
from hloc_lite.formats.kapture.tables import finite_number, read_rows, relative_name, write_rows
from hloc_lite.types import Float64

PAIR_COLUMNS = "query_image, mapping_image, score"
_BETWEEN = ".overlapping/"
_SUFFIX = ".matches"
_ROW_BYTES = 24
_MAX_INDEX = float(1 << 53)


class ScoredPair(NamedTuple):
    """Line of a pairs file."""

    query: str
    map_image: str
    score: float
    """Higher is better."""


@dataclass(frozen=True)
class Matches:
    """Matches of one type of keypoints, read pair by pair; ``open_matches`` makes it."""

    files: FeatureFiles

    def pairs(self) -> list[tuple[str, str]]:
        """Pairs of images that have a file, as stored, sorted."""
        found = []
        for file in self.files.names(_SUFFIX):
            first, between, second = file.removesuffix(_SUFFIX).partition(_BETWEEN)
            if between:
                found.append((first, second))
        return found

    def read(self, first: str, second: str) -> Float64:
        """Matches of two images, in whichever order the file has them.

        Returns:
            (N, 3) keypoint of the first image, keypoint of the second one, score.

        Raises:
            FormatError: missing; no whole number of rows; indices that are negative or not whole;
                or scores that are not finite.
        """
        swapped = _file(second, first)
        if not self.files.has(_file(first, second)) and self.files.has(swapped):
            return self._read_file(swapped)[:, [1, 0, 2]]
        return self._read_file(_file(first, second))

    def _read_file(self, file: str) -> Float64:
        data, where = self.files.read(file), self.files.describe(file)
        if len(data) % _ROW_BYTES:
            raise FormatError(
                f"{where}: expected a multiple of {_ROW_BYTES} bytes (3 x float64), got {len(data)}"
            )
        rows = np.frombuffer(data, "<f8").reshape(-1, 3).astype(np.float64)
        _check_indices(rows, where)
        return rows


def open_matches(folder: Path, keypoints_type: str) -> Matches:
    """Open the matches of one type of keypoints of a kapture.

    Raises:
        FormatError: missing or damaged.
    """
    return Matches(open_files(features_folder(folder, "matches", keypoints_type), "matches.tar"))


def read_matches(folder: Path, keypoints_type: str, first: str, second: str) -> Float64:
    """Matches of two images; of many pairs, ``open_matches`` is faster.

    Returns:
        (N, 3) float64: row of the keypoint in the first image, row in the second one, score.

    Raises:
        FormatError: missing or damaged.
    """
    return open_matches(folder, keypoints_type).read(first, second)


def write_matches(
    folder: Path,
    keypoints_type: str,
    matches: Mapping[tuple[str, str], np.ndarray],
    *,
    as_tar: bool = False,
) -> None:
    """Write matches of pairs of images; the lexicographically first image comes first.

    Args:
        folder: root of the kapture.
        keypoints_type: type of the keypoints that are matched.
        matches: (N, 3) indices and score, or (N, 2) without scores, which become 1.
        as_tar: True for one tar file, False for a file per pair.

    Raises:
        FormatError: impossible names, shapes or indices, an image paired with itself, or a pair
            given twice.
    """
    files: dict[str, bytes] = {}
    for (first, second), given in matches.items():
        rows = np.asarray(given, np.float64)
        where = f"matches of {first!r} and {second!r}"
        if rows.ndim != 2 or rows.shape[1] not in (2, 3) or first == second:
            raise FormatError(f"{where}: expected (N, 2) or (N, 3) of two images, got {rows.shape}")
        if rows.shape[1] == 2:
            rows = np.column_stack([rows, np.ones(len(rows))])
        _check_indices(rows, where)
        if first > second:
            first, second, rows = second, first, rows[:, [1, 0, 2]]
        if _BETWEEN in first + "/" or _file(first, second) in files:
            raise FormatError(f"{where}: given twice, or a name that contains '{_BETWEEN}'")
        files[_file(first, second)] = np.ascontiguousarray(rows, "<f8").tobytes()
    parent = features_folder(folder, "matches", keypoints_type)
    write_files(parent, files.items(), "matches.tar" if as_tar else None)


def read_pairs_file(path: Path) -> list[ScoredPair]:
    """Read a kapture pairs file: ``query, map, score`` per line; the score may be missing (1).

    Raises:
        FormatError: a bad line (with its number), or a pair listed twice.
    """
    pairs: dict[tuple[str, str], ScoredPair] = {}
    for (query, map_image, *score), where in read_rows(path, PAIR_COLUMNS, 2, 3):
        key = relative_name(query, where), relative_name(map_image, where)
        if key in pairs:
            raise FormatError(f"{where}: the pair {key[0]!r}, {key[1]!r} is listed twice")
        value = finite_number(score[0], "score", where) if score else 1.0
        pairs[key] = ScoredPair(*key, value)
    return list(pairs.values())


def write_pairs_file(path: Path, pairs: Iterable[ScoredPair]) -> None:
    """Write a kapture pairs file; raises as ``write_rows``."""
    rows = ((query, map_image, float(score)) for query, map_image, score in pairs)
    write_rows(path, PAIR_COLUMNS, rows)


def _file(first: str, second: str) -> str:
    return first + _BETWEEN + second + _SUFFIX


def _check_indices(rows: Float64, where: str) -> None:
    indices = rows[:, :2]
    with np.errstate(invalid="ignore"):
        valid = (indices >= 0) & (indices < _MAX_INDEX) & (indices == np.floor(indices))
    if not valid.all():
        raise FormatError(f"{where}: keypoint indices must be whole numbers from 0 on")
    if not np.isfinite(rows[:, 2]).all():
        raise FormatError(f"{where}: scores must be finite")
