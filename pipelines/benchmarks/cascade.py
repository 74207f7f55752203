"""The cascade against the map's matcher on all retrieved images: same features, side by side.

    python -m pipelines.benchmarks.cascade FOLDER MAP --foreign OTHER

FOLDER is a rendered town (queries_CONDITION.txt, gt_CONDITION.txt) or a case of real photos
(queries.txt, gt.txt, unit.txt: errors are then in percent of that length); MAP is a map of it. Each
query is described once; then both ways get a pose of the same features and the same retrieved
images, in turn. Queries of another town must come back without a pose.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
from tqdm import tqdm

from hloc_lite.clock import StageClock
from hloc_lite.config import load_config
from hloc_lite.formats.hloc_lists import read_poses, read_queries
from hloc_lite.geometry.rotations import pose_errors
from hloc_lite.io.images import read_photo
from hloc_lite.localize.localizer import Localizer
from hloc_lite.maps.map import Map
from hloc_lite.types import Camera, LocalizationResult, Rigid3

PEER = ("localize.matching=images", "localize.only_landmarks=false")
"""All keypoints of each image, as its peers match."""


@dataclass(frozen=True, eq=False)
class Query:
    condition: str
    name: str
    camera: Camera
    truth: Rigid3 | None
    """None: of another town."""


@dataclass(frozen=True)
class Answer:
    """One query's answer by one way."""

    error: tuple[float, float]
    """Of position, and deg; infinite without a pose."""
    found: bool
    after_ms: float
    """After features and descriptor: search, matching, cues, pose, confidence."""
    images: int
    """Matched by the map's matcher."""


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, exists=True))
@click.argument("map_folder", metavar="MAP", type=click.Path(path_type=Path, exists=True))
@click.option("--foreign", type=click.Path(path_type=Path, exists=True), help="Another town.")
@click.option("--queries", "limit", default=10**6, show_default=True, help="Of each condition.")
@click.option("--set", "settings", multiple=True, help="KEY=VALUE for both ways.")
@click.option("--no-peer", is_flag=True, help="Only the cascade.")
def main(
    folder: Path,
    map_folder: Path,
    foreign: Path | None,
    limit: int,
    settings: tuple[str, ...],
    no_peer: bool,
) -> None:
    """Print recalls, errors and times of both ways, and their ratio."""
    place = Map.open(map_folder)
    unit_file = folder / "unit.txt"
    unit = float(unit_file.read_text()) / 100 if unit_file.is_file() else 1.0
    ways = {"cascade": Localizer(place, load_config(base=place.config, settings=settings))}
    if not no_peer:
        config = load_config(base=place.config, settings=(*settings, *PEER))
        ways["all images"] = Localizer(place, config)
    answers: dict[str, dict[str, list[Answer]]] = {}
    description_ms: list[float] = []
    sources = [(folder, False), *([(foreign, True)] if foreign else [])]
    for source, is_foreign in sources:
        for query in tqdm(list(queries_of(source, limit, is_foreign)), source.name, disable=None):
            photo = read_photo(source / "images" / query.name, query.name, place.config.images)
            clock = StageClock()
            seen = ways["cascade"].look(photo, query.camera, itself=query.name, clock=clock)
            description_ms.append(1000 * sum(clock.seconds.values()))
            order = list(ways) if len(description_ms) % 2 else list(ways)[::-1]
            for way in order:
                result = ways[way].answer(seen, query.name, StageClock())
                of_way = answers.setdefault(query.condition, {}).setdefault(way, [])
                of_way.append(answer_of(result, query, unit))
    is_town = unit == 1.0
    for condition, of_ways in answers.items():
        print_condition(condition, of_ways, is_town)
    print(f"features and global descriptor: median {np.median(description_ms):.0f} ms a query")


def queries_of(folder: Path, limit: int, is_foreign: bool) -> Iterator[Query]:
    """Of all conditions, with true poses."""
    for file in sorted(folder.glob("queries*.txt")):
        condition = file.stem.removeprefix("queries").removeprefix("_") or "all"
        truth = read_poses(folder / file.name.replace("queries", "gt"))
        for name, camera in list(read_queries(file).items())[:limit]:
            yield Query(
                "foreign" if is_foreign else condition,
                name,
                camera,
                None if is_foreign else truth[name],
            )


def answer_of(result: LocalizationResult, query: Query, unit: float) -> Answer:
    """Errors in percent of the unit, or in metres."""
    error = (np.inf, np.inf)
    if result.pose is not None and query.truth is not None:
        distance, angle_deg = pose_errors(result.pose.cam_from_world, query.truth)
        error = (distance / unit, angle_deg)
    images = result.counts.get("images_matched", 0)
    return Answer(error, result.pose is not None, result.timings_ms["total"], images)


def print_condition(condition: str, of_ways: dict[str, list[Answer]], is_town: bool) -> None:
    """A line for each way."""
    bounds = (0.25, 2.0) if is_town else (1.0, 0.5)
    what = "0.25 m, 2 deg" if is_town else "1 %, 0.5 deg"
    medians = {}
    for way, answers in of_ways.items():
        errors = np.array([answer.error for answer in answers])
        right = (errors <= bounds).all(axis=1)
        found = np.array([answer.found for answer in answers])
        times = np.array([answer.after_ms for answer in answers])
        images = np.array([answer.images for answer in answers])
        medians[way] = np.median(times)
        print(
            f"{condition}, {way}: {right.sum()} of {len(right)} within {what}, "
            f"{(found & ~right).sum()} wrong; median error {np.median(errors[:, 0]):.4f} "
            f"{'m' if is_town else '%'}, {np.median(errors[:, 1]):.4f} deg; after description "
            f"median {medians[way]:.1f} ms, p95 {np.quantile(times, 0.95):.0f} ms, mean "
            f"{times.mean():.1f} ms; images matched: mean {images.mean():.1f}, none for "
            f"{(images == 0).sum()}"
        )
    if len(medians) == 2:
        print(f"{condition}: {medians['all images'] / medians['cascade']:.1f} times faster")


if __name__ == "__main__":
    main()
