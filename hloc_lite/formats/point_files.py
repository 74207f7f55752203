"""Point clouds and scans by the suffix of their file: PLY, PTX, E57; or a folder of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from hloc_lite.errors import FormatError
from hloc_lite.formats.e57 import read_e57
from hloc_lite.formats.ply import PlyFile
from hloc_lite.formats.point_blocks import PointBlock
from hloc_lite.formats.ptx import read_ptx

SUFFIXES = (".ply", ".ptx", ".e57")


def point_files(path: Path) -> list[Path]:
    """The file itself, or the files with points in a folder, sorted by name.

    Raises:
        FormatError: missing, of unknown suffix, or a folder without such files.
    """
    known = ", ".join(SUFFIXES)
    if path.is_dir():
        found = sorted(p for p in path.iterdir() if p.suffix.lower() in SUFFIXES and p.is_file())
        if not found:
            raise FormatError(f"{path} holds no scans or clouds: expected files {known}")
        return found
    if not path.exists():
        raise FormatError(f"{path} does not exist")
    if path.suffix.lower() not in SUFFIXES:
        raise FormatError(
            f"{path} is no scan or cloud of a known format: expected {known} (PCD, LAS, LAZ, OBJ: "
            f"convert it to PLY, e.g. with CloudCompare)"
        )
    return [path]


def read_point_files(path: Path) -> Iterator[PointBlock]:
    """Read the points of a file, or of all files in a folder, block by block.

    Raises:
        FormatError: as ``point_files``; or a damaged file.
        MissingDependencyError: E57 without the extra ``depth``.
    """
    for each in point_files(path):
        suffix = each.suffix.lower()
        if suffix == ".ply":
            yield from PlyFile.open(each).blocks()
        else:
            yield from (read_ptx if suffix == ".ptx" else read_e57)(each)
