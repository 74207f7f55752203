"""Map-free: a map of one photo and its depth per scene, poses and checked submission.

    python -m pipelines.mapfree --root DIR [-o RESULTS] [--subset N]

The same as ``hloc-lite benchmark mapfree``; its card has layout and settings.
"""

from __future__ import annotations

import sys

from hloc_lite.cli.benchmark import command

if __name__ == "__main__":
    command(["mapfree", *sys.argv[1:]])
