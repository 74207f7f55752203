"""Time and memory that one call takes in a process of its own, on Linux."""

from __future__ import annotations

import gc
import importlib
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple


class Cost(NamedTuple):
    """Cost of a call."""

    seconds: float
    cpu_seconds: float
    """Seconds of the processor, which other programs on the machine hardly change."""
    megabytes: float
    """Peak of the memory above that before the call."""


def measure(function: str, path: Path, warm: Path | None = None) -> Cost:
    """Call a function with a path in a new process.

    Args:
        function: ``MODULE:NAME``.
        path: file or folder to read.
        warm: small one of the same kind, read first so that later imports are not counted.
    """
    paths = [str(path), *([str(warm)] if warm else [])]
    done = subprocess.run(
        [sys.executable, "-m", __spec__.name, function, *paths],
        stdout=subprocess.PIPE, text=True, check=True,
    )  # fmt: skip
    return Cost(*json.loads(done.stdout.splitlines()[-1]))


def main() -> None:
    """Print the cost of ``MODULE:NAME PATH [WARM]`` as JSON."""
    module, _, name = sys.argv[1].partition(":")
    read = getattr(importlib.import_module(module), name)
    for warm in sys.argv[3:]:
        read(Path(warm))
    gc.collect()
    before, start, busy = _peak_kb(), time.perf_counter(), time.process_time()
    found = read(Path(sys.argv[2]))
    seconds, cpu = time.perf_counter() - start, time.process_time() - busy
    print(json.dumps([seconds, cpu, (_peak_kb() - before) / 1024]))
    del found


def _peak_kb() -> int:
    # not ru_maxrss, which a child takes over from its parent
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1])


if __name__ == "__main__":
    main()
