"""RIO10: map, poses, scores and checked submission.

    python -m pipelines.rio10 --root DIR [-o RESULTS] [--subset N]

The same as ``hloc-lite benchmark rio10``; its card has layout and settings.
"""

from __future__ import annotations

import sys

from hloc_lite.cli.benchmark import command

if __name__ == "__main__":
    command(["rio10", *sys.argv[1:]])
