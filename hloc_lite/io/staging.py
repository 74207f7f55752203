"""Folders that are written whole in a subfolder and then moved into place, file by file.

Folders belong to users. Only files with names that the caller states are moved or deleted.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from pathlib import Path

STAGED = ".new"
"""Subfolder in which the new content is complete before it replaces the old."""
LOCK = ".lock"
"""Lock file that a process holds while it writes the folder."""
LITTER = (".DS_Store", "Thumbs.db", "desktop.ini")
"""Files that file managers leave in empty folders."""


def move_staged_files(folder: Path, names: Iterable[str]) -> None:
    """Move files of the staged subfolder into the folder, in the given order.

    Args:
        folder: final folder, which contains ``STAGED``.
        names: POSIX paths relative to it.
    """
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / STAGED / name).replace(folder / name)


def delete_files(folder: Path, names: Iterable[str]) -> None:
    """Delete files, what ``atomic_path`` left of them, and the folders that are then empty."""
    folders = {folder}
    for name in names:
        path = folder / name
        for each in (path, *path.parent.glob(f".{path.name}.*.partial")):
            each.unlink(missing_ok=True)
        folders.add(path.parent)
    for each in sorted(folders, reverse=True):
        with suppress(OSError):
            each.rmdir()


def foreign_files(folder: Path, own: Collection[str]) -> Iterator[str]:
    """Yield relative POSIX names of files that are neither in ``own`` nor left by tools."""
    for parent, _, names in os.walk(folder):
        for name in sorted(names):
            relative = Path(parent, name).relative_to(folder).as_posix()
            is_partial = name.startswith(".") and name.endswith(".partial")
            if relative not in own and name not in LITTER and not is_partial:
                yield relative
