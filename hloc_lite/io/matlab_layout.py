"""Check of the layout of structs and cells in MATLAB files, before SciPy reads them.

SciPy trusts the sizes in nested arrays: a damaged one can end the process. Here all of them are
compared with the bytes that are there. Layout: MathWorks, "MAT-File Format", level 5.
"""

from __future__ import annotations

import math
import struct
import zlib
from pathlib import Path

from hloc_lite.errors import FormatError
from hloc_lite.io.regular_files import check_regular

MAX_BYTES = 1 << 30
"""Most bytes of a variable: the struct of 250,000 images has some 30 million."""
MAX_DEPTH = 8
"""Most arrays in one another; truths of place recognition have three."""
_HEADER_BYTES = 128
_MATRIX, _COMPRESSED = 14, 15
_ITEM_BYTES = {1: 1, 2: 1, 3: 2, 4: 2, 5: 4, 6: 4, 7: 4, 9: 8, 12: 8, 13: 8}
"""Type of numbers -> bytes of each."""
_TEXT_CODECS = {16: "utf-8", 17: "utf-16", 18: "utf-32"}
_CELL, _STRUCT, _CHAR = 1, 2, 4
_NUMBERS = range(6, 16)
_COMPLEX = 0x0800


def check_layout(path: Path, name: str) -> None:
    """Check that the sizes in a variable fit its bytes.

    Raises:
        FormatError: no MATLAB file of version 5, or the variable is damaged, too large, complex,
            sparse or an object. A missing variable is no error here.
    """
    check_regular(path)
    try:
        if path.stat().st_size > MAX_BYTES:
            raise FormatError(f"{path} is larger than {MAX_BYTES >> 30} GiB")
        data = path.read_bytes()
    except OSError as error:
        raise FormatError(f"cannot read {path}: {error.strerror or error}") from None
    if len(data) < _HEADER_BYTES or data[126:128] not in (b"IM", b"MI"):
        raise FormatError(f"{path} is no MATLAB file of version 5")
    order = "<" if data[126:128] == b"IM" else ">"
    try:
        _check_variables(data[_HEADER_BYTES:], order, name)
    except FormatError as error:
        raise FormatError(f"{path} is damaged, or of a kind that is not read: {error}") from None
    except (ValueError, struct.error, zlib.error) as error:
        raise FormatError(f"{path} is damaged: {str(error)[:200]}") from None


def _check_variables(data: bytes, order: str, name: str) -> None:
    at = 0
    while at < len(data):
        element, at = _Element.read(data, at, order)
        if element.kind == _COMPRESSED:
            inflater = zlib.decompressobj()
            plain = inflater.decompress(element.data, MAX_BYTES)
            if inflater.unconsumed_tail:
                raise FormatError("a variable is too large")
            element, _ = _Element.read(plain, 0, order)
        if element.kind != _MATRIX:
            raise FormatError(f"expected an array, got an element of type {element.kind}")
        _Array(element.data, order, 0).check(name.encode("utf-8"))


class _Element:
    """Type and bytes of an element."""

    def __init__(self, kind: int, data: bytes) -> None:
        self.kind, self.data = kind, data

    @staticmethod
    def read(data: bytes, at: int, order: str) -> tuple[_Element, int]:
        """Element at an offset, and the offset of the next one."""
        (first,) = struct.unpack_from(f"{order}I", data, at)
        small, kind = first >> 16, first & 0xFFFF
        if small:
            if small > 4 or at + 8 > len(data):
                raise FormatError("a small element is too long")
            return _Element(kind, data[at + 4 : at + 4 + small]), at + 8
        (size,) = struct.unpack_from(f"{order}I", data, at + 4)
        end = at + 8 + size
        if end > len(data):
            raise FormatError(f"an element of {size} bytes goes beyond the end")
        padding = 0 if kind == _COMPRESSED else -size % 8
        return _Element(kind, data[at + 8 : end]), end + padding


class _Array:
    """Array whose header was read."""

    def __init__(self, data: bytes, order: str, depth: int) -> None:
        if depth > MAX_DEPTH:
            raise FormatError("too many arrays in one another")
        self._data, self._order, self._depth, self._at = data, order, depth, 0
        flags = self._next(6)
        sides = self._next(5)
        self.name = self._next(1)
        (word, _) = struct.unpack(f"{order}II", flags)
        self.kind, self.is_complex = word & 0xFF, bool(word & _COMPLEX)
        shape = struct.unpack(f"{order}{len(sides) // 4}i", sides)
        if not shape or min(shape) < 0 or len(sides) % 4:
            raise FormatError(f"an array of shape {shape[:9]}")
        self.count = math.prod(shape)

    def check(self, wanted: bytes | None = None) -> None:
        """Check the array and those in it; nothing is checked of a variable of another name."""
        if wanted is not None and self.name != wanted:
            return
        if self.kind == _CELL:
            self._check_inner(self.count)
        elif self.kind == _STRUCT:
            (length,) = struct.unpack(f"{self._order}i", self._next(5))
            names = self._next(1)
            if not 0 < length <= 64 or len(names) % length:
                raise FormatError("the names of fields are damaged")
            self._check_inner(self.count * (len(names) // length))
        elif self.is_complex or not (self.kind == _CHAR or self.kind in _NUMBERS):
            raise FormatError("complex and sparse arrays, functions and objects are not read")
        else:
            self._check_values()

    def _check_inner(self, count: int) -> None:
        if count > len(self._data) // 8:  # each takes eight bytes or more
            raise FormatError(f"{count} arrays in {len(self._data)} bytes")
        for _ in range(count):
            data = self._next(_MATRIX)
            if data:  # an empty array may have no header
                _Array(data, self._order, self._depth + 1).check()

    def _check_values(self) -> None:
        element, self._at = _Element.read(self._data, self._at, self._order)
        if self.kind == _CHAR and element.kind in _TEXT_CODECS:
            count = len(element.data.decode(_TEXT_CODECS[element.kind]))
        elif element.kind in _ITEM_BYTES:
            count, rest = divmod(len(element.data), _ITEM_BYTES[element.kind])
            count = -1 if rest else count
        else:
            raise FormatError(f"values of type {element.kind}")
        if count != self.count:
            raise FormatError(f"an array of {self.count} values has the bytes of {count}")

    def _next(self, kind: int) -> bytes:
        element, self._at = _Element.read(self._data, self._at, self._order)
        if element.kind != kind:
            raise FormatError(f"expected an element of type {kind}, got {element.kind}")
        return element.data
