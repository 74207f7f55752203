"""Aachen Day-Night v1.0: map, poses, scores and checked submission.

    python -m pipelines.aachen --root DIR [-o RESULTS] [--subset N]

The same as ``hloc-lite benchmark aachen``; its card has layout and settings.
"""

from __future__ import annotations

import sys

from hloc_lite.cli.benchmark import command

if __name__ == "__main__":
    command(["aachen", *sys.argv[1:]])
