"""Arrays in files of their own (.npy, little-endian, never pickled), mapped into memory.

Whoever writes one keeps its size and CRC-32, and all bytes are compared with those (4 GB/s) before
they are used: a damaged file is an error, never wrong numbers.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from hloc_lite.errors import FormatError
from hloc_lite.io.files import atomic_path

READ_WHOLE = 1 << 16
"""Files up to this are read; larger ones mapped, which costs two system calls and a page each."""
_BLOCK = 1 << 20


def write_array(path: Path, array: np.ndarray) -> dict[str, Any]:
    """Write an array, whole or not at all; what ``read_array`` must be told of it.

    Raises:
        HlocLiteError: the file cannot be written.
    """
    with atomic_path(path) as partial, partial.open("wb") as file:
        np.save(file, _little_endian(array), allow_pickle=False)
    return {"bytes": path.stat().st_size, "crc32": _crc32(path)}


def check_size(path: Path, recorded: Mapping[str, Any]) -> int:
    """The bytes of an array's file; all that can be said of it without reading it.

    Raises:
        FormatError: it is missing, or not as long as it was.
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
    """The array, read-only.

    Args:
        recorded: by ``write_array``.

    Raises:
        FormatError: the file is missing, damaged or changed.
    """
    size = check_size(path, recorded)
    try:
        if _crc32(path) != recorded["crc32"]:
            raise FormatError(f"{path} is damaged or was changed: its checksum differs")
        array: np.ndarray = np.load(
            path, mmap_mode="r" if size > READ_WHOLE else None, allow_pickle=False
        )
    except (OSError, ValueError, EOFError) as error:
        raise FormatError(f"cannot read {path}: {error}") from None
    array.flags.writeable = False
    return array


def _crc32(path: Path) -> str:
    value = 0
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            value = zlib.crc32(block, value)
    return f"{value:08x}"


def _little_endian(array: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
