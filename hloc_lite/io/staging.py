"""Folders that are written whole in a subfolder and then moved into place, file by file.

The header, written last, switches from the old content to the new one: as soon as the subfolder has
its header, readers take each file from there, or from its place if it was moved already
(``current_file``). So a process that is killed leaves the old content or the new one, and the next
one that writes moves the rest. The header is moved last.

Folders belong to users. Only files with names that the caller states are moved or deleted.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from hloc_lite.errors import HlocLiteError
from hloc_lite.io.file_modes import kept_mode, set_mode
from hloc_lite.io.partial_files import is_partial, sync_folder

logger = logging.getLogger(__name__)
STAGED = ".new"
"""Subfolder in which the new content is complete before it replaces the old."""
HEADER = "map.json"
"""File that completes a content."""
LOCK = ".lock"
"""Lock file that a process holds while it writes the folder."""
LITTER = (".DS_Store", "Thumbs.db", "desktop.ini")
"""Files that file managers leave in empty folders."""


def current_file(folder: Path, name: str) -> Path:
    """Path of a file of the folder's current content: staged still, or in its place."""
    staged = folder / STAGED
    if (staged / HEADER).is_file() and (staged / name).is_file():
        return staged / name
    return folder / name


def content_state(folder: Path) -> object:
    """Value that changes whenever the content is replaced, and with each file that is moved."""
    paths = (folder / HEADER, folder / STAGED / HEADER)
    staged = [
        Path(parent, name).relative_to(folder).as_posix()
        for parent, _, names in os.walk(folder / STAGED)
        for name in sorted(names)
    ]
    # files that are being written change nothing before the header is there
    return [_identity(path) for path in paths], staged if paths[1].is_file() else None


def check_no_links(folder: Path, names: Iterable[str]) -> None:
    """Refuse to write through links to other folders: a folder from elsewhere may have any.

    Raises:
        HlocLiteError: a subfolder is a link.
    """
    subfolders = {STAGED, *(str(parent) for name in names for parent in Path(name).parents)} - {"."}
    for each in sorted({*subfolders, *(f"{STAGED}/{name}" for name in subfolders)}):
        if (folder / each).is_symlink():
            raise HlocLiteError(f"{folder / each} is a link, through which nothing is written")


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns


def move_staged_files(folder: Path, names: Iterable[str]) -> bool:
    """Move files of the staged subfolder into the folder, in the given order.

    Windows moves no file that a process has open, nor replaces one. The rest then stays where it
    is, from where readers take it, until the next process writes.

    Args:
        folder: final folder, which contains ``STAGED``.
        names: POSIX paths relative to it.

    Returns:
        True if all were moved.
    """
    folders = set()
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        set_mode(folder / STAGED / name, kept_mode(folder / name))
        try:
            (folder / STAGED / name).replace(folder / name)
        except PermissionError as error:
            logger.warning(
                "%s was replaced, but %s is in use (%s): the new files stay in %s meanwhile",
                folder, name, error.strerror, folder / STAGED,
            )  # fmt: skip
            return False
        folders.add((folder / name).parent)
    for each in folders:
        sync_folder(each)
    return True


def in_use(folder: Path) -> HlocLiteError:
    """Error for a folder whose last content could not be moved to its place yet."""
    return HlocLiteError(
        f"cannot write {folder}: another program has files in {folder / STAGED} open, or they may "
        f"not be moved. Close it (a service that serves the map, say) and run again"
    )


def delete_files(folder: Path, names: Iterable[str]) -> None:
    """Delete files, what ``atomic_path`` left of them, and the folders that are then empty."""
    folders = {folder}
    names = list(names)
    _delete_partial_files(folder, names)
    for name in names:
        path = folder / name
        path.unlink(missing_ok=True)
        folders.add(path.parent)
    for each in sorted(folders, reverse=True):
        with suppress(OSError):
            each.rmdir()


def _delete_partial_files(folder: Path, names: Iterable[str]) -> None:
    targets: dict[Path, list[str]] = {}
    for name in names:
        targets.setdefault((folder / name).parent, []).append(Path(name).name)
    for parent, targeted in targets.items():
        with suppress(OSError):  # it does not exist
            for each in parent.iterdir():
                if any(is_partial(each.name, target) for target in targeted):
                    each.unlink(missing_ok=True)


def foreign_files(folder: Path, own: Collection[str]) -> Iterator[str]:
    """Yield relative POSIX names of files that are neither in ``own`` nor left by tools."""
    for parent, _, names in os.walk(folder):
        for name in sorted(names):
            relative = Path(parent, name).relative_to(folder).as_posix()
            is_partial = name.startswith(".") and name.endswith(".partial")
            if relative not in own and name not in LITTER and not is_partial:
                yield relative
