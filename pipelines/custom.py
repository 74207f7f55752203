"""Your own data: map, poses, scores and checked submission.

    python -m pipelines.custom --root DIR [-o RESULTS] [--subset N]

The same as ``hloc-lite benchmark custom``; its card has layout and settings.
"""

from __future__ import annotations

import sys

from hloc_lite.cli.benchmark import command

if __name__ == "__main__":
    command(["custom", *sys.argv[1:]])
