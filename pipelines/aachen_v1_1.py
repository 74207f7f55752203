"""Aachen Day-Night v1.1: map, poses, scores and checked submission.

    python -m pipelines.aachen_v1_1 --root DIR [-o RESULTS] [--subset N]

The same as ``hloc-lite benchmark aachen-v1.1``; its card has layout and settings.
"""

from __future__ import annotations

import sys

from hloc_lite.cli.benchmark import command

if __name__ == "__main__":
    command(["aachen-v1.1", *sys.argv[1:]])
