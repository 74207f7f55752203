"""A folder of real photos with known poses: errors and times for each local feature.

The folder holds images/, model/ (COLMAP, the map images' poses), map_images.txt, queries.txt,
gt.txt and unit.txt (a length in map units; errors are given in percent of it).

    python pipelines/benchmarks/real_case.py CASE --features aliked-n16 --features disk
"""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np

from hloc_lite.config import load_config
from hloc_lite.formats.colmap import read_model
from hloc_lite.formats.hloc_lists import read_image_list, read_poses, read_queries
from hloc_lite.geometry.rotations import pose_errors
from hloc_lite.localize.localizer import Localizer
from hloc_lite.mapping.build import build_map
from hloc_lite.mapping.run import MapInputs


@click.command()
@click.argument("case", type=click.Path(path_type=Path, exists=True))
@click.option(
    "--features",
    multiple=True,
    default=("aliked-n16", "disk", "xfeat", "rootsift"),
    show_default=True,
)
@click.option("--set", "settings", multiple=True, default=(
    "features.max_side_px=1024", "features.max_keypoints=1024"), show_default=True)  # fmt: skip
def main(case: Path, features: tuple[str, ...], settings: tuple[str, ...]) -> None:
    """Build the map of CASE and localize its queries, in memory, with each of the features."""
    click.echo(
        "| features | points | within 1 %, 0.5° | median % | median ° | extraction s/image |"
        " matching s/pair | triangulation s | query matching ms | pose ms |"
    )
    click.echo("|---" * 10 + "|")
    for name in features:
        click.echo(row(case, name, settings))


def row(case: Path, name: str, settings: tuple[str, ...]) -> str:
    """One line of the table."""
    config = load_config(settings=settings, overrides={"features": {"name": name}})
    names = read_image_list(case / "map_images.txt")
    inputs = MapInputs(reference=read_model(case / "model"), names=names)
    place = build_map(case / "images", config, inputs=inputs)
    localizer = Localizer(place)
    truth, unit = read_poses(case / "gt.txt"), float((case / "unit.txt").read_text())
    results = {
        query: localizer.localize(case / "images" / query, camera, name=query)
        for query, camera in read_queries(case / "queries.txt").items()
    }
    errors = np.array(
        [
            pose_errors(results[query].pose.cam_from_world, true)
            if query in results and results[query].pose
            else (np.inf, np.inf)
            for query, true in truth.items()
        ]
    )
    percent, degrees = 100 * errors[:, 0] / unit, errors[:, 1]
    good = int(((percent <= 1) & (degrees <= 0.5)).sum())
    seconds, pairs = place.report["timings_s"], place.report["pairs_tried"]
    stages = {
        stage: float(np.median([result.timings_ms[stage] for result in results.values()]))
        for stage in ("matching", "pose")
    }
    cells = [
        name,
        place.model.num_points,
        f"{good} of {len(truth)}",
        f"{np.median(percent):.3f}",
        f"{np.median(degrees):.4f}",
        f"{seconds['features'] / len(names):.2f}",
        f"{seconds['matching'] / pairs:.3f}",
        f"{seconds['verification'] + seconds['reconstruction']:.2f}",
        f"{stages['matching']:.0f}",
        f"{stages['pose']:.0f}",
    ]
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


if __name__ == "__main__":
    main()
