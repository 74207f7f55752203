"""PLY files: points and triangle meshes, ASCII or binary of either byte order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import BinaryIO

import numpy as np

from hloc_lite.errors import FormatError
from hloc_lite.formats.ply_faces import read_faces
from hloc_lite.formats.ply_header import Element, PlyHeader, read_header
from hloc_lite.formats.point_blocks import BLOCK_POINTS, PointBlock, colours_from
from hloc_lite.io.files import atomic_path
from hloc_lite.io.number_range import MAX_NUMBER, in_range
from hloc_lite.io.regular_files import check_regular
from hloc_lite.types import Int32, Surface

_COLOURS = (
    ("red", "green", "blue"),
    ("r", "g", "b"),
    ("diffuse_red", "diffuse_green", "diffuse_blue"),
)


@dataclass(frozen=True)
class PlyFile:
    """PLY file whose header was read.

    Raises:
        FormatError: no PLY file, without vertices, or its size does not fit its header.
    """

    path: Path
    header: PlyHeader

    @classmethod
    def open(cls, path: Path) -> PlyFile:
        """Read the header."""
        with _reading(path) as file:
            return cls(path, read_header(path, file))

    @property
    def has_faces(self) -> bool:
        """True if it is a mesh."""
        return any(each.name == "face" and each.count for each in self.header.elements)

    def blocks(self) -> Iterator[PointBlock]:
        """Read its vertices; those with coordinates that are not finite are left out.

        Raises:
            FormatError: damaged.
        """
        for xyz, block in self._vertices():
            finite = np.isfinite(xyz).all(axis=1)
            rgb, normals = block.rgb, block.normals
            yield PointBlock(
                xyz[finite],
                None if rgb is None else rgb[finite],
                None if normals is None else normals[finite],
            )

    def read_mesh(self) -> Surface:
        """Read vertices and triangles; polygons are divided into triangles.

        Raises:
            FormatError: damaged, or without faces.
        """
        if not self.has_faces:
            raise FormatError(f"{self.path} has points but no faces: it is not a mesh")
        blocks = [block for _, block in self._vertices()]
        with _reading(self.path) as file:
            triangles = read_faces(self.path, file, self.header)
            self.header.check_end(file, self.header.element("face"), self.path)
        count = sum(map(len, blocks))
        if triangles.size and not 0 <= triangles.min() <= triangles.max() < count:
            raise FormatError(
                f"{self.path}: a face names vertex {triangles.max()}, there are {count}"
            )
        xyz = np.concatenate([block.xyz for block in blocks])
        bad = ~np.isfinite(xyz).all(axis=1)
        if bad.any() and bad[triangles].any():
            raise FormatError(
                f"{self.path}: a face has vertex {triangles[bad[triangles]][0]}, whose coordinates "
                f"are not finite: it is damaged. Remove the face, e.g. with MeshLab"
            )
        xyz[bad] = 0  # no face has them
        rgb = [np.full((len(b), 3), 128, np.uint8) if b.rgb is None else b.rgb for b in blocks]
        normals = [block.normals for block in blocks if block.normals is not None]
        return Surface(
            xyz.astype(np.float32),
            np.concatenate(rgb),
            np.concatenate(normals) if len(normals) == len(blocks) else None,
            None,
            triangles,
        )

    def _vertices(self) -> Iterator[tuple[np.ndarray, PointBlock]]:
        vertex = self.header.element("vertex")
        with _reading(self.path) as file:
            file.seek(self.header.size)
            self.header.skip_to(file, "vertex", self.path)
            for start in range(0, vertex.count, BLOCK_POINTS):
                count = min(BLOCK_POINTS, vertex.count - start)
                rows = self.header.read_rows(file, vertex, count, self.path)
                block = _block(rows, vertex)
                if not in_range(block.xyz[np.isfinite(block.xyz)]):
                    raise FormatError(
                        f"{self.path}: a vertex is farther than {MAX_NUMBER:g}: it is damaged"
                    )
                yield block.xyz, block
            self.header.check_end(file, vertex, self.path)


def write_ply(path: Path, parts: Iterable[Surface], *, ascii_text: bool = False) -> int:
    """Write surfaces as one PLY file, atomically; returns the number of points.

    Coordinates are float, colours uchar, normals float. Parts are taken one at a time; triangles
    are kept in memory until the end.

    Raises:
        FormatError: some parts have normals or triangles and others do not.
        HlocLiteError: the file cannot be written.
    """
    stream = iter(parts)
    first = next(stream, None)
    if first is None or not len(first):
        raise FormatError(f"{path}: there are no points to write")
    names = [(axis, "<f4") for axis in "xyz"]
    if first.normals is not None:
        names += [(axis, "<f4") for axis in ("nx", "ny", "nz")]
    dtype = np.dtype([*names, ("red", "u1"), ("green", "u1"), ("blue", "u1")])
    faces: list[Int32] = []
    count = 0
    with atomic_path(path) as partial, partial.open("w+b") as file:
        _write_header(file, dtype, 0, None if first.triangles is None else 0, ascii_text)
        for part in chain([first], stream):
            if (part.normals is None) != (first.normals is None):
                raise FormatError(f"{path}: some parts have normals, others have none")
            if part.triangles is not None:
                faces.append(part.triangles + np.int32(count))
            count += len(part)
            _write_rows(file, _vertex_rows(part, dtype), ascii_text)
        triangles = np.concatenate(faces) if faces else np.zeros((0, 3), np.int32)
        if first.triangles is not None:
            rows = np.zeros(len(triangles), [("n", "u1"), *((each, "<i4") for each in "abc")])
            rows["n"] = 3
            for name, corners in zip("abc", triangles.T, strict=True):
                rows[name] = corners
            _write_rows(file, rows, ascii_text)
        file.seek(0)
        faces_written = None if first.triangles is None else len(triangles)
        _write_header(file, dtype, count, faces_written, ascii_text)
    return count


def _write_header(
    file: BinaryIO, dtype: np.dtype[np.void], count: int, faces: int | None, ascii_text: bool
) -> None:
    kind = "ascii" if ascii_text else "binary_little_endian"
    types = {"f": "float", "u": "uchar"}
    lines = [
        "ply",
        f"format {kind} 1.0",
        # numbers of fixed width: they are filled in at the end
        f"element vertex {count:012d}",
        *(f"property {types[dtype[name].kind]} {name}" for name in dtype.names or ()),
    ]
    if faces is not None:
        lines += [f"element face {faces:012d}", "property list uchar int vertex_indices"]
    file.write("\n".join([*lines, "end_header", ""]).encode())


def _vertex_rows(part: Surface, dtype: np.dtype[np.void]) -> np.ndarray:
    rows = np.zeros(len(part), dtype)
    for number, name in enumerate("xyz"):
        rows[name] = part.xyz[:, number]
        if part.normals is not None:
            rows[f"n{name}"] = part.normals[:, number]
    for number, name in enumerate(_COLOURS[0]):
        rows[name] = part.rgb[:, number]
    return rows


def _write_rows(file: BinaryIO, rows: np.ndarray, ascii_text: bool) -> None:
    if not ascii_text:
        file.write(rows.tobytes())
        return
    for row in rows.tolist():
        text = (f"{v:.9g}" if isinstance(v, float) else str(v) for v in row)
        file.write((" ".join(text) + "\n").encode())


def _block(rows: np.ndarray, vertex: Element) -> PointBlock:
    xyz = np.stack([rows[axis] for axis in "xyz"], axis=1).astype(np.float64)
    names = vertex.names
    found = next((each for each in _COLOURS if set(each) <= set(names)), None)
    rgb = None if found is None else colours_from(np.stack([rows[c] for c in found], axis=1))
    normals = None
    if {"nx", "ny", "nz"} <= set(names):
        normals = np.stack([rows[n] for n in ("nx", "ny", "nz")], axis=1).astype(np.float32)
        length = np.linalg.norm(normals, axis=1, keepdims=True)
        normals = np.where(length > 0, normals / np.where(length > 0, length, 1), 0)
        normals = normals.astype(np.float32)
    return PointBlock(xyz, rgb, normals)


@contextmanager
def _reading(path: Path) -> Iterator[BinaryIO]:
    check_regular(path)
    try:
        with path.open("rb") as file:
            yield file
    except FileNotFoundError:
        raise FormatError(f"{path} does not exist") from None
    except OSError as error:
        raise FormatError(f"cannot read {path}: {error.strerror or error}") from None
