"""Points as files of scanners and programs hold them, read block by block."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hloc_lite.types import Float32, Float64, UInt8

MAX_POINTS = 4_000_000_000
"""Files that claim more points are refused."""
BLOCK_POINTS = 1 << 19
"""Points of a block."""


@dataclass(frozen=True, eq=False)
class PointBlock:
    """Some of the points of a file, N of them, in the coordinates of the file."""

    xyz: Float64
    """(N, 3), finite."""
    rgb: UInt8 | None = None
    """(N, 3); grey from the intensity where a scanner has no colours; None if unknown."""
    normals: Float32 | None = None
    """(N, 3) unit vectors, or None."""
    scanner: Float64 | None = None
    """(3,) position of the scanner that saw them, or None."""

    def __len__(self) -> int:
        return len(self.xyz)


def colours_from(values: np.ndarray) -> UInt8:
    """Colours 0 to 255 of integers of any size, or of numbers from 0 to 1."""
    if values.dtype == np.uint8:
        return values
    if values.dtype.kind == "f":
        scaled = np.nan_to_num(values) * 255
    elif values.dtype.itemsize == 2:
        scaled = values / 257.0
    else:
        scaled = values.astype(np.float64)
    return np.clip(np.rint(scaled), 0, 255).astype(np.uint8)
