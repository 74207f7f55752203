"""Lock files: one process at a time does a piece of work."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from hloc_lite.errors import HlocLiteError


@contextmanager
def exclusive_lock(
    path: Path, busy: HlocLiteError, unwritable: Callable[[OSError], HlocLiteError]
) -> Iterator[None]:
    """Hold a lock file, and delete it at the end.

    Its folder is made if it is missing. A file that a killed process left locks nothing.

    Args:
        path: lock file.
        busy: raised if another process holds the lock.
        unwritable: makes the error to raise if the file cannot be created.

    Raises:
        HlocLiteError: one of these two.
    """
    try:
        lock = _acquire(path)
    except Timeout:
        raise busy from None
    except OSError as error:
        raise unwritable(error) from error
    try:
        yield
    finally:
        with suppress(OSError):  # Windows does not delete open files
            path.unlink()
        lock.release()


def _acquire(path: Path) -> FileLock:
    """Lock the file that is at ``path``, not one that its last holder has deleted meanwhile."""
    while True:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path)
        lock.acquire(timeout=0)
        if _is_at(path, lock._context.lock_file_fd):
            return lock
        lock.release()


def _is_at(path: Path, descriptor: int | None) -> bool:
    """Return True if the open file is the one at ``path``."""
    if os.name == "nt" or descriptor is None:  # Windows does not delete open files
        return True
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except FileNotFoundError:
        return False
