"""PTX files of laser scanners: one or several scans, each a grid of points with its transform.

A scan: columns, rows, scanner position (3), scanner axes (3 lines of 3), 4x4 matrix whose rows are
the axes and the position in the common frame, then a line 'x y z intensity [r g b]' per grid cell.
Cells without a return are '0 0 0 0.5'.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import numpy as np

from hloc_lite.errors import FormatError
from hloc_lite.formats.point_blocks import BLOCK_POINTS, MAX_POINTS, PointBlock
from hloc_lite.io.number_range import MAX_NUMBER, in_range
from hloc_lite.io.regular_files import check_regular
from hloc_lite.types import Float64

_HEADER_LINES = 10


@dataclass(frozen=True, eq=False)
class PtxScan:
    """Header of one scan."""

    columns: int
    rows: int
    world_from_scan: Float64
    """(4, 4); a point of the scan is multiplied from the right."""

    @property
    def count(self) -> int:
        return self.columns * self.rows


def read_ptx(path: Path) -> Iterator[PointBlock]:
    """Read the points of all scans in the common frame, block by block.

    Raises:
        FormatError: missing, or a line that is not as the layout says.
    """
    check_regular(path)
    try:
        with path.open(encoding="ascii", errors="replace") as file:
            scans = 0
            while (scan := _read_header(path, file, scans)) is not None:
                yield from _read_scan(path, file, scan, scans)
                scans += 1
    except FileNotFoundError:
        raise FormatError(f"{path} does not exist") from None
    except OSError as error:
        raise FormatError(f"cannot read {path}: {error.strerror or error}") from None
    if not scans:
        raise FormatError(f"{path} is empty, expected scans in the PTX layout")


def _read_header(path: Path, file: TextIO, number: int) -> PtxScan | None:
    """Header of the next scan; None at the end of the file."""
    lines = [file.readline(1000) for _ in range(_HEADER_LINES)]
    if not any(line.strip() for line in lines):
        return None
    try:
        columns, rows = int(lines[0]), int(lines[1])
        values = [[float(word) for word in line.split()] for line in lines[2:]]
        if [len(row) for row in values] != [3] * 4 + [4] * 4:
            raise ValueError("wrong number of values")
        matrix = np.array(values[4:], np.float64).T
    except (ValueError, OverflowError) as error:
        raise FormatError(
            f"{path}: scan {number + 1} has no PTX header (columns, rows, 4 lines of 3 and 4 of 4 "
            f"numbers): {error}"
        ) from None
    if columns < 1 or rows < 1 or columns * rows > MAX_POINTS:
        raise FormatError(f"{path}: scan {number + 1} has {columns} columns and {rows} rows")
    rotation = matrix[:3, :3]
    is_rotation = np.allclose(rotation @ rotation.T, np.eye(3), rtol=0, atol=1e-3)
    if not is_rotation or not np.isfinite(matrix).all() or not np.allclose(matrix[3], [0, 0, 0, 1]):
        raise FormatError(
            f"{path}: the matrix of scan {number + 1} is no rotation and translation, expected its "
            f"rows to be the axes, then the position with a 1 at the end"
        )
    return PtxScan(columns, rows, matrix)


def _read_scan(path: Path, file: TextIO, scan: PtxScan, number: int) -> Iterator[PointBlock]:
    left = scan.count
    rotation, position = scan.world_from_scan[:3, :3], scan.world_from_scan[:3, 3]
    while left:
        values = _read_lines(path, file, min(left, BLOCK_POINTS), number)
        left -= len(values)
        measured = np.isfinite(values[:, :3]).all(axis=1) & (values[:, :3] != 0).any(axis=1)
        values = values[measured]
        if not in_range(values[:, :3]):
            raise FormatError(
                f"{path}: a point of scan {number + 1} is farther than {MAX_NUMBER:g}: the file is "
                f"damaged"
            )
        if values.shape[1] >= 7:
            rgb = values[:, 4:7]
            if rgb.size and not (rgb.min() >= 0 and rgb.max() <= 255):  # NaN fails, too
                raise FormatError(
                    f"{path}: a colour of scan {number + 1} is no number from 0 to 255"
                )
        else:
            rgb = np.repeat(np.clip(values[:, 3:4], 0, 1) * 255, 3, axis=1)
        yield PointBlock(
            values[:, :3] @ rotation.T + position,
            np.clip(np.rint(rgb), 0, 255).astype(np.uint8),
            None,
            position,
        )


def _read_lines(path: Path, file: TextIO, count: int, number: int) -> np.ndarray:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about an end of the file, found below
            values = np.loadtxt(file, np.float64, max_rows=count, ndmin=2, comments=None)
    except ValueError as error:
        raise FormatError(f"{path}: a point of scan {number + 1} is damaged: {error}") from None
    if len(values) < count:
        raise FormatError(f"{path} ends within scan {number + 1}: it is damaged")
    if values.shape[1] not in (4, 7):
        raise FormatError(
            f"{path}: points of scan {number + 1} have {values.shape[1]} values, expected "
            f"'x y z intensity' or 'x y z intensity r g b'"
        )
    return values
