"""Worker: python -m hloc_lite.synthetic.indoor.render_worker FOLDER NUMBER."""

from __future__ import annotations

import sys
from pathlib import Path

from hloc_lite.io.files import read_json
from hloc_lite.synthetic.indoor.dataset import render_task


def main(folder: str, number: str) -> None:
    """Render the images of one task; prints the name of each when it is written."""
    for name in render_task(read_json(Path(folder) / f"task{number}.json")):
        print(name, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:3])
