"""Real photos of other places, read and localized in full: nothing of them is in the map.

    python -m pipelines.benchmarks.robustness.foreign_cases --case MAP DATASET ...

The queries of each DATASET are localized in every MAP but its own, with default settings: every
pose that is given is wrong. Data sets with fewer than --at-least queries also give their map
images. --photos is a folder of photos that belong to no map; their intrinsics are estimated. Other
than in ``foreign_photos``, synthesized views are compared where a map has a surface. A photo is
looked at if the surface fills enough of its view (``view_synthesis.min_valid_share``).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np

from hloc_lite.config import load_config
from hloc_lite.datasets.dataset_folder import read_dataset_folder
from hloc_lite.io.images import list_images, read_photo
from hloc_lite.localize.localizer import Localizer
from hloc_lite.maps.map import Map
from hloc_lite.maps.surface_depth import surface_agreement
from hloc_lite.types import Camera, LocalizationResult, Photo, Status
from pipelines.benchmarks.table import Table, percent, results_option

COLUMNS = ["map", "surface covers", "photos of", "photos", "poses", "looked at", "given",
           "given and looked at", "highest confidence", "highest agreement"]  # fmt: skip


@dataclass(frozen=True, eq=False)
class ForeignPhoto:
    """Photo of a place; its camera is None if nobody knows the intrinsics."""

    place: str
    photo: Photo
    camera: Camera | None


@click.command()
@click.option("--case", "cases", nargs=2, multiple=True, required=True,
              help="MAP and the folder of its data set.",
              type=click.Path(path_type=Path, exists=True))  # fmt: skip
@click.option("--photos", multiple=True, type=click.Path(path_type=Path, exists=True))
@click.option("--at-least", default=20, show_default=True, help="Queries of a data set.")
@results_option
def main(
    cases: tuple[tuple[Path, Path], ...],
    photos: tuple[Path, ...],
    at_least: int,
    results: Path | None,
) -> None:
    """Print how many photos of each place are given a pose in each map of another."""
    table = Table("Foreign photos, looked at", COLUMNS, "Status localized at default settings.")
    places = {dataset.name: list(photos_of(dataset, at_least)) for _, dataset in cases}
    places |= {folder.name: list(photos_in(folder)) for folder in photos}
    total: list[LocalizationResult] = []
    for folder, dataset in cases:
        sfm_map = Map.open(folder)
        localizer, covered = Localizer(sfm_map), None
        if sfm_map.surface is not None:
            covered = percent(surface_agreement(sfm_map.surface, sfm_map.model).coverage, 0)
        for place, found in places.items():
            if place == dataset.name:
                continue
            answers = [
                localizer.localize(each.photo, each.camera, name=f"{place}/{each.photo.name}")
                for each in found
            ]
            table.add(folder.name, covered, place, *figures(answers))
            total += answers
        table.write(results)
    table.add("all", None, "all", *figures(total))
    table.write(results)
    given = sum(each.status is Status.LOCALIZED for each in total)
    count = sum(len(found) for found in places.values())
    print(f"\n{count} photos; given: {given} of {len(total)} answers")


def figures(answers: Sequence[LocalizationResult]) -> list[object]:
    """Cells of a row: numbers of answers, and the highest confidence and agreement."""
    given = [each.status is Status.LOCALIZED for each in answers]
    agreements = [each.views[0].agreement if each.views else np.nan for each in answers]
    looked = np.isfinite(agreements)
    highest = float(np.max(np.array(agreements)[looked])) if looked.any() else np.nan
    confidences = [each.confidence or 0.0 for each in answers]
    return [
        len(answers), sum(each.confidence is not None for each in answers), int(looked.sum()),
        sum(given), int((looked & np.array(given, bool)).sum()),
        round(max(confidences, default=0.0), 3), round(highest, 3),
    ]  # fmt: skip


def photos_of(dataset: Path, at_least: int) -> Iterator[ForeignPhoto]:
    """Queries of a data set, and its map images if there are fewer than ``at_least``."""
    read = read_dataset_folder(dataset)
    cameras = {each.name: each.camera for each in read.iter_queries()}
    if len(cameras) < at_least and read.reference is not None:
        model = read.reference
        cameras |= {each.name: model.cameras[each.camera_id] for each in model.images}
    config = load_config().images
    for name, camera in cameras.items():
        yield ForeignPhoto(dataset.name, read_photo(read.image_folder / name, name, config), camera)


def photos_in(folder: Path) -> Iterator[ForeignPhoto]:
    """All photos of a folder."""
    config = load_config().images
    for name in list_images(folder):
        yield ForeignPhoto(folder.name, read_photo(folder / name, name, config), None)


if __name__ == "__main__":
    main()
