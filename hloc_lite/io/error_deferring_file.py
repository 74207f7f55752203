"""A file object for HDF5 on disks that may be full."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from io import FileIO
from typing import Any, TypeVar

T = TypeVar("T")


class ErrorDeferringFile:
    """Raw file that keeps its first write error until ``check`` is called.

    HDF5 must not see a full disk: after a failed write it crashes the process on closing.
    """

    def __init__(self, raw: FileIO) -> None:
        self._raw = raw
        self._error: OSError | None = None

    def check(self) -> None:
        """Raise the first error (an OSError), if there was one."""
        if self._error is not None:
            raise self._error

    def checked(self, items: Iterable[T]) -> Iterator[T]:
        """Yield the items; call ``check`` before each."""
        for item in items:
            self.check()
            yield item

    def write(self, data: Any) -> int:
        """Write all bytes; after an error, do nothing."""
        rest = memoryview(data).cast("B")
        size = len(rest)
        try:
            while len(rest) and self._error is None:
                rest = rest[self._raw.write(rest) :]
        except OSError as error:
            self._error = error
        return size

    def truncate(self, size: int) -> int:
        """Set the file's size."""
        try:
            return self._raw.truncate(size)
        except OSError as error:
            self._error = self._error or error
            return size

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer, with zeros behind the end of the file."""
        view = memoryview(buffer).cast("B")
        count = self._raw.readinto(view) or 0
        view[count:] = bytes(len(view) - count)
        return len(view)

    def read(self, size: int) -> bytes:
        """Return ``size`` bytes; h5py recognizes a file object by this method."""
        buffer = bytearray(size)
        self.readinto(buffer)
        return bytes(buffer)

    def seek(self, offset: int, whence: int = 0) -> int:
        """Move the file position."""
        return self._raw.seek(offset, whence)

    def tell(self) -> int:
        """Return the file position."""
        return self._raw.tell()

    def flush(self) -> None:
        """Do nothing: the file is not buffered."""
