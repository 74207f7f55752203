"""Worker threads behind a bounded queue; a full queue refuses jobs with a retry time."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, TypeVar

from hloc_lite.serve.problems import Problem, too_busy

T = TypeVar("T")
INITIAL_JOB_S = 1.0
"""Assumed duration of a job before one was measured."""
MEAN_UPDATE = 0.2
"""Weight of the newest job in the running mean, which so covers about the last ten."""


class WorkerPool:
    """Threads that run jobs first come, first served; used from one event loop.

    Args:
        workers: number of threads.
        queue_size: jobs that may wait in addition to the running ones.
    """

    def __init__(self, workers: int, queue_size: int) -> None:
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="localize")
        self._workers, self._queue_size = workers, queue_size
        self._mean_s = INITIAL_JOB_S
        self.pending = 0
        """Jobs waiting or running, including those whose client has given up."""
        self.running = 0
        """Jobs running."""

    @property
    def waiting(self) -> int:
        return max(0, self.pending - self.running)

    def check_capacity(self) -> None:
        """Raise Problem (429) if the queue is full."""
        if self.pending >= self._workers + self._queue_size:
            reason = f"{self._queue_size} photos are already waiting"
            raise too_busy("queue_full", reason, self.retry_after_s())

    def retry_after_s(self) -> int:
        """Return the expected time until a job finishes and the queue has room, in whole s."""
        return max(1, math.ceil(self._mean_s / self._workers))

    async def run(
        self, job: Callable[[], T], timeout_s: float, disconnected: Callable[[], Awaitable[None]]
    ) -> T:
        """Run ``job`` in a thread and return its result.

        Args:
            timeout_s: limit from this call to the result, waiting included.
            disconnected: returns when the client has closed its connection.

        Raises:
            Problem: queue full (429), or not done in time (503). A job that has not started by
                then is dropped; a running one is finished and its result discarded.
            asyncio.CancelledError: the client disconnected.
        """
        self.check_capacity()
        loop = asyncio.get_running_loop()
        self.pending += 1

        def timed_job() -> T:
            loop.call_soon_threadsafe(self._on_start)
            start = time.perf_counter()
            try:
                return job()
            finally:
                spent_s = time.perf_counter() - start
                with suppress(RuntimeError):  # the loop may be closed by now
                    loop.call_soon_threadsafe(self._on_end, spent_s)

        future = self._threads.submit(timed_job)
        future.add_done_callback(lambda _: self._on_done(loop))
        result = asyncio.wrap_future(future)
        disconnect = asyncio.ensure_future(disconnected())
        try:
            both: set[asyncio.Future[Any]] = {result, disconnect}
            await asyncio.wait(both, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
            if result.done():
                return result.result()
        finally:
            disconnect.cancel()
            if not result.done():
                future.cancel()  # no effect on a running job
                result.cancel()
        if disconnect.done():
            raise asyncio.CancelledError("the client disconnected")
        retry = {"Retry-After": str(self.retry_after_s())}
        raise Problem(503, "timed_out", f"no answer within {timeout_s:g} s", retry)

    def close(self) -> None:
        """Wait for running jobs and drop waiting ones."""
        self._threads.shutdown(wait=True, cancel_futures=True)

    def _on_start(self) -> None:
        self.running += 1

    def _on_end(self, spent_s: float) -> None:
        self.running -= 1
        self._mean_s += MEAN_UPDATE * (spent_s - self._mean_s)

    def _on_done(self, loop: asyncio.AbstractEventLoop) -> None:
        """Count a finished or cancelled job; called from any thread."""
        with suppress(RuntimeError):  # the loop may be closed by now
            loop.call_soon_threadsafe(self._release)

    def _release(self) -> None:
        self.pending -= 1
