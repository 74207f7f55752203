"""Answers in towns with twin streets, with and without synthesized views, at equal coverage.

    python -m pipelines.benchmarks.robustness.twin_streets MAP TOWN MAP TOWN ...

Each MAP has a surface and the features of the rendered TOWN. Its queries are localized in the map,
and those in a twin street once more in the map without the images of that street, where hardly any
answer can be right. With and without views, answers are ranked by their confidence. At equal
coverage the same number is given of both: the smaller one of those above
``confidence.min_confidence``. An answer is wrong beyond 0.25 m or 2 degrees, in a map in metres. It
is wrong elsewhere beyond 15 % of the distance of what it sees or 10 degrees: at another place, and
not a little off. Right, and right at night: given, of all poses that are right.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import click
import numpy as np

from hloc_lite.config import ConfidenceConfig
from hloc_lite.datasets.dataset_folder import read_dataset_folder
from hloc_lite.io.images import read_photo
from hloc_lite.localize.localizer import Localizer
from hloc_lite.localize.self_test import SelfTest, SelfTestAnswer
from hloc_lite.maps.calibration import SelfTestKind
from hloc_lite.maps.map import Map
from pipelines.benchmarks.robustness.look_alikes import twin_answers
from pipelines.benchmarks.table import Table, results_option
from pipelines.calibration.metrics import probability_metrics

COLUMNS = ["map", "views", "answers", "poses", "given", "given but wrong", "at equal coverage",
           "wrong elsewhere", "right", "right at night", "AUROC", "ECE"]  # fmt: skip
NOTES = """\
Queries of each town in its map, and those in a twin street once more without the images of that \
street. Given: with confidence.min_confidence or more. At equal coverage: wrong among as many of \
the most confident answers as are given of both. Wrong elsewhere: at another place, and not a \
little off."""
MAX_DEPTHS, MAX_DEG = 0.15, 10.0
"""A pose within these of the true one, of the median distance of its inliers, is at its place."""


@dataclass(frozen=True, eq=False)
class Outcome:
    """An answer, and the condition of its photo."""

    answer: SelfTestAnswer
    is_night: bool

    @property
    def is_elsewhere(self) -> bool:
        """True if the pose is at another place, and not a little off."""
        found = self.answer
        near = found.relative_error <= MAX_DEPTHS and found.angle_error_deg <= MAX_DEG
        return found.is_wrong and not near


@click.command()
@click.argument("pairs", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True))
@results_option
def main(pairs: tuple[Path, ...], results: Path | None) -> None:
    """Print two rows for each map, and two for all together."""
    table = Table("Twin streets with and without views", COLUMNS, NOTES)
    totals: tuple[list[Outcome], list[Outcome]] = ([], [])
    for folder, town in zip(pairs[::2], pairs[1::2], strict=True):
        sfm_map = Map.open(folder)
        without = list(outcomes(replace(sfm_map, surface=None), town))
        with_views = list(outcomes(sfm_map, town))
        add_rows(table, folder.name, without, with_views)
        totals[0].extend(without)
        totals[1].extend(with_views)
        table.write(results)
    add_rows(table, "all", *totals)
    table.write(results)


def outcomes(sfm_map: Map, town: Path) -> Iterator[Outcome]:
    """Answers about the queries of a town, and about those whose twin street is left out."""
    localizer = Localizer(sfm_map)
    test, pipeline = SelfTest(localizer), localizer.pipeline
    for each in read_dataset_folder(town).iter_queries():
        photo = read_photo(town / "images" / each.name, each.name, localizer.config.images)
        query, _ = pipeline.describe(photo, each.camera)
        descriptor = pipeline.global_descriptor.describe([photo])[0]
        kind = SelfTestKind.SELF_LEFT_OUT
        answer = test.answer_query(query, descriptor, (), each.cam_from_world, kind)
        yield Outcome(answer, each.condition == "night")
    for answer in twin_answers(sfm_map, town):
        yield Outcome(answer, "/night/" in answer.name)


def add_rows(
    table: Table, name: str, without: Sequence[Outcome], with_views: Sequence[Outcome]
) -> None:
    """Add a row without and one with views."""
    limit = ConfidenceConfig().min_confidence
    coverage = min(
        sum(each.answer.probability >= limit for each in found) for found in (without, with_views)
    )
    for title, found in (("without", without), ("with", with_views)):
        poses = [each for each in found if each.answer.has_pose]
        probability = np.array([each.answer.probability for each in poses])
        right = np.array([not each.answer.is_wrong for each in poses], bool)
        elsewhere = np.array([each.is_elsewhere for each in poses], bool)
        night = np.array([each.is_night for each in poses], bool)
        given = probability >= limit
        first = np.argsort(-probability, kind="stable")[:coverage]
        metrics = probability_metrics(probability, right)
        table.add(
            name, title, len(found), len(poses), int(given.sum()), int((given & ~right).sum()),
            int((~right[first]).sum()), int((given & elsewhere).sum()),
            f"{(given & right).sum()} of {right.sum()}",
            f"{(given & right & night).sum()} of {(right & night).sum()}",
            round(metrics.auroc, 4), round(metrics.ece, 4),
        )  # fmt: skip


if __name__ == "__main__":
    main()
