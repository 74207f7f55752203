"""Threads: work ahead of its consumer, and torch operations that do not compete for cores."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from typing import TypeVar

S = TypeVar("S")
T = TypeVar("T")


def prefetch(
    call: Callable[[S], T], items: Iterable[S], ahead: int, workers: int = 1
) -> Iterator[T]:
    """Yield ``call(item)`` in order, computed by threads up to ``ahead`` items in advance."""
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
def single_threaded_torch(wanted: bool = True) -> Iterator[None]:
    """Run torch operations on one thread each while several of our threads call them.

    Otherwise there are more threads than cores, and they wait for each other.
    """
    if not wanted:
        yield
        return
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
