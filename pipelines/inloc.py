"""InLoc: map from depth, poses and checked submission.

    python -m pipelines.inloc --root DIR [-o RESULTS] [--subset N]

The same as ``hloc-lite benchmark inloc``; its card has layout and settings.
"""

from __future__ import annotations

import sys

from hloc_lite.cli.benchmark import command

if __name__ == "__main__":
    command(["inloc", *sys.argv[1:]])
