"""A bounded queue before a few threads: who finds it full is told so, and when to come back."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Any, TypeVar

from hloc_lite.serve.problems import Problem, busy

T = TypeVar("T")
FIRST_GUESS_S = 1.0
"""Time of a job before any was seen."""
MEMORY_OF_TIMES = 0.2
"""Weight of the newest job in the running mean: the last ten or so count."""


class Workers:
    """Threads that do jobs in the order they came; used from one event loop.

    Args:
        workers: threads.
        queue_size: jobs that may wait beside those being done.
    """

    def __init__(self, workers: int, queue_size: int) -> None:
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="localize")
        self._workers, self._queue_size = workers, queue_size
        self._mean_s = FIRST_GUESS_S
        self.pending = 0
        """Jobs waiting or being done, also those whose client gave up."""
        self.running = 0
        """Jobs being done."""

    @property
    def waiting(self) -> int:
        return max(0, self.pending - self.running)

    def check_room(self) -> None:
        """Raises Problem (429) if one more job would not be taken."""
        if self.pending >= self._workers + self._queue_size:
            raise busy(
                "queue_full", f"{self._queue_size} photos wait already", self.retry_after_s()
            )

    def retry_after_s(self) -> int:
        """Whole seconds until the first of the jobs taken is likely done, and there is room."""
        return max(1, math.ceil(self._mean_s / self._workers))

    async def run(
        self, job: Callable[[], T], timeout_s: float, gone: Callable[[], Awaitable[None]]
    ) -> T:
        """What ``job`` gives, done in a thread.

        Args:
            timeout_s: until it must be done, waiting included.
            gone: returns when the client does not wait any more.

        Raises:
            Problem: no room (429), or not done in time (503). A job that has not begun by then is
                dropped, one that has is finished for nobody.
            asyncio.CancelledError: the client is gone.
        """
        self.check_room()
        loop = asyncio.get_running_loop()
        self.pending += 1

        def timed() -> T:
            loop.call_soon_threadsafe(self._begun)
            start = time.perf_counter()
            try:
                return job()
            finally:
                spent = time.perf_counter() - start
                with suppress(RuntimeError):  # the loop was closed meanwhile
                    loop.call_soon_threadsafe(self._done, spent)

        future = self._threads.submit(timed)
        future.add_done_callback(lambda each: self._left(each, loop))
        answer = asyncio.wrap_future(future)
        leaving = asyncio.ensure_future(gone())
        try:
            both: set[asyncio.Future[Any]] = {answer, leaving}
            await asyncio.wait(both, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
            if answer.done():
                return answer.result()
        finally:
            leaving.cancel()
            if not answer.done():
                future.cancel()  # no effect once it has begun
                answer.cancel()
        if leaving.done():
            raise asyncio.CancelledError("the client is gone")
        raise Problem(
            503, "timed_out", f"no answer within {timeout_s:g} s",
            {"Retry-After": str(self.retry_after_s())},
        )  # fmt: skip

    def close(self) -> None:
        """Wait for what is being done; drop the rest."""
        self._threads.shutdown(wait=True, cancel_futures=True)

    def _begun(self) -> None:
        self.running += 1

    def _done(self, spent_s: float) -> None:
        self.running -= 1
        self._mean_s += MEMORY_OF_TIMES * (spent_s - self._mean_s)

    def _left(self, _: Future[T], loop: asyncio.AbstractEventLoop) -> None:
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(self._leave)

    def _leave(self) -> None:
        self.pending -= 1
