"""Memory that one thread freed is used by the next."""

from __future__ import annotations

import subprocess
import sys

import pytest

FREE_BLOCKS = """
import sys
import threading
from pathlib import Path

import numpy as np
from hloc_lite.serve.allocator import share_freed_memory

def resident_mb():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6

if sys.argv[1] == "set" and not share_freed_memory():
    sys.exit("no mallopt")
ended, pins, before = threading.Event(), [], resident_mb()

def work(done):
    blocks = []
    for _ in range(300):
        blocks.append(np.ones(100_000, np.uint8))
        pins.append(bytearray(5000))  # lies behind the block, so that the heap cannot shrink
    del blocks
    done.set()
    ended.wait()  # a thread that ends would leave its heap to the next

for _ in range(6):
    done = threading.Event()
    threading.Thread(target=work, args=(done,), daemon=True).start()
    done.wait()
print(resident_mb() - before)
"""


def _kept_mb(argument: str) -> float:
    command = [sys.executable, "-c", FREE_BLOCKS, argument]
    environment = {"PATH": ""}  # none of MALLOC_*
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if "no mallopt" in done.stderr:
        pytest.skip("this C library has no mallopt")
    assert done.returncode == 0, done.stderr
    return float(done.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_threads_share_what_is_free() -> None:
    assert _kept_mb("set") < 100 < 150 < _kept_mb("not set")
