"""Header of a PLY file: elements, their properties, and rows of fixed size."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from hloc_lite.errors import FormatError
from hloc_lite.formats.point_blocks import MAX_POINTS

MAX_HEADER_BYTES = 1 << 16
MAX_PROPERTIES = 500
_BLOCK_BYTES = 1 << 20
_TYPES = {
    "char": "i1", "uchar": "u1", "short": "i2", "ushort": "u2", "int": "i4", "uint": "u4",
    "float": "f4", "double": "f8", "int8": "i1", "uint8": "u1", "int16": "i2", "uint16": "u2",
    "int32": "i4", "uint32": "u4", "float32": "f4", "float64": "f8",
}  # fmt: skip
_ORDERS = {"ascii": "<", "binary_little_endian": "<", "binary_big_endian": ">"}


@dataclass(frozen=True)
class Property:
    """Number of an element, or a list of numbers."""

    name: str
    type: str
    """NumPy's code without byte order, such as f4."""
    count_type: str | None = None
    """Type of the length of a list; None for a single number."""


@dataclass(frozen=True)
class Element:
    """Kind of rows, such as vertices or faces."""

    name: str
    count: int
    properties: tuple[Property, ...]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(each.name for each in self.properties)

    @property
    def has_list(self) -> bool:
        return any(each.count_type is not None for each in self.properties)

    def dtype(self, order: str) -> np.dtype[np.void]:
        """Row type of an element without lists."""
        return np.dtype([(each.name, order + each.type) for each in self.properties])


@dataclass(frozen=True)
class PlyHeader:
    """Content of a PLY file by its header."""

    is_ascii: bool
    order: str
    """Byte order, < or >."""
    elements: tuple[Element, ...]
    size: int
    """Bytes of the header."""

    def element(self, name: str) -> Element:
        """The element of a name; one that is absent has no rows."""
        return next((e for e in self.elements if e.name == name), Element(name, 0, ()))

    def skip_to(self, file: BinaryIO, name: str, path: Path) -> None:
        """Move from the end of the header to the first row of an element.

        Raises:
            FormatError: an element with lists stands before it, or the file ends.
        """
        for element in self.elements:
            if element.name == name:
                return
            if self.is_ascii:
                for _ in range(element.count):
                    if not file.readline():
                        raise FormatError(f"{path} ends within its {element.name} rows")
            elif element.has_list:
                raise FormatError(f"{path}: {name} rows must stand before {element.name} rows")
            else:
                file.seek(element.count * element.dtype(self.order).itemsize, 1)

    def read_rows(self, file: BinaryIO, element: Element, count: int, path: Path) -> np.ndarray:
        """The next rows of an element without lists, as a structured array.

        Raises:
            FormatError: the file ends before, or a row is not numbers.
        """
        dtype = element.dtype(self.order)
        if not self.is_ascii:
            data = file.read(count * dtype.itemsize)
            if len(data) < count * dtype.itemsize:
                raise FormatError(f"{path} ends within its {element.name} rows: it is damaged")
            return np.frombuffer(data, dtype)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # about an end of the file, found below
                rows = np.loadtxt(file, dtype, max_rows=count, ndmin=1, comments=None)
        except (ValueError, OverflowError) as error:
            raise FormatError(f"{path}: a {element.name} row is damaged: {error}") from None
        if len(rows) < count:
            raise FormatError(f"{path} ends within its {element.name} rows: it is damaged")
        return rows

    def check_end(self, file: BinaryIO, element: Element, path: Path) -> None:
        """Check that nothing follows the rows of an element, which were read, if it is the last.

        Raises:
            FormatError: there are further rows than the header states.
        """
        if not self.elements or element.name != self.elements[-1].name:
            return
        while part := file.read(_BLOCK_BYTES):
            if part.strip():
                raise FormatError(
                    f"{path} goes on after the {element.count} rows of {element.name} that its "
                    f"header states: it is damaged, or the header is of another file"
                )


def read_header(path: Path, file: BinaryIO) -> PlyHeader:
    """Read and check the header of an open file.

    Raises:
        FormatError: no PLY file, a property of unknown type, no vertices with x, y and z, or
            fewer bytes than the header promises.
    """
    if file.readline(8).strip() != b"ply":
        raise FormatError(f"{path} is no PLY file: its first line is not 'ply'")
    kind, elements = "", list[Element]()
    while True:
        raw = file.readline(4096)
        if not raw or file.tell() > MAX_HEADER_BYTES:
            raise FormatError(f"{path}: the header has no end_header")
        words = raw.decode("ascii", "replace").split()
        if words[:1] == ["end_header"]:
            break
        if words[:1] == ["format"] and len(words) == 3:
            kind = words[1]
        elif words[:1] == ["element"]:
            elements.append(_element(path, words))
        elif words[:1] == ["property"] and elements:
            last = elements[-1]
            properties = (*last.properties, _property(path, words))
            elements[-1] = Element(last.name, last.count, properties)
        elif words[:1] not in ([], ["comment"], ["obj_info"]):
            raise FormatError(f"{path}: unknown header line {' '.join(words)[:60]!r}")
    if kind not in _ORDERS:
        raise FormatError(f"{path}: format {kind!r}, expected one of {', '.join(_ORDERS)}")
    header = PlyHeader(kind == "ascii", _ORDERS[kind], tuple(elements), file.tell())
    _check(path, header)
    return header


def _element(path: Path, words: list[str]) -> Element:
    if len(words) != 3 or not words[2].isdecimal() or int(words[2]) > MAX_POINTS:
        raise FormatError(
            f"{path}: header line {' '.join(words)[:60]!r}, expected 'element N COUNT'"
        )
    return Element(words[1], int(words[2]), ())


def _property(path: Path, words: list[str]) -> Property:
    if words[1:2] == ["list"] and len(words) == 5 and {words[2], words[3]} <= _TYPES.keys():
        if _TYPES[words[2]][0] not in "iu":
            raise FormatError(f"{path}: a list has a length of type {words[2]}")
        return Property(words[4], _TYPES[words[3]], _TYPES[words[2]])
    if len(words) == 3 and words[1] in _TYPES:
        return Property(words[2], _TYPES[words[1]])
    raise FormatError(f"{path}: unknown property {' '.join(words)[:60]!r}")


def _check(path: Path, header: PlyHeader) -> None:
    vertex = header.element("vertex")
    if not vertex.count or not set("xyz") <= set(vertex.names) or vertex.has_list:
        raise FormatError(f"{path} has no vertices with x, y and z")
    size = header.size
    for element in header.elements:
        names = element.names
        if len(set(names)) != len(names) or len(names) > MAX_PROPERTIES:
            raise FormatError(f"{path}: properties of {element.name} are repeated or too many")
        each = sum(
            np.dtype(p.count_type or p.type).itemsize for p in element.properties
        )  # an empty list has its length only
        size += element.count * (2 * len(names) if header.is_ascii else each)
    actual = path.stat().st_size
    if actual < size - 2:  # the last line may lack its end
        raise FormatError(
            f"{path} has {actual} bytes, its header promises at least {size}: it is damaged"
        )
