"""Landmark descriptors in a map folder: written with the map, read when first indexed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hloc_lite.errors import FormatError, ShapeError
from hloc_lite.io.array_file import ArrayRows, write_array
from hloc_lite.io.staging import current_file
from hloc_lite.maps.folder import LANDMARK_DESCRIPTORS, REMEDY
from hloc_lite.maps.landmark_descriptors import ROWS_PER_BLOCK, LandmarkDescriptors


class StoredRows(ArrayRows):
    """Descriptors in the folder of a map, whose errors name the remedy."""

    def __getitem__(self, rows: npt.NDArray[np.integer] | slice) -> np.ndarray:
        try:
            return super().__getitem__(rows)
        except FormatError as error:
            raise FormatError(f"{error}: {REMEDY}") from None


def write_landmark_descriptors(folder: Path, descriptors: LandmarkDescriptors) -> dict[str, Any]:
    """Write descriptors as float16 unit rows into a map folder.

    Returns:
        Size, checksum and shape, which ``open_landmark_descriptors`` needs.

    Raises:
        ShapeError: a landmark has no descriptor, or several.
        HlocLiteError: the file cannot be written.
    """
    num_rows = len(descriptors.values)
    if not np.array_equal(descriptors.offsets, np.arange(num_rows + 1)):
        raise ShapeError(
            "a map stores exactly one descriptor per landmark; some landmarks have none or several"
        )
    rows = np.empty(descriptors.values.shape, np.float16)
    for start in range(0, num_rows, ROWS_PER_BLOCK):
        block = np.arange(start, min(start + ROWS_PER_BLOCK, num_rows))
        rows[block], _ = descriptors.rows_of(block)
    return {**write_array(folder / LANDMARK_DESCRIPTORS, rows), "shape": list(rows.shape)}


def open_landmark_descriptors(
    folder: Path, recorded: Mapping[str, Any] | None
) -> LandmarkDescriptors | None:
    """Open the descriptors in a map folder; None if ``recorded`` is, as in maps of old versions.

    Raises:
        FormatError: see ``ArrayRows``.
    """
    if recorded is None:
        return None
    path = current_file(folder, LANDMARK_DESCRIPTORS)
    rows = StoredRows(path, recorded, folder / LANDMARK_DESCRIPTORS)
    return LandmarkDescriptors(rows, np.arange(len(rows) + 1))
