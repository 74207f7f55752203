"""Lock files: one process at a time does a piece of work."""

from __future__ import annotations

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
    lock = FileLock(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
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
