"""Truth of place recognition: positions of queries and map images, and the distance that counts.

Files are those of Patch-NetVLAD (QVPR): ``.npz`` with ``utmQ`` (Q, 2), ``utmDb`` (M, 2) and
``posDistThr``, and lists of image names in the same order. Positions are UTM metres for Pitts30k.
For Nordland both columns hold the frame number, so that its limit of 10 is reached after 7 frames.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.spatial import KDTree

from hloc_lite.errors import FormatError
from hloc_lite.formats.hloc_lists import read_image_list
from hloc_lite.io.number_range import in_range
from hloc_lite.io.regular_files import check_regular
from hloc_lite.types import Float64, Int64, freeze_field

MAX_ARRAY_BYTES = 1 << 30
"""Largest array that is read: 67 million positions."""


@dataclass(frozen=True, eq=False)
class RecognitionTruth:
    """Positions of the images of a place-recognition data set."""

    query_positions: Float64
    """(Q, 2) in the unit of ``max_distance``."""
    map_positions: Float64
    """(M, 2)."""
    max_distance: float
    """Distance up to which a map image shows the location of a query, inclusive."""

    def __post_init__(self) -> None:
        freeze_field(self, "query_positions", np.float64, None, 2)
        freeze_field(self, "map_positions", np.float64, None, 2)

    def positives(self) -> tuple[Int64, ...]:
        """Map images that are right for each query: within ``max_distance``, inclusive.

        Returns:
            For each of the Q queries (K,) int64 rows of ``map_positions``, ascending; K may be 0.
        """
        tree = KDTree(self.map_positions)
        found = tree.query_ball_point(self.query_positions, self.max_distance, return_sorted=True)
        return tuple(np.asarray(rows, np.int64) for rows in found)


def read_recognition_truth(path: Path) -> RecognitionTruth:
    """Read the truth of a data set.

    Raises:
        FormatError: no such file, arrays missing, of another shape, not finite or too large.
    """
    check_regular(path)
    try:
        with zipfile.ZipFile(path) as archive:
            sizes = {info.filename: info.file_size for info in archive.infolist()}
        too_large = next((name for name, size in sizes.items() if size > MAX_ARRAY_BYTES), None)
        if too_large is not None:
            raise FormatError(f"{path}: {too_large} is larger than {MAX_ARRAY_BYTES >> 30} GiB")
        with np.load(path, allow_pickle=False) as arrays:
            queries, images = (_positions(arrays, key, path) for key in ("utmQ", "utmDb"))
            limit = float(np.asarray(arrays["posDistThr"], np.float64).reshape(()))
    except Exception as error:  # zip files and their headers break in many ways
        if isinstance(error, FormatError):
            raise
        raise FormatError(
            f"{path}: expected an .npz file with utmQ, utmDb and posDistThr: {str(error)[:200]}"
        ) from None
    if not 0 < limit < np.inf:
        raise FormatError(f"{path}: posDistThr must be a distance above zero, got {limit:g}")
    return RecognitionTruth(queries, images, limit)


def read_recognition_names(path: Path, count: int) -> list[str]:
    """Read the names of a data set's images, in the order of their positions.

    Args:
        count: number of positions.

    Raises:
        FormatError: another number of names, or a name that leads out of the image folder.
    """
    names = read_image_list(path)
    if len(names) != count:
        raise FormatError(f"{path}: {len(names)} different names for {count} positions")
    return names


def write_recognition_truth(path: Path, truth: RecognitionTruth) -> None:
    """Write the truth of a data set in the format of ``read_recognition_truth``."""
    with path.open("wb") as file:
        np.savez(
            file,
            utmQ=truth.query_positions,
            utmDb=truth.map_positions,
            posDistThr=np.float64(truth.max_distance),
        )


def is_position(values: npt.ArrayLike) -> bool:
    """True if all numbers are finite, and so small that their squares are finite, too."""
    return in_range(np.asarray(values, np.float64))


def _positions(arrays: np.lib.npyio.NpzFile, key: str, path: Path) -> Float64:
    values = np.asarray(arrays[key], np.float64)
    if values.ndim != 2 or values.shape[1] != 2 or not is_position(values):
        raise FormatError(f"{path}: {key} must be finite numbers of shape (N, 2), got "
                          f"{values.shape}")  # fmt: skip
    return values
