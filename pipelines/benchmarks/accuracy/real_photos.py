"""Errors and times on real photos with known poses, for each local feature.

    python -m pipelines.benchmarks.accuracy.real_photos CASE --features aliked-n16 --features disk

CASE holds images/, model/ (COLMAP, poses of the map images), map_images.txt, queries.txt, gt.txt
and unit.txt (a length in map units; errors are in percent of it).
"""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np

from hloc_lite.config import load_config
from hloc_lite.datasets.dataset import Dataset
from hloc_lite.datasets.dataset_folder import read_dataset_folder
from hloc_lite.evaluation.metrics import score
from hloc_lite.evaluation.thresholds import parse_threshold, percent_of
from hloc_lite.localize.localizer import Localizer
from hloc_lite.mapping.build import build_map
from hloc_lite.mapping.run import MapInputs
from pipelines.benchmarks.table import Table, results_option

FEATURES = ("aliked-n16", "disk", "xfeat", "rootsift")
SETTINGS = ("features.max_side_px=1024", "features.max_keypoints=1024")


@click.command()
@click.argument("case", type=click.Path(path_type=Path, exists=True))
@click.option("--features", multiple=True, default=FEATURES, show_default=True)
@click.option("--matcher", default="auto", show_default=True, help="Matcher; one of photos, too.")
@click.option("--set", "settings", multiple=True, default=SETTINGS, show_default=True)
@results_option
def main(
    case: Path,
    features: tuple[str, ...],
    matcher: str,
    settings: tuple[str, ...],
    results: Path | None,
) -> None:
    """Build the map of CASE and localize its queries, in memory, with each local feature."""
    dataset = read_dataset_folder(case)
    length = dataset.unit_length
    if length is None or not dataset.ground_truth:
        raise SystemExit(f"{case} needs gt.txt and unit.txt to measure errors")
    table = Table(
        "Real photos",
        ["features", "points", "within 1 %, 0.5°", "median error, %", "median error, °",
         "extraction, s/image", "matching, s/pair", "triangulation, s", "query matching, ms",
         "pose, ms"],
        "Errors are in percent of the length in unit.txt.",
    )  # fmt: skip
    for name in features:
        label = name if matcher == "auto" else matcher
        table.add(label, *measure(dataset, length, name, matcher, settings))
    table.write(results)


def measure(
    dataset: Dataset, unit_length: float, features: str, matcher: str, settings: tuple[str, ...]
) -> list[object]:
    """Cells of the table for one local feature, or a matcher that finds keypoints itself."""
    names = {"features": {"name": features}, "matching": {"name": matcher}}
    config = load_config(settings=settings, overrides=names)
    inputs = MapInputs(reference=dataset.reference, names=dataset.map_image_names)
    sfm_map = build_map(dataset.image_folder, config, inputs=inputs)
    localizer = Localizer(sfm_map)
    results = [
        localizer.localize(dataset.image_folder / each.name, each.camera, name=each.name)
        for each in dataset.iter_queries()
    ]
    poses = {each.query_name: each.pose.cam_from_world for each in results if each.pose}
    threshold = parse_threshold("1%,0.5deg", unit_length)
    scores = score(poses, dataset.ground_truth["all"], [threshold])
    seconds, pairs = sfm_map.report["timings_s"], sfm_map.report["pairs_tried"]
    matching_ms, pose_ms = (
        float(np.median([each.timings_ms[stage] for each in results]))
        for stage in ("matching", "pose")
    )
    return [
        sfm_map.model.num_points,
        f"{scores.num_within(threshold)} of {scores.num_queries}",
        round(percent_of(unit_length).convert(scores.median_distance.value), 3),
        round(scores.median_angle_deg.value, 4),
        round(seconds.get("features", 0.0) / len(dataset.map_image_names), 2),
        round(seconds["matching"] / pairs, 3),
        round(seconds["verification"] + seconds["reconstruction"], 2),
        round(matching_ms),
        round(pose_ms),
    ]


if __name__ == "__main__":
    main()
