"""Localization with and without synthesized views, and how well views tell right from wrong poses.

    python -m pipelines.benchmarks.accuracy.view_synthesis MAP DATASET ... --foreign DATASET

MAP has a surface (``hloc-lite surface``), DATASET is a folder with queries and their true poses.
Every pose counts in the recall, however doubtful. Wrong poses for the AUROC are the true ones moved
by 0.35 to 1 m and turned by 2 to 10 degrees, and those of other queries; right ones are the
estimated ones within 0.25 m and 2 degrees. Of --foreign data sets every given pose is wrong.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
from sklearn.metrics import roc_auc_score

from hloc_lite.config import load_config
from hloc_lite.datasets.dataset_folder import read_dataset_folder
from hloc_lite.geometry.rotations import pose_errors
from hloc_lite.io.images import read_photo
from hloc_lite.localize.localizer import Localizer
from hloc_lite.localize.query import Predictions, Query
from hloc_lite.localize.view_check import ViewCheck
from hloc_lite.maps.map import Map
from hloc_lite.types import Camera, Photo, PoseEstimate, Rigid3
from pipelines.benchmarks.table import Table, results_option

THRESHOLDS = ((0.05, 5.0), (0.25, 10.0), (0.5, 10.0), (1.0, 10.0))
"""Map units and degrees: 7-Scenes, and InLoc's."""
COLUMNS = ["map", "views", "queries", *(f"{d:g} m, {a:g} deg" for d, a in THRESHOLDS),
           "given", "given but wrong", "foreign given", "AUROC of views"]  # fmt: skip
MOVES = ((0.35, 5.0), (0.5, 2.0), (1.0, 10.0))
"""Distance and angle of wrong poses from the true one."""
RIGHT = (0.25, 2.0)


@dataclass(frozen=True, eq=False)
class TrueQuery:
    """Photo with its true pose."""

    photo: Photo
    camera: Camera
    cam_from_world: Rigid3


@click.command()
@click.argument("pairs", nargs=-1, type=click.Path(path_type=Path, exists=True))
@click.option("--foreign", multiple=True, type=click.Path(path_type=Path, exists=True))
@click.option("--max-queries", default=10**6, help="Queries of each data set.")
@results_option
def main(
    pairs: tuple[Path, ...], foreign: tuple[Path, ...], max_queries: int, results: Path | None
) -> None:
    """Print a row for each map with and without views."""
    table = Table("View synthesis", COLUMNS, "Given: with confidence.min_confidence or more.")
    for folder, dataset in zip(pairs[::2], pairs[1::2], strict=True):
        queries = list(read_queries(dataset, max_queries))
        others = [each for path in foreign for each in read_queries(path, max_queries)]
        for enabled in ("off", "on"):
            table.add(folder.name, enabled, len(queries), *row(folder, queries, others, enabled))
    table.write(results)


def row(
    folder: Path, queries: list[TrueQuery], foreign: list[TrueQuery], enabled: str
) -> list[float | None]:
    """Recall at each threshold, given, given but wrong, foreign given, and the AUROC."""
    sfm_map = Map.open(folder)
    config = load_config(base=sfm_map.config, settings=[f"view_synthesis.enabled={enabled}"])
    least = config.confidence.min_confidence
    every = load_config(base=config, settings=["confidence.min_confidence=0"])
    localizer = Localizer(sfm_map, every)
    errors, given, right_views = [], [], []
    for each in queries:
        found = localizer.localize(each.photo, each.camera)
        error = (np.inf, np.inf)
        if found.pose is not None:
            error = pose_errors(found.pose.cam_from_world, each.cam_from_world)
        errors.append(error)
        given.append((found.confidence or 0.0) >= least)
        if is_within(error, RIGHT) and found.views:
            right_views.append(found.views[0].agreement)
    found_foreign = [localizer.localize(each.photo, each.camera) for each in foreign]
    shares = [np.mean([is_within(error, limits) for error in errors]) for limits in THRESHOLDS]
    recalls = [100 * float(share) for share in shares]
    wrong = sum(g and not is_within(e, RIGHT) for g, e in zip(given, errors, strict=True))
    area = None
    if enabled == "on" and sfm_map.surface is not None:
        wrong_views = list(views_of_wrong_poses(ViewCheck(sfm_map.surface, config), queries))
        values = np.array([*right_views, *wrong_views])
        known = np.isfinite(values)
        is_right = np.arange(len(values)) < len(right_views)
        area = round(float(roc_auc_score(is_right[known], values[known])), 4)
    return [
        *(round(recall, 1) for recall in recalls), sum(given), wrong,
        sum((each.confidence or 0.0) >= least for each in found_foreign), area,
    ]  # fmt: skip


def views_of_wrong_poses(check: ViewCheck, queries: list[TrueQuery]) -> Iterator[float]:
    """Agreement of each photo with the views at wrong poses."""
    rng = np.random.default_rng(0)
    for index, each in enumerate(queries):
        query = Query(each.photo, each.camera, True, (), Predictions(None, None))
        views = check.of(query)
        assert views is not None
        poses = [moved(each.cam_from_world, *move, rng) for move in MOVES]
        other = queries[(index + len(queries) // 2) % len(queries)].cam_from_world
        if not is_within(pose_errors(other, each.cam_from_world), (0.5, 20.0)):
            poses.append(other)
        for pose in poses:
            estimate = PoseEstimate(pose, np.ones(1, bool), 0, None, each.camera)
            yield views.compare(estimate).agreement


def moved(pose: Rigid3, distance: float, angle_deg: float, rng: np.random.Generator) -> Rigid3:
    """A pose moved and turned in random directions."""
    from scipy.spatial.transform import Rotation

    axis, direction = (each / np.linalg.norm(each) for each in rng.normal(size=(2, 3)))
    rotation = Rotation.from_rotvec(np.radians(angle_deg) * axis).as_matrix() @ pose.rotation
    return Rigid3(rotation, -rotation @ (pose.center + distance * direction))


def is_within(error: tuple[float, float], limits: tuple[float, float]) -> bool:
    """True if (distance, degrees) are within limits."""
    return bool(error[0] <= limits[0] and error[1] <= limits[1])


def read_queries(dataset: Path, max_queries: int) -> Iterator[TrueQuery]:
    """Queries of a data set with their true poses, evenly chosen."""
    read = read_dataset_folder(dataset)
    queries = [each for each in read.iter_queries() if each.cam_from_world is not None]
    config = load_config()
    for each in queries[:: max(1, len(queries) // max_queries)]:
        photo = read_photo(read.image_folder / each.name, each.name, config.images)
        assert each.cam_from_world is not None
        yield TrueQuery(photo, each.camera, each.cam_from_world)


if __name__ == "__main__":
    main()
