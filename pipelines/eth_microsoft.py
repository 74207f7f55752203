"""ETH-Microsoft, preview of ICCV 2021: map, localization, scores and checked submission in one command.

    python -m pipelines.eth_microsoft --root DIR [-o RESULTS] [--subset N]

The same as ``hloc-lite benchmark eth-microsoft``; layout and settings stand on the card of the data set.
"""

from __future__ import annotations

import sys

from hloc_lite.cli.benchmark import command

if __name__ == "__main__":
    command(["eth-microsoft", *sys.argv[1:]])
