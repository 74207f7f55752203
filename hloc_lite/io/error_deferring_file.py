"""A file for HDF5 to write to, on a disk that may be full."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from io import FileIO
from typing import Any, TypeVar

T = TypeVar("T")


class ErrorDeferringFile:
    """A file that keeps its first failure for later.

    HDF5 must not learn of a full disk: a failed write makes it crash the process when it closes.
    """

    def __init__(self, raw: FileIO) -> None:
        self._raw = raw
        self._error: OSError | None = None

    def check(self) -> None:
        """Raises what went wrong so far, an OSError."""
        if self._error is not None:
            raise self._error

    def checked(self, items: Iterable[T]) -> Iterator[T]:
        """The items, as long as nothing went wrong."""
        for item in items:
            self.check()
            yield item

    def write(self, data: Any) -> int:
        left = memoryview(data).cast("B")
        size = len(left)
        try:
            while len(left) and self._error is None:
                left = left[self._raw.write(left) :]
        except OSError as error:
            self._error = error
        return size

    def truncate(self, size: int) -> int:
        try:
            return self._raw.truncate(size)
        except OSError as error:
            self._error = self._error or error
            return size

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        got = self._raw.readinto(view) or 0
        view[got:] = bytes(len(view) - got)  # what was never written is zero
        return len(view)

    def read(self, size: int) -> bytes:
        """By its being there, h5py knows a file."""
        buffer = bytearray(size)
        self.readinto(buffer)
        return bytes(buffer)

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._raw.seek(offset, whence)

    def tell(self) -> int:
        return self._raw.tell()

    def flush(self) -> None:
        """Nothing is held back."""
