"""Hyundai Department Store: map, poses, scores and checked submission.

    python -m pipelines.hyundai --root DIR [-o RESULTS] [--subset N]

The same as ``hloc-lite benchmark hyundai``; its card has layout and settings.
"""

from __future__ import annotations

import sys

from hloc_lite.cli.benchmark import command

if __name__ == "__main__":
    command(["hyundai", *sys.argv[1:]])
