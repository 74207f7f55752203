"""CroCoDL: map, localization, scores and checked submission in one command.

    python -m pipelines.crocodl --root DIR [-o RESULTS] [--subset N]

The same as ``hloc-lite benchmark crocodl``; layout and settings stand on the card of the data set.
"""

from __future__ import annotations

import sys

from hloc_lite.cli.benchmark import command

if __name__ == "__main__":
    command(["crocodl", *sys.argv[1:]])
