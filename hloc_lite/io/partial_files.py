"""Partial files: what is written beside a file before it replaces it.

A partial file is called after its target, so that the next process that writes the target takes it
over from one that was killed. A lock, which ends with its process, tells whether it is in use.
"""

from __future__ import annotations

import os
import stat
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def partial_file(path: Path) -> Iterator[Path]:
    """Yield a path beside ``path`` that no other process writes to; deleted at the end.

    Raises:
        OSError: the file cannot be created.
    """
    partial, descriptor = _claim(path)
    try:
        yield partial
    finally:
        with suppress(OSError):  # replaced, or its folder is gone
            partial.unlink(missing_ok=True)
        if descriptor is not None:
            os.close(descriptor)


def is_partial(name: str, target: str) -> bool:
    """Return True if a name is that of a partial file of ``target``, of any version."""
    return name.startswith(f".{target}.") and name.endswith(".partial")


def sync_folder(folder: Path) -> None:
    """Wait until the names in a folder are on disk, where the system can; else do nothing."""
    if os.name == "nt":  # Windows opens no folders
        return
    with suppress(OSError):  # some network file systems cannot
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _claim(path: Path) -> tuple[Path, int | None]:
    """Partial path, and the descriptor that holds its lock until it is closed."""
    named = path.with_name(f".{path.name}.partial")
    descriptor = None if os.name == "nt" else _locked(named)
    if descriptor is not None:
        return named, descriptor
    return path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.partial"), None


def _locked(path: Path) -> int | None:
    """Open file at a path, emptied and locked; None if another process has it, or it is a link."""
    import fcntl

    try:
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        descriptor = os.open(path, flags, 0o666)
    except (FileExistsError, IsADirectoryError):
        return None
    except OSError:
        if path.is_symlink():
            return None
        raise
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        found, named = os.fstat(descriptor), os.stat(path, follow_symlinks=False)
        # a second name would be changed, too; the last holder may have moved or deleted the file
        if os.path.samestat(found, named) and stat.S_ISREG(found.st_mode) and found.st_nlink == 1:
            os.ftruncate(descriptor, 0)
            return descriptor
    except OSError:  # locked by another, or on a file system without locks
        pass
    os.close(descriptor)
    return None
