"""A thread that kills a process which does not answer in time.

``threading.Timer`` starts a thread each time, and waits until it runs: some ms on a busy machine.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Watchdog:
    """Calls ``kill`` if a block takes longer than its limit. For one thread at a time.

    The process may be killed in the moment in which the block ends.
    """

    def __init__(self, kill: Callable[[], None]) -> None:
        self._kill = kill
        self._condition = threading.Condition()
        self._deadline_s: float | None = None
        self._wakes_s = float("inf")
        """Time at which the thread looks at the deadline."""
        self._is_closed = False
        self.has_killed = False
        threading.Thread(target=self._run, name="watchdog", daemon=True).start()

    @contextmanager
    def limit(self, timeout_s: float) -> Iterator[None]:
        """Limit the time of a block, seconds."""
        with self._condition:
            self._deadline_s = time.monotonic() + timeout_s
            if self._deadline_s < self._wakes_s:
                self._condition.notify()
        try:
            yield
        finally:
            with self._condition:
                self._deadline_s = None

    def close(self) -> None:
        """End the thread."""
        with self._condition:
            self._is_closed = True
            self._condition.notify()

    def _run(self) -> None:
        with self._condition:
            while not self._is_closed:
                now, deadline_s = time.monotonic(), self._deadline_s
                if deadline_s is not None and deadline_s <= now:
                    self.has_killed, self._deadline_s = True, None
                    self._kill()
                    continue
                self._wakes_s = float("inf") if deadline_s is None else deadline_s
                self._condition.wait(None if deadline_s is None else deadline_s - now)
