"""Limits that a child process puts on itself before it reads what strangers made.

On Linux all of them hold. macOS does not bound address space, and Windows has no such limits: there
only the parent's time limit holds.
"""

from __future__ import annotations

import math
import time
from contextlib import suppress
from pathlib import Path

STATM = Path("/proc/self/statm")
MAX_OPEN_FILES = 32
"""Standard streams, shared memory and a few files that libraries open; the rest is spare."""


def limit_memory(above_idle_mb: float) -> None:
    """Bound the address space to that of now plus ``above_idle_mb`` MB; then allocations fail."""
    pages = _address_space_bytes()
    if pages is not None:
        _lower("RLIMIT_AS", pages + int(above_idle_mb * 1e6))


def limit_files(max_open: int = MAX_OPEN_FILES) -> None:
    """Bound open files; forbid to write files, and to dump memory with a photo in it."""
    _lower("RLIMIT_NOFILE", max_open)
    _lower("RLIMIT_FSIZE", 0)
    _lower("RLIMIT_CORE", 0)


def limit_cpu(more_s: float) -> None:
    """End the process (SIGXCPU) once it has used ``more_s`` seconds of CPU time from now on.

    A later call moves the limit. The system counts whole seconds, so up to one more may pass.
    """
    with suppress(ImportError, ValueError, OSError):
        import resource

        used_s = time.process_time()
        hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
        soft = math.ceil(used_s + more_s)
        if hard != resource.RLIM_INFINITY:
            soft = min(soft, hard)
        resource.setrlimit(resource.RLIMIT_CPU, (soft, hard))


def _address_space_bytes() -> int | None:
    """Address space of this process; None where the system does not tell."""
    try:
        import resource

        return int(STATM.read_text().split()[0]) * resource.getpagesize()
    except (ImportError, OSError):
        return None


def _lower(name: str, value: int) -> None:
    """Lower a limit, soft and hard, if the system has it and it is not lower already."""
    with suppress(ImportError, AttributeError, ValueError, OSError):
        import resource

        kind = getattr(resource, name)
        hard = resource.getrlimit(kind)[1]
        bound = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (bound, bound))
