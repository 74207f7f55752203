"""RobotCar Seasons: map, poses, scores and checked submission.

    python -m pipelines.robotcar --root DIR [-o RESULTS] [--subset N]

The same as ``hloc-lite benchmark robotcar``; its card has layout and settings.
"""

from __future__ import annotations

import sys

from hloc_lite.cli.benchmark import command

if __name__ == "__main__":
    command(["robotcar", *sys.argv[1:]])
