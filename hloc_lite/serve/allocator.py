"""Settings of glibc's allocator for a process that runs for months."""

from __future__ import annotations

import ctypes
import logging
import os

logger = logging.getLogger(__name__)

MAX_ARENAS = 2
"""Heaps of the process. By default each thread of a burst gets its own, up to eight for each core,
and keeps what it freed: a tenth more memory, which grew for a quarter of an hour."""
VARIABLE = "MALLOC_ARENA_MAX"
_M_ARENA_MAX = -8  # number of malloc.h


def share_freed_memory() -> bool:
    """Let all threads of the process reuse what others freed, so that memory does not grow.

    Must be called before the threads are started. The environment variable ``MALLOC_ARENA_MAX``,
    where set, wins.

    Returns:
        True if it was set; False where the C library has no ``mallopt`` (macOS, Windows, musl).
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):  # TypeError: Windows has no library without name
        return False
    if VARIABLE in os.environ:
        return True
    done = bool(mallopt(_M_ARENA_MAX, MAX_ARENAS))
    if not done:
        logger.warning("memory settings were refused by the C library: memory may grow")
    return done
