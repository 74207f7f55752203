"""Tests that fork run in a process of their own: children of one with threads may hang."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

OWN = "HLOC_LITE_OWN_PROCESS"
starts_process = pytest.mark.skipif(OWN in os.environ, reason="this is that process")
in_own_process = pytest.mark.skipif(OWN not in os.environ, reason="run in a process of their own")


def run_in_own_process(file: str, timeout_s: float = 900) -> None:
    """Run the tests of a file that are marked with ``in_own_process``."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", file],
        env={**os.environ, OWN: "1", "OMP_NUM_THREADS": "1"},
        cwd=Path(__file__).parents[2], capture_output=True, text=True, timeout=timeout_s,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-4000:]
