"""Arrays in files of their own: .npy, little-endian, never pickled, memory-mapped when read.

The writer keeps each file's size and CRC-32, and the reader compares all bytes with them (at about
4 GB/s). So a damaged file is an error and never gives wrong numbers.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from pathlib import Path
from tokenize import TokenError
from typing import Any

import numpy as np

from hloc_lite.errors import FormatError
from hloc_lite.io.files import atomic_path

MAX_READ_BYTES = 1 << 16
"""Larger files are mapped, which costs two system calls and a page each; others are read."""
_BLOCK_BYTES = 1 << 20
NPY_ERRORS = (ValueError, EOFError, MemoryError, SyntaxError, TokenError, RecursionError, TypeError)
"""Exceptions of ``np.load`` on a damaged file: its header is a Python literal of any size."""


def write_array(path: Path, array: np.ndarray) -> dict[str, Any]:
    """Write an array atomically; return its size and checksum, which ``read_array`` needs.

    Raises:
        HlocLiteError: the file cannot be written.
    """
    with atomic_path(path) as partial, partial.open("wb") as file:
        np.save(file, _little_endian(array), allow_pickle=False)
    return {"bytes": path.stat().st_size, "crc32": _crc32(path)}


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
    """Return an array, read-only.

    Args:
        path: .npy file.
        recorded: size and checksum from ``write_array``.

    Raises:
        FormatError: the file is missing, damaged or changed.
    """
    size = check_size(path, recorded)
    try:
        if _crc32(path) != recorded["crc32"]:
            raise FormatError(f"{path} is damaged or was changed: its checksum differs")
        array: np.ndarray = np.load(
            path, mmap_mode="r" if size > MAX_READ_BYTES else None, allow_pickle=False
        )
    except (OSError, *NPY_ERRORS) as error:
        raise FormatError(f"cannot read {path}: {error}") from None
    array.flags.writeable = False
    return array


def _crc32(path: Path) -> str:
    value = 0
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            value = zlib.crc32(block, value)
    return f"{value:08x}"


def _little_endian(array: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
