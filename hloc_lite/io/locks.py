"""One process at a time: lock files that go when the work is done."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from hloc_lite.errors import HlocLiteError


@contextmanager
def only_process(
    lock: Path, busy: str, unwritable: Callable[[OSError], HlocLiteError]
) -> Iterator[None]:
    """Holds a lock file, in a folder that is made if need be; what a killed process leaves of one
    locks nothing.

    Args:
        busy: what to say where another process holds it.
        unwritable: what to raise where the file cannot be made.

    Raises:
        HlocLiteError: one of these.
    """
    held = FileLock(lock)
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        held.acquire(timeout=0)
    except Timeout:
        raise HlocLiteError(busy) from None
    except OSError as error:
        raise unwritable(error) from error
    try:
        yield
    finally:
        with suppress(OSError):  # Windows deletes no open file
            lock.unlink()
        held.release()
