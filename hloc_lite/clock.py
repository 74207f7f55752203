"""Wall time of the stages of a run, and peak memory."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

logger = logging.getLogger(__name__)


class StageClock:
    """Sums wall time by stage: ``with clock("name"):`` adds to ``clock.seconds["name"]``."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        start = time.perf_counter()
        try:
            yield
        finally:
            spent_s = time.perf_counter() - start
            self.seconds[stage] = self.seconds.get(stage, 0.0) + spent_s
            logger.debug("%s: %.3f s", stage, spent_s)

    def is_late(self, budget_ms: float | None, next_s: float) -> bool:
        """Return True if ``next_s`` more seconds would exceed a budget; None is no budget."""
        return budget_ms is not None and 1000 * (sum(self.seconds.values()) + next_s) > budget_ms


def peak_memory_mb() -> float | None:
    """Peak resident memory of this process, MB; None where the system does not report it."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)  # bytes there, kB elsewhere
