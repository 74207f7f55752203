"""Worker process of the renderer: python -m hloc_lite.synthetic.render_worker FOLDER NUMBER."""

from __future__ import annotations

import sys
from pathlib import Path

from hloc_lite.synthetic.dataset import render_views
from hloc_lite.synthetic.parallel import load_task, load_town


def main(folder: str, number: str) -> None:
    """Render the views of one task; prints the name of each when it is written."""
    shared = Path(folder)
    out_dir, views, with_depth, with_labels = load_task(shared, number)
    for name in render_views(out_dir, load_town(shared), views, with_depth, with_labels):
        print(name, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:3])
