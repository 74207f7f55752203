"""Builds the index of ``large_index`` in a process of its own, which may be killed."""

from __future__ import annotations

import sys
from pathlib import Path

from hloc_lite.retrieval.large_index import LargeIndex
from pipelines.benchmarks.speed.large_index import batches, config_of


def build_rest(folder: Path, size: int) -> None:
    """Add what the index in a folder does not have yet."""
    folder.mkdir(parents=True, exist_ok=True)
    index = LargeIndex(folder, config_of(size))
    index.add(batches(size, index.num_added))


if __name__ == "__main__":
    build_rest(Path(sys.argv[1]), int(sys.argv[2]))
