"""The folder of a map: whether it may be written to, and what in it may be deleted.

Folders belong to their owners: a map goes into a new or empty one, or where one of ours is already,
whole or begun; and only files that were made here are ever deleted.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from hloc_lite.errors import FormatError, MappingError
from hloc_lite.io.bank import delete_store, is_store
from hloc_lite.io.files import read_json
from hloc_lite.io.image_sources import FolderSource, ImageSource

MAP_SCHEMA = "hloc_lite.map/1"
COMPACT_SCHEMA = "hloc_lite.compact/1"
"""Schema of the maps that ``compress`` makes."""
FILES_WITHOUT_CHECKSUMS = (
    "sfm/cameras.bin",
    "sfm/images.bin",
    "sfm/points3D.bin",
    "report.json",
)
LANDMARK_DESCRIPTORS = "landmark_descriptors.npy"
FILES = (
    *FILES_WITHOUT_CHECKSUMS,
    "features.h5",
    "retrieval.h5",
    "landmarks.h5",
    LANDMARK_DESCRIPTORS,
    "map.json",
)
NOT_IN_ALL = ("report.json", LANDMARK_DESCRIPTORS)
"""Of ``FILES``; maps of earlier versions are without."""
GEOREFERENCE = "georeference.json"
"""Made after the map, by another command, and of no use without it: no part of ``FILES``."""
REMEDY = "put the original back, or build the map again with --overwrite"
"""For files of a map that are damaged."""
STAGED = ".new"
"""A new map is written whole in here before it replaces the old one."""
LOCK = ".lock"
WORK = "work"
_LITTER = (".DS_Store", "Thumbs.db", "desktop.ini")
"""What file managers leave in empty folders."""


def output_folder(output: Path | str, source: ImageSource, masks: Path | None) -> Path:
    """The folder to write a map into, which need not exist yet.

    Raises:
        MappingError: an empty name, a folder with files of others, or one that holds the photos.
    """
    if str(output) == "":
        raise MappingError("the output folder has no name; '.' is the current folder")
    folder = Path(output)
    inputs = [] if masks is None else [masks]
    if isinstance(source, FolderSource):
        inputs.append(source.root)
        below = _relative(folder, source.root)
        if below is not None and any(name.startswith(f"{below}/") for name in source.names):
            raise MappingError(f"{folder} holds images of {source.root}: {_CHOOSE_ANOTHER}")
    for each in inputs:
        if _relative(each, folder) is not None:
            raise MappingError(f"the photos or masks in {each} lie in {folder}: {_CHOOSE_ANOTHER}")
    lock = folder / LOCK
    if not (lock.is_file() and lock.stat().st_size == 0):  # else another process may be at work
        check_ours(folder)
    return folder


_CHOOSE_ANOTHER = "a map must not be mixed with other files; choose a new folder for it"


def check_ours(folder: Path) -> None:
    """Raises MappingError if the folder has files, but neither a map nor one that was begun."""
    if _has_map(folder) or any(_stores(folder)):
        return
    foreign = next(_foreign_files(folder), None)
    if foreign is not None:
        raise MappingError(
            f"{folder} is not empty and holds no map (there is {foreign!r}): {_CHOOSE_ANOTHER}"
        )


def delete_work(folder: Path) -> None:
    """Delete the intermediate results in a map's folder, and nothing else."""
    for store in list(_stores(folder)):
        delete_store(store)
    with suppress(OSError):  # somebody's files are in it
        (folder / WORK).rmdir()


def delete_staged(folder: Path) -> None:
    """Delete what a run that was killed while it saved a map left in the map's folder."""
    staged = folder / STAGED
    for name in FILES:
        path = staged / name
        for each in (path, *path.parent.glob(f".{path.name}.*.partial")):
            each.unlink(missing_ok=True)
    for each in (staged / "sfm", staged):
        with suppress(OSError):
            each.rmdir()


def _has_map(folder: Path) -> bool:
    for path in (folder / "map.json", folder / STAGED / "map.json"):
        try:
            header = read_json(path)
        except FormatError:
            header = None
        schema = header.get("schema") if isinstance(header, dict) else None
        if str(schema).startswith(MAP_SCHEMA.partition("/")[0]):
            return True
    # a map whose map.json is damaged is still ours to replace
    return all((folder / name).is_file() for name in FILES if name not in NOT_IN_ALL)


def _stores(folder: Path) -> Iterator[Path]:
    if (folder / WORK).is_dir():
        yield from (each for each in sorted((folder / WORK).iterdir()) if is_store(each))


def _foreign_files(folder: Path) -> Iterator[str]:
    """Relative names of files that neither we nor file managers make in an empty folder."""
    ours = {LOCK, *(f"{STAGED}/{name}" for name in FILES)}
    for parent, _, names in os.walk(folder):
        for name in sorted(names):
            relative = Path(parent, name).relative_to(folder).as_posix()
            partial = name.startswith(".") and name.endswith(".partial")
            if relative not in ours and name not in _LITTER and not partial:
                yield relative


def _relative(path: Path, folder: Path) -> str | None:
    """POSIX name of ``path`` relative to ``folder`` ('.' for itself), None if it is not below."""
    try:
        return path.resolve().relative_to(folder.resolve()).as_posix()
    except ValueError:
        return None
