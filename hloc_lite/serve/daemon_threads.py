"""Threads that a job cannot hold for ever: one that hangs is replaced, and none delays the exit.

``ThreadPoolExecutor`` is not used: it waits for its threads at the end of the process, and has no
means against one that never returns.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(eq=False)
class _Worker:
    """A thread, and since when it runs a job (``time.monotonic``); None while it waits."""

    thread: threading.Thread = field(init=False)
    since_s: float | None = None
    is_hung: bool = False


class DaemonThreads(Executor):
    """Runs jobs in daemon threads, first come, first served.

    Args:
        name: beginning of the threads' names.
        count: number of threads.
        on_end: called in the thread with the duration of each job, seconds.
    """

    def __init__(
        self, name: str, count: int, on_end: Callable[[float], None] = lambda spent_s: None
    ) -> None:
        self._name, self._count, self._on_end = name, count, on_end
        self._condition = threading.Condition()
        self._jobs: deque[tuple[Future[Any], Callable[[], Any]]] = deque()
        self._workers: list[_Worker] = []
        self._is_closed = False

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Let ``fn`` run in the next free thread. Raises RuntimeError after ``shutdown``."""
        future: Future[T] = Future()
        with self._condition:
            if self._is_closed:
                raise RuntimeError("no jobs are accepted any more")
            self._jobs.append((future, lambda: fn(*args, **kwargs)))
            self._fill_up()
            self._condition.notify()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = True) -> None:
        """Drop waiting jobs; running ones go on, and nobody waits for them."""
        with self._condition:
            self._is_closed = True
            for future, _ in self._jobs:
                future.cancel()
            self._jobs.clear()
            self._condition.notify_all()

    @property
    def num_waiting(self) -> int:
        """Jobs that wait for a thread, without those that were cancelled."""
        with self._condition:
            return sum(not future.cancelled() for future, _ in self._jobs)

    @property
    def num_hung(self) -> int:
        """Replaced threads whose job has not ended yet."""
        with self._condition:
            return sum(worker.is_hung for worker in self._workers)

    def running_s(self) -> list[float]:
        """Seconds for which each job has been running, without those of replaced threads."""
        now = time.monotonic()
        with self._condition:
            return [
                now - worker.since_s
                for worker in self._workers
                if worker.since_s is not None and not worker.is_hung
            ]

    def replace(self, hung_s: float, max_hung: int) -> int:
        """Replace threads that died, or whose job runs for more than ``hung_s`` seconds.

        Args:
            max_hung: threads that may be left to themselves at a time; further ones keep their
                place. Each holds memory, and may hold a core.

        Returns:
            number of threads left to themselves by this call.
        """
        now, found = time.monotonic(), 0
        with self._condition:
            left = max_hung - sum(worker.is_hung for worker in self._workers)
            for worker in self._workers:
                is_late = worker.since_s is not None and now - worker.since_s > hung_s
                if is_late and not worker.is_hung and found < left:
                    worker.is_hung = True
                    found += 1
            self._workers = [worker for worker in self._workers if worker.thread.is_alive()]
            if not self._is_closed:
                self._fill_up()
        return found

    def _fill_up(self) -> None:
        while sum(not worker.is_hung for worker in self._workers) < self._count:
            worker = _Worker()
            worker.thread = threading.Thread(
                target=self._work, args=(worker,), name=f"{self._name}-thread", daemon=True
            )
            self._workers.append(worker)
            worker.thread.start()

    def _work(self, worker: _Worker) -> None:
        while (job := self._next_job(worker)) is not None:
            future, call = job
            try:
                future.set_result(call())
            except BaseException as error:  # also SystemExit: the thread must live on
                future.set_exception(error)
            start_s = worker.since_s
            worker.since_s = None
            if start_s is not None:
                self._on_end(time.monotonic() - start_s)
            del future, call, job  # the photo in it need not stay in memory until the next one
        with self._condition:
            if worker in self._workers:
                self._workers.remove(worker)

    def _next_job(self, worker: _Worker) -> tuple[Future[Any], Callable[[], Any]] | None:
        """Wait for a job and mark it as running; None if this thread is to end."""
        with self._condition:
            while not (self._is_closed or worker.is_hung):
                if not self._jobs:
                    self._condition.wait()
                    continue
                job = self._jobs.popleft()
                if job[0].set_running_or_notify_cancel():
                    worker.since_s = time.monotonic()
                    return job
        return None
