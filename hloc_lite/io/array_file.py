"""Arrays in files of their own: .npy, little-endian, never pickled.

The writer keeps each file's size and CRC-32, and the reader compares all bytes with them (at about
2 GB/s). So a damaged file is an error and never gives wrong numbers. Nothing is memory-mapped: a
file that another program cuts off while it is mapped would end the process (SIGBUS).
"""

from __future__ import annotations

import math
import os
import threading
import zlib
from collections.abc import Iterator, Mapping
from functools import cached_property
from io import FileIO
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from hloc_lite.errors import FormatError
from hloc_lite.io.files import atomic_path, open_regular
from hloc_lite.types import UInt8

MAX_ROWS_BYTES = 256 << 20
"""Larger matrices are read row by row (256 MB): a million landmarks of 128 numbers in float16."""
MAX_GAP_ROWS = 16
"""Rows that are read and thrown away rather than making another call, which takes 1 us."""
MAX_HEADER_BYTES = 10_000
"""Bytes of a .npy header; numpy's own limit."""
_BLOCK_BYTES = 1 << 20
_HEADER_READERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
_READ_ERRORS = (OSError, ValueError, MemoryError, OverflowError, TypeError)
"""Errors of a header that claims anything."""


def write_array(path: Path, array: np.ndarray) -> dict[str, Any]:
    """Write an array atomically; return its size and checksum, which ``read_array`` needs.

    Raises:
        HlocLiteError: the file cannot be written.
    """
    with atomic_path(path) as partial, partial.open("wb") as file:
        np.save(file, _little_endian(array), allow_pickle=False)
    return {"bytes": path.stat().st_size, "crc32": _crc32_of(path)}


def check_size(path: Path, recorded: Mapping[str, Any]) -> int:
    """Return the size of an array's file in bytes; its content is not read.

    Raises:
        FormatError: it is missing or has another size than recorded.
    """
    try:
        size = path.stat().st_size
    except FileNotFoundError:
        raise FormatError(f"{path} is missing") from None
    except OSError as error:
        raise FormatError(f"cannot read {path}: {error}") from None
    if size != recorded["bytes"]:
        raise FormatError(f"{path} has {size} bytes, {recorded['bytes']} were written")
    return size


def read_array(path: Path, recorded: Mapping[str, Any]) -> np.ndarray:
    """Read an array, read-only; the bytes that are checked are those that are returned.

    Args:
        path: .npy file.
        recorded: size and checksum from ``write_array``.

    Raises:
        FormatError: the file is missing, damaged or changed.
    """
    check_size(path, recorded)
    try:
        with open_regular(path) as file:
            layout, checksum = _read_layout(file, path)
            values = _read_bytes(file, layout.num_bytes, path)
            checksum = zlib.crc32(values.data, checksum)
            array = values.view(layout.dtype).reshape(layout.shape, order=layout.order)
    except _READ_ERRORS as error:
        raise FormatError(f"cannot read {path}: {error}") from None
    _check_checksum(path, checksum, recorded)
    array.flags.writeable = False
    return array


def read_npy(path: Path) -> np.ndarray:
    """Read a .npy file of another program, read-only; its size bounds what is read.

    Raises:
        FormatError: the file is missing, damaged, or holds no plain numbers.
    """
    try:
        with open_regular(path) as file:
            layout, _ = _read_layout(file, path)
            values = _read_bytes(file, layout.num_bytes, path)
            array = values.view(layout.dtype).reshape(layout.shape, order=layout.order)
    except _READ_ERRORS as error:
        raise FormatError(f"cannot read {path}: {error}") from None
    array.flags.writeable = False
    return array


def check_array(path: Path, recorded: Mapping[str, Any]) -> None:
    """Compare the bytes of an array with their checksum; memory holds a megabyte of them.

    Raises:
        FormatError: the file is missing, damaged or changed.
    """
    check_size(path, recorded)
    try:
        with open_regular(path) as file:
            checksum = 0
            while block := file.read(_BLOCK_BYTES):
                checksum = zlib.crc32(block, checksum)
    except OSError as error:
        raise FormatError(f"cannot read {path}: {error}") from None
    _check_checksum(path, checksum, recorded)


def read_first(path: Path, recorded: Mapping[str, Any], count: int) -> np.ndarray:
    """Read the first ``count`` entries along the first axis, of a file that was checked before.

    Raises:
        FormatError: the file is missing or has another size, or fewer entries.
    """
    check_size(path, recorded)
    try:
        with open_regular(path) as file:
            layout, _ = _read_layout(file, path)
            if layout.order != "C" or not layout.shape or count > layout.shape[0]:
                raise FormatError(f"{path} does not hold {count} entries")
            shape = (count, *layout.shape[1:])
            data = _read_bytes(file, math.prod(shape) * layout.dtype.itemsize, path)
            return data.view(layout.dtype).reshape(shape)
    except _READ_ERRORS as error:
        raise FormatError(f"cannot read {path}: {error}") from None


