"""Cambridge Landmarks: map, poses, scores and checked submission.

    python -m pipelines.cambridge --root DIR [-o RESULTS] [--subset N]

The same as ``hloc-lite benchmark cambridge``; its card has layout and settings.
"""

from __future__ import annotations

import sys

from hloc_lite.cli.benchmark import command

if __name__ == "__main__":
    command(["cambridge", *sys.argv[1:]])
