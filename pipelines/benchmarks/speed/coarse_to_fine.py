"""Coarse-to-fine matching against the map's matcher on all retrieved images.

    python -m pipelines.benchmarks.speed.coarse_to_fine FOLDER MAP --foreign OTHER

FOLDER is a rendered town (queries_CONDITION.txt, gt_CONDITION.txt) or a case of real photos
(queries.txt, gt.txt, unit.txt: errors are then in percent of that length); MAP is a map of it. Each
query is described once; then both ways estimate a pose from the same features and retrieved images,
in turn. Queries of another town (--foreign) must not get a pose.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import click
import numpy as np
from tqdm import tqdm

from hloc_lite.clock import StageClock
from hloc_lite.config import load_config
from hloc_lite.datasets.dataset import Dataset, DatasetQuery
from hloc_lite.datasets.dataset_folder import read_dataset_folder
from hloc_lite.geometry.rotations import pose_errors
from hloc_lite.io.images import read_photo
from hloc_lite.localize.localizer import Localizer
from hloc_lite.maps.map import Map
from hloc_lite.types import LocalizationResult
from pipelines.benchmarks.table import Table, results_option

CASCADE, ALL_IMAGES = "coarse to fine", "all images"
BASELINE = ("localize.matching=images", "localize.only_landmarks=false")
"""Match all keypoints of each image, as other pipelines do."""
COLUMNS = (
    "condition", "matching", "correct", "wrong", "queries", "median position error",
    "median rotation error, °", "median, ms", "95th percentile, ms", "mean, ms",
    "mean images matched", "without images", "times faster",
)  # fmt: skip


@dataclass(frozen=True)
class Measurement:
    """Outcome of one query."""

    error: tuple[float, float]
    """Position error in the unit, and rotation error in degrees; infinite without a pose."""
    has_pose: bool
    time_ms: float
    """Time after features and global descriptor."""
    num_images: int
    """Images matched by the map's matcher."""


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, exists=True))
@click.argument("map_folder", metavar="MAP", type=click.Path(path_type=Path, exists=True))
@click.option("--foreign", type=click.Path(path_type=Path, exists=True), help="Another town.")
@click.option("--queries", "limit", default=10**6, show_default=True, help="Per condition.")
@click.option("--set", "settings", multiple=True, help="KEY=VALUE for both.")
@click.option("--no-baseline", is_flag=True, help="Coarse-to-fine matching only.")
@results_option
def main(
    folder: Path,
    map_folder: Path,
    foreign: Path | None,
    limit: int,
    settings: tuple[str, ...],
    no_baseline: bool,
    results: Path | None,
) -> None:
    """Print recalls, errors and times of both, and the ratio of the times."""
    sfm_map = Map.open(map_folder)
    dataset = read_dataset_folder(folder)
    unit = 1.0 if dataset.unit_length is None else dataset.unit_length / 100
    localizers = {CASCADE: Localizer(sfm_map, load_config(base=sfm_map.config, settings=settings))}
    if not no_baseline:
        config = load_config(base=sfm_map.config, settings=(*settings, *BASELINE))
        localizers[ALL_IMAGES] = Localizer(sfm_map, config)
    measured: dict[str, dict[str, list[Measurement]]] = {}
    description_ms: list[float] = []
    sources = [(dataset, False), *([(read_dataset_folder(foreign), True)] if foreign else [])]
    for source, is_foreign in sources:
        for each in tqdm(known_queries(source, limit, is_foreign), disable=None):
            photo = read_photo(source.image_folder / each.name, each.name, sfm_map.config.images)
            clock = StageClock()
            query, hits = localizers[CASCADE].pipeline.describe(
                photo, each.camera, exclude=each.name, clock=clock
            )
            description_ms.append(1000 * sum(clock.seconds.values()))
            order = list(localizers) if len(description_ms) % 2 else list(localizers)[::-1]
            for matching in order:
                pipeline = localizers[matching].pipeline
                result = pipeline.localize(query, hits, each.name, StageClock())
                found = measured.setdefault(each.condition, {}).setdefault(matching, [])
                found.append(measure(result, each, unit))
    write_table(measured, dataset.unit_length is None, float(np.median(description_ms)), results)


def known_queries(dataset: Dataset, limit: int, is_foreign: bool) -> list[DatasetQuery]:
    """The queries of all conditions with their true poses; foreign ones without."""
    queries = list(dataset.iter_queries(limit))
    if is_foreign:
        return [replace(each, condition="foreign", cam_from_world=None) for each in queries]
    if any(each.cam_from_world is None for each in queries):
        raise SystemExit(f"{dataset.name} has no true poses: expected gt.txt or gt_CONDITION.txt")
    return queries


def measure(result: LocalizationResult, query: DatasetQuery, unit: float) -> Measurement:
    """Compare a result with the true pose; ``unit``: map units per percent or metre."""
    error = (np.inf, np.inf)
    if result.pose is not None and query.cam_from_world is not None:
        distance, angle_deg = pose_errors(result.pose.cam_from_world, query.cam_from_world)
        error = (distance / unit, angle_deg)
    num_images = result.counts.get("images_matched", 0)
    return Measurement(error, result.pose is not None, result.timings_ms["total"], num_images)


def write_table(
    measured: dict[str, dict[str, list[Measurement]]],
    is_metric: bool,
    description_ms: float,
    results: Path | None,
) -> None:
    """Print and write a row per condition and way of matching."""
    bounds = (0.25, 2.0) if is_metric else (1.0, 0.5)
    table = Table(
        "Coarse-to-fine matching",
        COLUMNS,
        f"Correct: within {'0.25 m, 2°' if is_metric else '1 %, 0.5°'}; position errors in "
        f"{'m' if is_metric else '%'}. Times start after local features and global descriptor, "
        f"which take {description_ms:.0f} ms per query in the median.",
    )
    for condition, by_matching in measured.items():
        medians = {
            matching: float(np.median([each.time_ms for each in found]))
            for matching, found in by_matching.items()
        }
        for matching, found in by_matching.items():
            errors = np.array([each.error for each in found])
            correct = (errors <= bounds).all(axis=1)
            has_pose = np.array([each.has_pose for each in found])
            times = np.array([each.time_ms for each in found])
            num_images = np.array([each.num_images for each in found])
            ratio = medians.get(ALL_IMAGES, np.nan) / medians[CASCADE]
            table.add(
                condition,
                matching,
                correct.sum(),
                (has_pose & ~correct).sum(),
                len(found),
                round(float(np.median(errors[:, 0])), 4),
                round(float(np.median(errors[:, 1])), 4),
                round(medians[matching], 1),
                round(float(np.quantile(times, 0.95))),
                round(float(times.mean()), 1),
                round(float(num_images.mean()), 1),
                (num_images == 0).sum(),
                round(ratio, 1) if matching == CASCADE else None,
            )
    table.write(results)


if __name__ == "__main__":
    main()
