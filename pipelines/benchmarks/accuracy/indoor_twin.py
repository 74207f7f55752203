"""InLoc's queries of a rendered building, with and without looking at the poses.

    hloc-lite town indoor -o B --seed 502 --rooms 5 --scans 8 --queries 100 --layout inloc
    hloc-lite benchmark inloc --root B/inloc -o R --profile fast
    python -m pipelines.benchmarks.accuracy.indoor_twin B/inloc R/inloc/map

The queries are localized in the map of the benchmark, which has a surface, with its settings and
with other --set. ``better of two``: of the queries whose hypotheses have both a right and a wrong
pose (0.5 m, 10 deg), those where the view at the best right one agrees more than that at the best
wrong one; best by score.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np

from hloc_lite.benchmark.options import EVERY_POSE
from hloc_lite.clock import StageClock
from hloc_lite.config import load_config
from hloc_lite.datasets.benchmarks import read_benchmark
from hloc_lite.datasets.dataset import Dataset
from hloc_lite.errors import ConfigError
from hloc_lite.formats.hloc_lists import read_poses
from hloc_lite.geometry.rotations import pose_errors
from hloc_lite.io.files import read_text
from hloc_lite.io.images import read_photo
from hloc_lite.localize.localizer import Localizer
from hloc_lite.localize.view_check import ViewCheck
from hloc_lite.maps.map import Map
from hloc_lite.types import Rigid3
from pipelines.benchmarks.table import Table, results_option

DISTANCES_M, MAX_ANGLE_DEG = (0.25, 0.5, 1.0), 10.0
"""Thresholds of InLoc."""
IS_RIGHT_M = 0.5
"""Distance up to which a hypothesis is of the right place."""
SURE = 0.5
"""Confidence of poses that are counted as sure."""
WITHOUT = "view_synthesis.enabled=off"
COLUMNS = ["map", "views", *(f"{each:g} m, 10 deg, %" for each in DISTANCES_M), "ms (median)",
           "sure and right", "sure, more than 1 m off", "better of two"]  # fmt: skip


@dataclass(frozen=True)
class Answer:
    """Errors of the pose of one query, and what the views say of its hypotheses."""

    distance: float
    angle_deg: float
    confidence: float
    seconds: float
    chooses_better: bool | None
    """True if the view at a right hypothesis agrees more than that at a wrong one; None if not both
    are there."""

    def is_within(self, distance: float) -> bool:
        """True if both errors are within InLoc's thresholds."""
        return self.distance <= distance and self.angle_deg <= MAX_ANGLE_DEG


@click.command()
@click.argument("root", type=click.Path(path_type=Path, exists=True))
@click.argument("maps", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True))
@click.option("--set", "settings", multiple=True, help="Config value, KEY=VALUE.")
@click.option("--step", default=1, show_default=True, help="Only every so many queries.")
@results_option
def main(
    root: Path, maps: tuple[Path, ...], settings: tuple[str, ...], step: int, results: Path | None
) -> None:
    """Print a row without and one with views for each map of the building."""
    (dataset,) = read_benchmark("inloc", root)
    truth = dict(list(true_poses(root, dataset).items())[::step])
    table = Table("InLoc's layout: a rendered building", COLUMNS, f"{len(truth)} queries.")
    for folder in maps:
        for views in ("without", "with"):
            chosen = (*settings, WITHOUT) if views == "without" else settings
            found = list(answers(root, dataset, Map.open(folder), truth, chosen))
            name = f"{folder.parts[-3]}" if folder.name == "map" else folder.name
            table.add(name, views, *row(found))
    table.write(results)


def true_poses(root: Path, dataset: Dataset) -> Mapping[str, Rigid3]:
    """cam_from_world of the queries; their truth is in the frames of the floors."""
    frames = {each.name: each.frame_from_world for each in dataset.frames}
    floors = dict(line.split() for line in read_text(root / "floors.txt").splitlines())
    return {
        name: pose.compose(frames[floors[name]])
        for name, pose in read_poses(root / "gt.txt").items()
    }


def answers(
    root: Path,
    dataset: Dataset,
    sfm_map: Map,
    truth: Mapping[str, Rigid3],
    settings: Sequence[str],
) -> Iterator[Answer]:
    """Localize the queries; without views, look at their hypotheses afterwards."""
    if sfm_map.surface is None:
        raise ConfigError("the map has no surface: it is not of `hloc-lite benchmark inloc`")
    config = load_config(base=sfm_map.config, settings=[EVERY_POSE, *settings])
    pipeline = Localizer(sfm_map, config).pipeline
    check = ViewCheck(sfm_map.surface, config) if WITHOUT in settings else None
    for name, true in truth.items():
        photo = read_photo(root / name, name, config.images)
        clock = StageClock()
        query, hits = pipeline.describe(photo, dataset.query_cameras[name], clock=clock)
        answer = pipeline.answer(query, hits, clock)
        seconds = sum(clock.seconds.values())
        selected = None if answer.verified is None else answer.verified.selected
        if selected is None or selected.hypothesis.pose is None:
            yield Answer(math.inf, 180.0, 0.0, seconds, None)
            continue
        better = None
        if check is not None:
            tried = [selected.hypothesis, *(group[0] for group in selected.alternatives)]
            poses = [each.pose for each in tried if each.pose is not None]
            right = [
                pose_errors(pose.cam_from_world, true)[0] <= IS_RIGHT_M
                and pose_errors(pose.cam_from_world, true)[1] <= MAX_ANGLE_DEG
                for pose in poses
            ]
            if any(right) and not all(right):
                views = check.of(query)
                assert views is not None
                both = [views.compare(poses[right.index(kind)]).agreement for kind in (True, False)]
                better = None if math.isnan(sum(both)) else both[0] > both[1]
        distance, angle_deg = pose_errors(selected.hypothesis.pose.cam_from_world, true)
        assert answer.verified is not None
        yield Answer(distance, angle_deg, answer.verified.probability or 0.0, seconds, better)


def row(found: Sequence[Answer]) -> list[str | float | int | None]:
    """Cells of a row but the first two."""
    recalls = [
        round(100 * float(np.mean([e.is_within(limit) for e in found])), 1) for limit in DISTANCES_M
    ]
    sure = [each for each in found if each.confidence >= SURE]
    decided = [each.chooses_better for each in found if each.chooses_better is not None]
    better = f"{sum(decided)} of {len(decided)}" if decided else None
    return [
        *recalls, round(1000 * float(np.median([each.seconds for each in found]))),
        sum(each.is_within(DISTANCES_M[0]) for each in sure),
        sum(not each.is_within(DISTANCES_M[-1]) for each in sure), better,
    ]  # fmt: skip


if __name__ == "__main__":
    main()
