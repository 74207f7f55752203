"""Two checkouts of hloc_lite side by side: each runs in processes of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

THREAD_VARIABLES = (
    "OMP_NUM_THREADS",  # torch, faiss, PoseLib
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "OPENCV_FOR_THREADS_NUM",
)


@dataclass(frozen=True)
class Checkout:
    """A working tree of the repository, installed or not."""

    folder: Path
    threads: int = 1
    """Threads of all native libraries; ``mapping.threads`` is a config key of its own."""

    @property
    def commit(self) -> str:
        """``git describe`` of the tree, with ``-dirty`` after local changes."""
        command = ["git", "-C", str(self.folder), "describe", "--always", "--dirty"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return done.stdout.strip() or "unknown"

    @property
    def environment(self) -> dict[str, str]:
        """Environment in which ``import hloc_lite`` finds this tree."""
        threads = dict.fromkeys(THREAD_VARIABLES, str(self.threads))
        passive = {"OMP_WAIT_POLICY": "PASSIVE"}
        return {**os.environ, **threads, **passive, "PYTHONPATH": str(self.folder.resolve())}

    def start(self, arguments: Sequence[object], **options: Any) -> subprocess.Popen[str]:
        """Start ``python ARGUMENTS``; ``-P`` keeps other folders off the import path."""
        command = [sys.executable, "-P", *(str(each) for each in arguments)]
        return subprocess.Popen(command, env=self.environment, text=True, **options)

    def run(self, arguments: Sequence[object], **options: Any) -> None:
        """Run ``python ARGUMENTS`` to its end.

        Raises:
            SystemExit: it failed.
        """
        process = self.start(arguments, **options)
        if process.wait() != 0:
            raise SystemExit(f"{self.folder}: python {' '.join(map(str, arguments))} failed")
