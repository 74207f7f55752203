"""Temporary folders that do not outlive their process for long, even if it is killed.

A process that is killed cannot clean up. So each folder holds a lock file, and the next process
that needs a folder deletes those whose lock nobody holds.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

PREFIX = "hloc_lite-"
"""Names of the folders begin so; another program's do not."""
LOCK = "lock"
CONTENT = "content"
"""Subfolder that callers get: they see no file of others in it."""
MIN_AGE_S = 60.0
"""Younger folders are left alone: their process may be about to lock them."""


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """Yield an empty folder, which is deleted afterwards, and what killed processes left.

    It lies in the folder of ``tempfile`` (``TMPDIR``), and only this user can open it.

    Raises:
        OSError: it cannot be created.
    """
    delete_leftovers(Path(tempfile.gettempdir()))
    # what cannot be deleted now is deleted by a later process
    with tempfile.TemporaryDirectory(prefix=PREFIX, ignore_cleanup_errors=True) as made:
        folder = Path(made)
        lock = FileLock(folder / LOCK)
        with lock:
            (folder / CONTENT).mkdir()
            yield folder / CONTENT


def delete_leftovers(folder: Path, min_age_s: float = MIN_AGE_S) -> None:
    """Delete the temporary folders of this user in ``folder`` that no process holds."""
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(PREFIX) and _is_ours(entry, min_age_s):
                _delete_if_free(Path(entry.path))


def _is_ours(entry: os.DirEntry[str], min_age_s: float) -> bool:
    """Return True for a folder of this user, not a link, that is old enough."""
    try:
        if not entry.is_dir(follow_symlinks=False):
            return False
        found = entry.stat(follow_symlinks=False)
    except OSError:  # its process has just deleted it
        return False
    is_own = not hasattr(os, "geteuid") or found.st_uid == os.geteuid()
    return is_own and time.time() - found.st_mtime >= min_age_s


def _delete_if_free(folder: Path) -> None:
    """Delete a folder, unless a process holds its lock."""
    lock = FileLock(folder / LOCK)
    try:
        lock.acquire(timeout=0)
    except (Timeout, OSError):
        return
    lock.release()  # Windows deletes no open files
    shutil.rmtree(folder, ignore_errors=True)
