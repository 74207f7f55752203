"""Faces of a PLY mesh."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

import numpy as np

from hloc_lite.errors import FormatError
from hloc_lite.formats.ply_header import Element, PlyHeader, Property
from hloc_lite.types import Int32

INDICES = ("vertex_indices", "vertex_index")
_MAX_INDEX = np.iinfo(np.int32).max
MAX_CORNERS = 255
"""Faces with more corners are refused."""


def read_faces(path: Path, file: BinaryIO, header: PlyHeader) -> Int32:
    """Read the (T, 3) triangles; polygons are divided into fans of their first corner.

    Raises:
        FormatError: no list of vertices, damaged, or faces of fewer than 3 or too many corners.
    """
    face = header.element("face")
    if not any(each.name in INDICES and each.count_type for each in face.properties):
        raise FormatError(f"{path}: its faces have no list of vertices ({' or '.join(INDICES)})")
    file.seek(header.size)
    header.skip_to(file, "face", path)
    try:
        if header.is_ascii:
            return _read_ascii(path, file, face)
        return _read_binary(path, file, face, header.order)
    except (ValueError, IndexError, OverflowError) as error:
        raise FormatError(f"{path}: its faces are damaged: {error}") from None


def _read_binary(path: Path, file: BinaryIO, face: Element, order: str) -> Int32:
    start = file.tell()
    dtype = np.dtype([field for p in face.properties for field in _triangle_fields(p, order)])
    data = file.read(face.count * dtype.itemsize)
    lists = [p.name for p in face.properties if p.count_type]
    index = next(name for name in INDICES if name in lists)
    if len(data) == face.count * dtype.itemsize:
        rows = np.frombuffer(data, dtype)
        if all((rows[f"{name} length"] == 3).all() for name in lists):
            return rows[index].astype(np.int32)
    file.seek(start)
    polygons = []
    for _ in range(face.count):
        for each in face.properties:
            count = 1
            if each.count_type:
                count = int(_numbers(path, file, order + each.count_type, 1)[0])
                _check_corners(path, each.name, count)
            values = _numbers(path, file, order + each.type, count)
            if each.name == index:
                polygons.append(values.astype(np.int64))
    return _fans(polygons)


def _read_ascii(path: Path, file: BinaryIO, face: Element) -> Int32:
    polygons = []
    for _ in range(face.count):
        words = file.readline().split()
        position = 0
        for each in face.properties:
            count = 1
            if each.count_type:
                count, position = int(words[position]), position + 1
                _check_corners(path, each.name, count)
            values = words[position : position + count]
            if len(values) < count:
                raise FormatError(f"{path} ends within a face: it is damaged")
            position += count
            if each.name in INDICES:
                polygons.append(np.array(values, np.int64))
    return _fans(polygons)


def _triangle_fields(each: Property, order: str) -> list[tuple[str, str] | tuple[str, str, int]]:
    if each.count_type is None:
        return [(each.name, order + each.type)]
    return [(f"{each.name} length", order + each.count_type), (each.name, order + each.type, 3)]


def _numbers(path: Path, file: BinaryIO, dtype: str, count: int) -> np.ndarray:
    size = np.dtype(dtype).itemsize * count
    data = file.read(size)
    if len(data) < size:
        raise FormatError(f"{path} ends within a face: it is damaged")
    return np.frombuffer(data, dtype)


def _check_corners(path: Path, name: str, count: int) -> None:
    if name in INDICES and not 3 <= count <= MAX_CORNERS:
        raise FormatError(f"{path}: a face has {count} corners, expected 3 to {MAX_CORNERS}")
    if not 0 <= count <= MAX_CORNERS:
        raise FormatError(f"{path}: a face has a list of {count} numbers")


def _fans(polygons: list[np.ndarray]) -> Int32:
    triangles = [
        (polygon[0], polygon[corner], polygon[corner + 1])
        for polygon in polygons
        for corner in range(1, len(polygon) - 1)
    ]
    rows = np.array(triangles, np.int64).reshape(-1, 3)
    if rows.size and rows.max() > _MAX_INDEX:  # as int32 it would be another vertex
        raise ValueError(f"a face names vertex {rows.max()}")
    return rows.astype(np.int32)
