"""Compares every file of a map with the digest that its header records."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from hloc_lite.errors import FormatError
from hloc_lite.io.array_file import check_array
from hloc_lite.io.array_folder import listed_file, read_header
from hloc_lite.io.files import file_sha256, read_json
from hloc_lite.io.schemas import check_checksum
from hloc_lite.io.staging import HEADER, current_file
from hloc_lite.maps.folder import (
    CALIBRATION,
    COMPACT_SCHEMA,
    FILES,
    GEOREFERENCE,
    SURFACE,
    check_links_inside,
)
from hloc_lite.maps.side_maps import side_map_folders
from hloc_lite.maps.storage import read_map_header
from hloc_lite.maps.surface_tiles import SURFACE_SCHEMA


class FileState(StrEnum):
    """Outcome of comparing a file with its digest."""

    INTACT = "intact"
    CHANGED = "missing, damaged or changed"
    UNRECORDED = "no digest is recorded, an earlier version wrote it"


@dataclass(frozen=True)
class FileCheck:
    """Outcome for one file of a map."""

    name: str
    """POSIX path relative to the map."""
    state: FileState


def verify_map(folder: Path) -> list[FileCheck]:
    """Compare all bytes of a map, its surface and its side maps with what was recorded.

    A digest proves that a file is the one that was written with its map.json. It proves nothing
    about who wrote both.

    Returns:
        One entry per file, in the order of their names in each part.

    Raises:
        FormatError: no map there, or its map.json is damaged.
        NewerVersionError: a newer version made it.
    """
    check_links_inside(folder)
    header = read_json(current_file(folder, HEADER))
    is_compact = isinstance(header, dict) and header.get("schema") == COMPACT_SCHEMA
    if is_compact:
        found = list(_array_folder_checks(folder, COMPACT_SCHEMA, ""))
    else:
        found = list(_full_map_checks(folder, read_map_header(folder)))
    for name in (GEOREFERENCE, CALIBRATION):
        if (folder / name).is_file():
            found.append(FileCheck(name, _json_state(folder / name)))
    if (folder / SURFACE).is_dir():
        found += _array_folder_checks(folder / SURFACE, SURFACE_SCHEMA, f"{SURFACE}/")
    for side in side_map_folders(folder):
        prefix = side.relative_to(folder).as_posix()
        found += [FileCheck(f"{prefix}/{each.name}", each.state) for each in verify_map(side)]
    return found


def _full_map_checks(folder: Path, header: Mapping[str, Any]) -> Iterator[FileCheck]:
    yield FileCheck(HEADER, FileState.INTACT)
    for name in sorted(FILES):
        path, recorded = current_file(folder, name), header["files"].get(name)
        if name == HEADER or (recorded is None and not path.is_file()):
            continue
        if recorded is None:
            yield FileCheck(name, FileState.UNRECORDED)
            continue
        is_same = path.is_file() and file_sha256(path) == recorded
        yield FileCheck(name, FileState.INTACT if is_same else FileState.CHANGED)


def _array_folder_checks(folder: Path, schema: str, prefix: str) -> Iterator[FileCheck]:
    header = read_header(folder, schema)
    yield FileCheck(f"{prefix}{HEADER}", FileState.INTACT)
    for name in sorted(header["files"]):
        try:
            check_array(*listed_file(folder, header, name.removesuffix(".npy")))
        except FormatError:
            yield FileCheck(f"{prefix}{name}", FileState.CHANGED)
        else:
            yield FileCheck(f"{prefix}{name}", FileState.INTACT)


def _json_state(path: Path) -> FileState:
    try:
        value = read_json(path)
        if isinstance(value, dict) and "checksum" not in value:
            return FileState.UNRECORDED
        check_checksum(value if isinstance(value, dict) else {}, path)
    except FormatError:
        return FileState.CHANGED
    return FileState.INTACT
