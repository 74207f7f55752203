"""Threads: prefetching of results, and one torch thread for each of our own."""

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
