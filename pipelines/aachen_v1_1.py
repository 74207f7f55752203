"""Aachen Day-Night v1.1: map, localization, scores and checked submission in one command.

    python -m pipelines.aachen_v1_1 --root DIR [-o RESULTS] [--subset N]

The same as ``hloc-lite benchmark aachen-v1.1``; layout and settings stand on the card of the data set.
"""

from __future__ import annotations

import sys

from hloc_lite.cli.benchmark import command

if __name__ == "__main__":
    command(["aachen-v1.1", *sys.argv[1:]])
