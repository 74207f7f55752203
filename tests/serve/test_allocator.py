"""Memory that requests freed goes back to the system."""

from __future__ import annotations

import subprocess
import sys

import pytest

FREE_BLOCKS = """
import sys
import numpy as np
from pathlib import Path
from hloc_lite.serve.allocator import return_freed_memory

def resident_mb():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6

if sys.argv[1] == "set" and not return_freed_memory():
    sys.exit("no mallopt")
np.ones(20_000_000, np.uint8)  # glibc takes blocks up to this size from its heap from now on
before = resident_mb()
blocks, pins = [], []
for _ in range(60):
    blocks.append(np.ones(2_000_000, np.uint8))
    pins.append(bytearray(5000))  # lies behind the block, so that the heap cannot shrink
del blocks
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
def test_freed_blocks_are_returned() -> None:
    assert _kept_mb("set") < 20 < 100 < _kept_mb("not set")
