"""Worker threads behind a bounded queue; a full queue refuses jobs with a retry time."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from hloc_lite.serve.daemon_threads import DaemonThreads
from hloc_lite.serve.problems import Problem, too_busy

logger = logging.getLogger(__name__)

T = TypeVar("T")
INITIAL_JOB_S = 1.0
"""Assumed duration of a job before one was measured."""
MEAN_UPDATE = 0.2
"""Weight of the newest job in the running mean, which so covers about the last ten."""
WATCH_S = 1.0
"""Time between two looks for threads that hang."""


class WorkerPool:
    """Threads that run jobs first come, first served; used from one event loop.

    Args:
        workers: number of threads.
        queue_size: jobs that may wait in addition to the running ones.
        overdue_s: duration from which a running job counts as overdue.
        hung_s: duration from which it counts as hung: another thread takes the place of its own.
        max_hung: threads that may be left to themselves like that at a time.
    """

    def __init__(
        self,
        workers: int,
        queue_size: int,
        overdue_s: float = math.inf,
        hung_s: float = math.inf,
        max_hung: int = 0,
    ) -> None:
        self._threads = DaemonThreads("localize", workers, self._on_end)
        self._workers, self._queue_size = workers, queue_size
        self._overdue_s, self._hung_s, self._max_hung = overdue_s, hung_s, max_hung
        self._mean_s = INITIAL_JOB_S

    @property
    def waiting(self) -> int:
        """Jobs waiting for a thread."""
        return self._threads.num_waiting

    @property
    def running(self) -> int:
        """Jobs running, including those whose client has given up, without hung ones."""
        return len(self._threads.running_s())

    @property
    def hung(self) -> int:
        """Jobs whose thread was replaced, and that have not ended yet."""
        return self._threads.num_hung

    @property
    def all_overdue(self) -> bool:
        """True if every thread is busy with an overdue job: no photo can be answered now."""
        overdue = sum(spent_s > self._overdue_s for spent_s in self._threads.running_s())
        return overdue >= self._workers

    def check_capacity(self) -> None:
        """Raise Problem (429) if the queue is full."""
        if self.waiting + self.running >= self._workers + self._queue_size:
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
        future = self._threads.submit(job)
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

    async def watch(self) -> None:
        """Replace threads that hang or died; runs until it is cancelled."""
        while True:
            await asyncio.sleep(min(WATCH_S, self._hung_s / 4))
            found = self._threads.replace(self._hung_s, self._max_hung)
            if found:
                logger.error(
                    "%d localizations run for more than %g s: their threads are replaced; %d are "
                    "left to themselves now, at most %d may be",
                    found, self._hung_s, self.hung, self._max_hung,
                )  # fmt: skip

    def close(self) -> None:
        """Drop waiting jobs; running ones are left to themselves."""
        self._threads.shutdown()

    def _on_end(self, spent_s: float) -> None:
        self._mean_s += MEAN_UPDATE * (spent_s - self._mean_s)
