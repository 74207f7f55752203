"""Names of the files in a map folder; which folders may be written to, what may be deleted.

Folders belong to users. A map goes into a new or empty folder, or one that holds a finished or
unfinished map. Only files that hloc_lite made are ever deleted.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from hloc_lite.errors import FormatError, MappingError
from hloc_lite.io.files import read_json_object
from hloc_lite.io.image_sources import FolderSource, ImageSource
from hloc_lite.io.sharded_store import delete_store, is_store, mark_failed
from hloc_lite.io.staging import LOCK, STAGED, foreign_files

MAP_SCHEMA = "hloc_lite.map/1"
COMPACT_SCHEMA = "hloc_lite.compact/1"
"""Schema of the maps that ``compress`` makes."""
MODEL_FILES = ("sfm/cameras.bin", "sfm/images.bin", "sfm/points3D.bin")
RIG_FILES = ("sfm/rigs.bin", "sfm/frames.bin")
FILES_WITHOUT_CHECKSUMS = (*MODEL_FILES, "report.json")
LANDMARK_DESCRIPTORS = "landmark_descriptors.npy"
BANKS = ("features.h5", "retrieval.h5", "landmarks.h5")
FILES = (
    *FILES_WITHOUT_CHECKSUMS,
    *RIG_FILES,
    *BANKS,
    LANDMARK_DESCRIPTORS,
    "map.json",
)
NOT_IN_ALL = ("report.json", LANDMARK_DESCRIPTORS, *RIG_FILES)
"""Files that maps of earlier versions lack."""
GEOREFERENCE = "georeference.json"
"""Made after the map by another command, so it is not among ``FILES``."""
CALIBRATION = "calibration.json"
"""Made after the map from its own photos; optional, so it is not among ``FILES``."""
SURFACE = "surface"
"""Subfolder of the surface (maps/surface.py); made after the map, so not among ``FILES``."""
REMEDY = "put the original back, or build the map again with --overwrite"
"""Remedy for a damaged file of a map."""
WORK = "work"
SIDE_MAPS = "models"
"""Subfolder of the other models of a map from scratch (maps/side_maps.py)."""
_OWN = {LOCK, *(f"{STAGED}/{name}" for name in FILES)}
_CHOOSE_ANOTHER = "a map must not be mixed with other files; choose a new folder for it"


def output_folder(output: Path | str, source: ImageSource, masks: Path | None) -> Path:
    """Check a folder that a map is to be written into; it need not exist yet.

    Raises:
        MappingError: an empty name, a folder with other files, or one that holds the photos.
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
    try:
        is_locked = (folder / LOCK).stat().st_size == 0  # another process may be building
    except OSError:  # it may also end just now
        is_locked = False
    if not is_locked:
        check_ours(folder)
    return folder


def check_ours(folder: Path) -> None:
    """Raise MappingError if the folder has files, but no finished or unfinished map."""
    if _has_map(folder) or any(_stores(folder)):
        return
    foreign = next(foreign_files(folder, _OWN), None)
    if foreign is not None:
        raise MappingError(
            f"{folder} is not empty and holds no map (there is {foreign!r}): {_CHOOSE_ANOTHER}"
        )


def check_links_inside(folder: Path) -> None:
    """Refuse links that lead out of the folder of a map, which others may have made.

    Raises:
        FormatError: names the first of them.
    """
    root = os.path.realpath(folder)
    for parent, subfolders, names in os.walk(folder):
        if parent == str(folder) and WORK in subfolders:
            subfolders.remove(WORK)  # queries do not read it, and it may lie on another disk
        for name in sorted((*subfolders, *names)):
            path = os.path.join(parent, name)
            if os.path.islink(path) and not _is_inside(os.path.realpath(path), root):
                raise FormatError(
                    f"{path} is a link out of the map, which a map from a stranger must not have: "
                    f"put the file in its place, or give --trust-map to commands that take it "
                    f"(Python: trust=True)"
                )


def _is_inside(path: str, root: str) -> bool:
    return path == root or path.startswith(root.rstrip(os.sep) + os.sep)


def delete_work(folder: Path) -> None:
    """Delete the intermediate results in a map folder, and nothing else."""
    for store in list(_stores(folder)):
        delete_store(store)
    with suppress(OSError):  # it holds other files
        (folder / WORK).rmdir()


def mark_work_failed(folder: Path, reason: str) -> None:
    """Note in the intermediate results of a map folder that their run failed, and why.

    A run with other settings may then replace them by itself. Those of an interrupted run are kept.
    """
    for store in _stores(folder):
        mark_failed(store, reason)


def _has_map(folder: Path) -> bool:
    for path in (folder / "map.json", folder / STAGED / "map.json"):
        schema = read_json_object(path).get("schema")
        if str(schema).startswith(MAP_SCHEMA.partition("/")[0]):
            return True
    # a map whose map.json is damaged may still be replaced
    return all((folder / name).is_file() for name in FILES if name not in NOT_IN_ALL)


def _stores(folder: Path) -> Iterator[Path]:
    if (folder / WORK).is_dir():
        yield from (each for each in sorted((folder / WORK).iterdir()) if is_store(each))


def _relative(path: Path, folder: Path) -> str | None:
    """POSIX name of ``path`` relative to ``folder`` ('.' for itself); None if it is not inside."""
    try:
        return path.resolve().relative_to(folder.resolve()).as_posix()
    except ValueError:
        return None
