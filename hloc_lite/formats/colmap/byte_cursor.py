"""Reads little-endian binary files of unknown origin from front to back."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

from hloc_lite.errors import FormatError
from hloc_lite.io.regular_files import check_regular


class ByteCursor:
    """Reads little-endian values from a file; raises FormatError if it ends too early."""

    def __init__(self, path: Path) -> None:
        check_regular(path)
        try:
            self.data = path.read_bytes()
        except OSError as error:
            raise FormatError(f"cannot read {path}: {error.strerror or error}") from None
        self.path = path
        self.offset = 0

    def unpack(self, layout: str) -> tuple:
        """Values of a ``struct`` layout without its byte order."""
        size = struct.calcsize("<" + layout)
        self.require(size)
        values = struct.unpack_from("<" + layout, self.data, self.offset)
        self.offset += size
        return values

    def array(self, dtype: np.dtype | str, count: int) -> np.ndarray:
        """(count,) values; a view of the bytes of the file."""
        size = np.dtype(dtype).itemsize * count
        self.require(size)
        values = np.frombuffer(self.data, dtype, count, self.offset)
        self.offset += size
        return values

    def text(self) -> str:
        """UTF-8 text up to the next zero byte."""
        end = self.data.find(b"\0", self.offset)
        if end < 0:
            self.require(len(self.data) + 1)
        raw, self.offset = self.data[self.offset : end], end + 1
        try:
            return raw.decode("utf-8")
        except UnicodeDecodeError:
            raise FormatError(f"{self.path}: an image name is not UTF-8: {raw[:60]!r}") from None

    def require_end(self) -> None:
        """Refuse further bytes: they mean that one of the counts is wrong."""
        if self.offset != len(self.data):
            raise FormatError(
                f"{self.path} is damaged: {len(self.data) - self.offset} bytes are left after its "
                f"last entry"
            )

    def require(self, size: int) -> None:
        """Refuse a file with less than ``size`` further bytes."""
        if size < 0 or self.offset + size > len(self.data):
            raise FormatError(
                f"{self.path} is truncated or not a COLMAP model: {len(self.data)} bytes, but its "
                f"counts ask for more at byte {self.offset}"
            )
