"""ETH-Microsoft, preview of ICCV 2021: map, poses, scores and checked submission.

    python -m pipelines.eth_microsoft --root DIR [-o RESULTS] [--subset N]

The same as ``hloc-lite benchmark eth-microsoft``; its card has layout and settings.
"""

from __future__ import annotations

import sys

from hloc_lite.cli.benchmark import command

if __name__ == "__main__":
    command(["eth-microsoft", *sys.argv[1:]])
