"""Threads: prefetching of results, and torch's OpenMP threads."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from typing import TypeVar

S = TypeVar("S")
T = TypeVar("T")
WAIT_SETTINGS = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")
"""Variables by which users choose themselves how OpenMP threads wait."""
ELEMENTS_PER_THREAD = 32768
"""Elements of a tensor for each thread that torch splits an elementwise operation among."""


def prefetch(
    call: Callable[[S], T], items: Iterable[S], ahead: int, workers: int = 1
) -> Iterator[T]:
    """Yield ``call(item)`` for each item in order; threads work up to ``ahead`` items ahead."""
    remaining = iter(items)
    with ThreadPoolExecutor(max_workers=workers) as pool:
        running = [pool.submit(call, item) for item in islice(remaining, max(1, ahead))]
        try:
            while running:
                result = running.pop(0).result()
                running += [pool.submit(call, item) for item in islice(remaining, 1)]
                yield result
        finally:
            for future in running:
                future.cancel()


@contextmanager
def single_threaded_torch(enabled: bool = True) -> Iterator[None]:
    """Limit torch operations to one thread each, while several of our threads call them.

    With more threads than cores they would wait for each other.
    """
    if not enabled:
        yield
        return
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def sleeping_openmp_threads() -> Iterator[None]:
    """Let torch's OpenMP threads sleep soon while they wait for each other, instead of spinning.

    After each operation GNU OpenMP, which torch for Linux is linked with, spins for up to 300,000
    rounds. On idle cores that saves little. On cores that others use it takes the time slices that
    the awaited thread needs: a query then takes 3 to 5 times as long. It spins for 1000 rounds only
    while a process has more OpenMP threads than cores (GCC's manual, GOMP_SPINCOUNT). So idle ones
    are added meanwhile, which cost no time. Environment variables would do the same, but are read
    only when torch is loaded.

    Numbers of threads and results stay as they are. Nothing is done where the user has set
    ``WAIT_SETTINGS``, or torch uses one thread.
    """
    done = threading.Event()
    idle = [threading.Thread(target=_hold_team, args=(done,)) for _ in range(_num_idle_teams())]
    try:
        for each in idle:
            each.start()
        yield
    finally:
        done.set()


def _num_idle_teams() -> int:
    """Number of teams, each as large as torch's, that make more threads than cores with it."""
    if sys.platform != "linux" or any(name in os.environ for name in WAIT_SETTINGS):
        return 0
    import torch

    others = torch.get_num_threads() - 1
    num_cores = len(os.sched_getaffinity(0))
    return (num_cores - 1) // others if others > 0 else 0


def _hold_team(done: threading.Event) -> None:
    """Start a team of OpenMP threads, and keep it until ``done``; it ends with this thread."""
    import torch

    torch.zeros(ELEMENTS_PER_THREAD * torch.get_num_threads()).add_(1)
    done.wait()