class ArrayRows:
    """Matrix in a .npy file whose rows are read when they are indexed; checked at first use.

    Matrices up to ``max_bytes`` are then kept in memory. Of larger ones each row is read
    from the file, which stays open, so that one that is replaced stays as it was.

    Args:
        path: .npy file of a matrix.
        recorded: its size and checksum from ``write_array``, and its ``shape``.
        moved: path to which another process may move the file before it is read.
        max_bytes: size up to which it is kept in memory; default: ``MAX_ROWS_BYTES``.

    Raises:
        FormatError: the file is missing or has another size than recorded; on the first access
            also if its checksum or shape differs, on any if it was cut off.
    """

    ndim = 2

    def __init__(
        self,
        path: Path,
        recorded: Mapping[str, Any],
        moved: Path | None = None,
        max_bytes: int | None = None,
    ) -> None:
        check_size(path, recorded)
        num_rows, dim = recorded["shape"]
        self._first_path, self._moved, self._recorded = path, moved, recorded
        self._max_bytes = MAX_ROWS_BYTES if max_bytes is None else max_bytes
        self.shape: tuple[int, int] = (int(num_rows), int(dim))
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: npt.NDArray[np.integer] | slice) -> np.ndarray:
        if self._recorded["bytes"] <= self._max_bytes:
            found: np.ndarray = self._in_memory[rows]
            return found
        idxs = np.arange(len(self))[rows] if isinstance(rows, slice) else np.asarray(rows)
        return self._read(idxs)

    @property
    def _path(self) -> Path:
        if self._moved is None or self._first_path.is_file():
            return self._first_path
        return self._moved

    @cached_property
    def _in_memory(self) -> np.ndarray:
        values = read_array(self._path, self._recorded)
        self._check_shape(values.shape)
        return values

    @cached_property
    def _opened(self) -> tuple[FileIO, _Layout]:
        try:
            file = open_regular(self._path)
            layout, checksum = _read_layout(file, self._path)
            while block := file.read(_BLOCK_BYTES):
                checksum = zlib.crc32(block, checksum)
        except _READ_ERRORS as error:
            raise FormatError(f"cannot read {self._path}: {error}") from None
        _check_checksum(self._path, checksum, self._recorded)
        self._check_shape(layout.shape)
        if layout.order != "C":
            raise FormatError(f"{self._path} is stored by columns, expected rows")
        return file, layout

    def _check_shape(self, found: tuple[int, ...]) -> None:
        if found != self.shape:
            raise FormatError(f"{self._path} has shape {found}, {self.shape} was written")

    def _read(self, idxs: npt.NDArray[np.integer]) -> np.ndarray:
        """Rows of the file, in any order."""
        if len(idxs) and not -len(self) <= idxs.min() <= idxs.max() < len(self):
            raise IndexError(f"rows {idxs.min()} to {idxs.max()} of {len(self)}")
        sought, places = np.unique(idxs % max(1, len(self)), return_inverse=True)
        with self._lock:  # the file has one position; and cached_property has no lock of its own
            file, layout = self._opened
            runs = [self._run(file, layout, run) for run in _runs(sought)]
        empty = np.empty((0, self.shape[1]), layout.dtype)
        return np.concatenate([empty, *runs])[places.reshape(idxs.shape)]

    def _run(self, file: FileIO, layout: _Layout, rows: npt.NDArray[np.integer]) -> np.ndarray:
        """Rows that lie close together, ascending, by one call."""
        row_bytes = self.shape[1] * layout.dtype.itemsize
        first, count = int(rows[0]), int(rows[-1] - rows[0]) + 1
        try:
            file.seek(layout.start + first * row_bytes)
            data = _read_bytes(file, count * row_bytes, self._path)
        except OSError as error:
            raise FormatError(f"cannot read {self._path}: {error}") from None
        return data.view(layout.dtype).reshape(count, self.shape[1])[rows - first]


def _runs(rows: npt.NDArray[np.integer]) -> Iterator[npt.NDArray[np.integer]]:
    """Ascending rows in groups without large gaps."""
    if len(rows):
        yield from np.split(rows, np.flatnonzero(np.diff(rows) > MAX_GAP_ROWS) + 1)


class _Layout(NamedTuple):
    """Header of a .npy file."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    order: Any
    start: int
    """Bytes before the values."""
    num_bytes: int
    """Bytes of the values."""


def _read_layout(file: FileIO, path: Path) -> tuple[_Layout, int]:
    """Header of a .npy file, and the CRC-32 of its bytes; the file stands at its values.

    Raises:
        FormatError: the values are not all in the file, or are no plain numbers.
    """
    try:
        version = np.lib.format.read_magic(file)
        if version not in _HEADER_READERS:
            raise FormatError(f"{path} has version {version} of .npy, expected (1, 0) or (2, 0)")
        shape, by_columns, dtype = _HEADER_READERS[version](file, max_header_size=MAX_HEADER_BYTES)
    except (OSError, FormatError):
        raise
    except Exception as error:  # NumPy's parser raises many kinds of errors on broken headers
        raise FormatError(f"cannot read {path}: its header is damaged: {error}") from None
    start = file.tell()
    count = math.prod(shape) * dtype.itemsize
    if dtype.hasobject or start + count != os.fstat(file.fileno()).st_size:
        raise FormatError(f"cannot read {path}: it does not hold the {count} bytes that it claims")
    file.seek(0)
    checksum = zlib.crc32(file.read(start))
    return _Layout(dtype, shape, "F" if by_columns else "C", start, count), checksum


def _read_bytes(file: FileIO, count: int, path: Path) -> UInt8:
    """(count,) next bytes of a file. Raises FormatError if it ends before."""
    values = np.empty(count, np.uint8)
    done = 0
    while done < count:  # one call reads at most 2 GB
        read = file.readinto(values[done:].data)
        if not read:
            raise FormatError(f"{path} was cut off after it was opened")
        done += read
    return values


def _check_checksum(path: Path, found: int, recorded: Mapping[str, Any]) -> None:
    if f"{found:08x}" != recorded["crc32"]:
        raise FormatError(f"{path} is damaged or was changed: its checksum differs")


def _crc32_of(path: Path) -> str:
    value = 0
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            value = zlib.crc32(block, value)
    return f"{value:08x}"


def _little_endian(array: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
