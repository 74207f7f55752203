"""12-Scenes: map, poses, scores and checked submission.

    python -m pipelines.twelve_scenes --root DIR [-o RESULTS] [--subset N]

The same as ``hloc-lite benchmark 12scenes``; its card has layout and settings.
"""

from __future__ import annotations

import sys

from hloc_lite.cli.benchmark import command

if __name__ == "__main__":
    command(["12scenes", *sys.argv[1:]])
