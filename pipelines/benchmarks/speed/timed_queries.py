"""Times of queries inside one version, on demand: started by ``compare_versions_speed``.

    PYTHONPATH=CHECKOUT python -P timed_queries.py FOLDER MAP QUERIES

FOLDER holds images/, QUERIES has lines ``NAME MODEL W H params...``. Each line on standard input
localizes all queries once and is answered by the sum of their times in milliseconds. Like the
scenarios of ``compare_versions``, this runs in either version, hence the public API alone.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np

import hloc_lite


def main() -> None:
    """Open the map, then answer each line of standard input."""
    folder, map_folder, queries = (Path(each) for each in sys.argv[1:])
    localizer = hloc_lite.Localizer.open(map_folder)
    photos = []
    for line in queries.read_text(encoding="utf-8").splitlines():
        name, model, width, height, *params = line.split()
        values = np.array(params, np.float64)
        camera = hloc_lite.Camera(model, int(width), int(height), values)
        photos.append((name, folder / "images" / name, camera))
    for _ in sys.stdin:
        start = time.perf_counter()
        for name, path, camera in photos:
            localizer.localize(path, camera, name=name)
        print(1000 * (time.perf_counter() - start), flush=True)


if __name__ == "__main__":
    main()
