"""Settings of glibc's allocator for a process that runs for months."""

from __future__ import annotations

import ctypes
import logging
import os

logger = logging.getLogger(__name__)

MAX_ARENAS = 2
"""Heaps of the process. By default each thread of a burst gets its own, and keeps what it freed."""
MMAP_THRESHOLD_BYTES = 1_000_000
"""Size from which memory is returned as soon as it is freed. By default glibc raises it to the
largest block that was ever freed (up to 32 MB), after which images and tensors leave holes."""
_M_MMAP_THRESHOLD = -3  # numbers of malloc.h
_M_ARENA_MAX = -8


def return_freed_memory() -> bool:
    """Let glibc give large freed blocks back to the system, so that memory does not grow.

    Acts on the whole process. Environment variables ``MALLOC_ARENA_MAX`` and
    ``MALLOC_MMAP_THRESHOLD_``, where set, are left as they are.

    Returns:
        True if it was set; False where the C library has no ``mallopt`` (macOS, Windows, musl).
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):  # TypeError: Windows has no library without name
        return False
    settings = {
        "MALLOC_ARENA_MAX": (_M_ARENA_MAX, MAX_ARENAS),
        "MALLOC_MMAP_THRESHOLD_": (_M_MMAP_THRESHOLD, MMAP_THRESHOLD_BYTES),
    }
    wanted = [values for name, values in settings.items() if name not in os.environ]
    done = all([mallopt(key, value) == 1 for key, value in wanted])
    if not done:
        logger.warning("memory settings were refused by the C library: memory may grow")
    return done
