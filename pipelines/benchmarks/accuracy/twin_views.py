"""Which of two twin streets a photo shows: the view at its true pose against that in the twin.

    python -m pipelines.benchmarks.accuracy.twin_views MAP TOWN MAP TOWN ...

MAP has a surface made of its own images (``hloc-lite surface``), and TOWN is its rendered town.
Each query in a twin street is compared with the view of the surface at its true pose, and at the
same place of the other street, whose facades are the same. No query made the surface.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
from sklearn.metrics import roc_auc_score

from hloc_lite.config import load_config
from hloc_lite.datasets.dataset_folder import read_dataset_folder
from hloc_lite.errors import ConfigError
from hloc_lite.io.images import read_photo
from hloc_lite.localize.query import Predictions, Query
from hloc_lite.localize.view_check import ViewCheck
from hloc_lite.maps.map import Map
from hloc_lite.synthetic.layout import TWIN_EDGES, Plan
from hloc_lite.synthetic.planning import make_plan
from hloc_lite.types import PoseEstimate, Rigid3, ViewComparison
from pipelines.benchmarks.robustness.look_alikes import twin_street
from pipelines.benchmarks.table import Table, results_option

COLUMNS = ["map", "condition", "photos", "compared", "true pose agrees more", "share, %",
           "agreement, true pose", "agreement, twin", "AUROC"]  # fmt: skip
NOTES = "Medians of the agreement. AUROC: of all photos of the row together."


@dataclass(frozen=True, eq=False)
class TwinViews:
    """Views at the true pose of a photo and at the same place of the other street."""

    condition: str
    true: ViewComparison
    twin: ViewComparison


@click.command()
@click.argument("pairs", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True))
@results_option
def main(pairs: tuple[Path, ...], results: Path | None) -> None:
    """Print a row for each map, and one for each condition."""
    table, total = Table("Views of twin streets", COLUMNS, NOTES), list[TwinViews]()
    for folder, town in zip(pairs[::2], pairs[1::2], strict=True):
        found = list(twin_views(folder, town))
        add_row(table, folder.name, "all", found)
        total += found
    for condition in dict.fromkeys(each.condition for each in total):
        chosen = [each for each in total if each.condition == condition]
        add_row(table, "all", condition, chosen)
    add_row(table, "all", "all", total)
    table.write(results)


def twin_views(folder: Path, town: Path) -> Iterator[TwinViews]:
    """Compare the queries of a town that stand in a twin street with both streets."""
    sfm_map = Map.open(folder)
    if sfm_map.surface is None:
        raise ConfigError(f"{folder} has no surface: run `hloc-lite surface` first")
    config = load_config(base=sfm_map.config)
    check = ViewCheck(sfm_map.surface, config)
    plan = make_plan(int(json.loads((town / "town.json").read_text())["seed"]))
    for each in read_dataset_folder(town).iter_queries():
        pose = each.cam_from_world
        assert pose is not None  # towns have all true poses
        street = twin_street(plan, pose)
        if street is None:
            continue
        photo = read_photo(town / "images" / each.name, each.name, config.images)
        views = check.of(Query(photo, each.camera, True, (), Predictions(None, None)))
        assert views is not None
        both = [
            views.compare(PoseEstimate(at, np.ones(1, bool), 0, None, each.camera))
            for at in (pose, in_twin(plan, pose, street))
        ]
        yield TwinViews(each.condition, *both)


def in_twin(plan: Plan, cam_from_world: Rigid3, street: int) -> Rigid3:
    """The pose at the same place of the other twin street, as high above the ground."""
    start, other = (plan.street(TWIN_EDGES[index]).start for index in (street, 1 - street))
    center = cam_from_world.center.copy()
    height = center[2] - float(plan.ground(center[:2]))
    center[:2] += other - start
    center[2] = float(plan.ground(center[:2])) + height
    return Rigid3(cam_from_world.rotation, -cam_from_world.rotation @ center)


def add_row(table: Table, name: str, condition: str, found: Sequence[TwinViews]) -> None:
    """Add a row about some photos."""
    values = np.array([[each.true.agreement, each.twin.agreement] for each in found])
    values = values.reshape(-1, 2)
    values = values[np.isfinite(values).all(axis=1)]
    if not len(values):
        table.add(name, condition, len(found), 0, 0, None, None, None, None)
        return
    chosen = values[:, 0] > values[:, 1]
    area = roc_auc_score(np.repeat([1, 0], len(values)), values.T.ravel())
    true, twin = np.median(values, axis=0)
    table.add(
        name, condition, len(found), len(values), int(chosen.sum()),
        round(100 * float(chosen.mean()), 1), round(float(true), 3), round(float(twin), 3),
        round(float(area), 4),
    )  # fmt: skip


if __name__ == "__main__":
    main()
