"""Landmark descriptors in a map's folder: written with the map, read when a query first asks."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hloc_lite.errors import FormatError, ShapeError
from hloc_lite.io.array_file import check_size, read_array, write_array
from hloc_lite.maps.folder import LANDMARK_DESCRIPTORS, REMEDY
from hloc_lite.maps.landmark_descriptors import BLOCK, LandmarkDescriptors


class StoredRows:
    """A matrix in a file, which is checked and mapped into memory when rows are first asked for:
    whoever needs none reads nothing.

    Args:
        path: of the file.
        recorded: its size and checksum (``array_file``), and the matrix's ``shape``.

    Raises:
        FormatError: the file is missing, or not as long as it was; when rows are first asked for,
            also if it is damaged or was changed otherwise.
    """

    ndim = 2

    def __init__(self, path: Path, recorded: Mapping[str, Any]) -> None:
        check_size(path, recorded)
        num_rows, dim = recorded["shape"]
        self._path, self._recorded, self.shape = path, recorded, (num_rows, dim)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: npt.NDArray[np.integer] | slice) -> np.ndarray:
        found: np.ndarray = self._values[rows]
        return found

    @cached_property
    def _values(self) -> np.ndarray:
        try:
            return read_array(self._path, self._recorded)
        except FormatError as error:
            raise FormatError(f"{error}: {REMEDY}") from None


def write_descriptors(folder: Path, found: LandmarkDescriptors) -> dict[str, Any]:
    """Write one descriptor of each landmark as float16 into a map's folder; what
    ``stored_descriptors`` must be told of them.

    Raises:
        ShapeError: landmarks with several descriptors, or with none.
        HlocLiteError: the file cannot be written.
    """
    number = len(found.values)
    if not np.array_equal(found.offsets, np.arange(number + 1)):
        raise ShapeError("a map keeps one descriptor of each landmark; some have more, or none")
    rows = np.empty(found.values.shape, np.float16)
    for start in range(0, number, BLOCK):
        rows[start : start + BLOCK], _ = found.of(np.arange(start, min(start + BLOCK, number)))
    return {**write_array(folder / LANDMARK_DESCRIPTORS, rows), "shape": list(rows.shape)}


def stored_descriptors(
    folder: Path, recorded: Mapping[str, Any] | None
) -> LandmarkDescriptors | None:
    """The descriptors in a map's folder; None: it is of a version that kept none.

    Raises:
        FormatError: see ``StoredRows``.
    """
    if recorded is None:
        return None
    rows = StoredRows(folder / LANDMARK_DESCRIPTORS, recorded)
    return LandmarkDescriptors(rows, np.arange(len(rows) + 1))
