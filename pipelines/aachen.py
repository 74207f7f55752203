"""Aachen Day-Night v1.0: map, localization, scores and checked submission in one command.

    python -m pipelines.aachen --root DIR [-o RESULTS] [--subset N]

The same as ``hloc-lite benchmark aachen``; layout and settings stand on the card of the data set.
"""

from __future__ import annotations

import sys

from hloc_lite.cli.benchmark import command

if __name__ == "__main__":
    command(["aachen", *sys.argv[1:]])
