"""Time to render a hypothesis from a map's surface and to compare it with a photo.

    OMP_NUM_THREADS=1 python -m pipelines.benchmarks.speed.view_synthesis MAP ... --images DIR ...

Photos are the map's own, at their own poses; --images gives the folder of each map's photos. Times
are CPU times: medians, and the largest. The description of the photo is once per query, and the
loading of tiles at first use is left out. An eighth: views of an eighth of the photo's size,
however small; default: sizes as ``view_synthesis`` has them.
"""

from __future__ import annotations

import time
from pathlib import Path

import click
import cv2
import numpy as np

from hloc_lite.config import load_config
from hloc_lite.errors import ConfigError
from hloc_lite.io.images import read_photo
from hloc_lite.localize.query import Predictions, Query
from hloc_lite.localize.view_check import ViewCheck
from hloc_lite.maps.map import Map
from hloc_lite.types import PoseEstimate
from pipelines.benchmarks.table import Table, results_option

COLUMNS = ["map", "photo", "views", "photos", "median ms", "largest ms"]
VIEWS = {
    "an eighth": ("view_synthesis.min_side_px=32", "view_synthesis.max_side_px=4096"),
    "default": (),
}


@click.command()
@click.argument("maps", nargs=-1, type=click.Path(path_type=Path, exists=True))
@click.option("--images", multiple=True, type=click.Path(path_type=Path, exists=True))
@click.option("--photos", default=10, show_default=True, help="Photos of each map.")
@results_option
def main(
    maps: tuple[Path, ...], images: tuple[Path, ...], photos: int, results: Path | None
) -> None:
    """Print the time of each map and size of views."""
    cv2.setNumThreads(1)
    table = Table("View synthesis", COLUMNS, "CPU time of a hypothesis: render and compare.")
    for folder, photo_folder in zip(maps, images, strict=True):
        sfm_map = Map.open(folder)
        for title, settings in VIEWS.items():
            times, size = hypothesis_times(sfm_map, photo_folder, photos, settings)
            table.add(
                folder.name, size, title, len(times), round(float(np.median(times))),
                round(max(times)),
            )  # fmt: skip
    table.write(results)


def hypothesis_times(
    sfm_map: Map, images: Path, count: int, settings: tuple[str, ...]
) -> tuple[list[float], str]:
    """CPU milliseconds of a hypothesis of some map photos, and the size of the photos."""
    if sfm_map.surface is None:
        raise ConfigError("the map has no surface: run `hloc-lite surface` first")
    config = load_config(base=sfm_map.config, settings=list(settings))
    check, times, size = ViewCheck(sfm_map.surface, config), [], ""
    step = max(1, len(sfm_map.model.images) // count)
    for image in sfm_map.model.images[::step][:count]:
        camera = sfm_map.model.cameras[image.camera_id]
        photo = read_photo(images / image.name, image.name, config.images)
        views = check.of(Query(photo, camera, True, (), Predictions(None, None)))
        assert views is not None
        pose = PoseEstimate(image.cam_from_world, np.ones(1, bool), 0, None, camera)
        views.compare(pose)  # loads tiles, describes the photo
        start = time.process_time()
        views.compare(pose)
        times.append(1000 * (time.process_time() - start))
        size = f"{camera.width} x {camera.height}"
    return times, size


if __name__ == "__main__":
    main()
