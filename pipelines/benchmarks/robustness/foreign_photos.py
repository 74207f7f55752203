"""Photos of other places, localized in maps that do not have them.

    python -m pipelines.benchmarks.robustness.foreign_photos MAP MAP ...

The photos of each map are localized in every other map of the same features, from their stored
features: every pose that is given is wrong.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import click

from hloc_lite.localize.left_out import LoadedFeatures
from hloc_lite.localize.localizer import Localizer
from hloc_lite.localize.self_test import SelfTest, SelfTestAnswer, stored_query
from hloc_lite.maps.calibration import SelfTestKind
from hloc_lite.maps.map import Map
from pipelines.benchmarks.table import Table, percent, results_option

COLUMNS = ["map", "photos of", "features", "photos", "given", "highest confidence"]


@click.command()
@click.argument("maps", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True))
@click.option("--global", "only_global", is_flag=True, help="Without what each map has learned.")
@click.option("--every", default=1, show_default=True, help="Use each N-th photo.")
@results_option
def main(maps: tuple[Path, ...], only_global: bool, every: int, results: Path | None) -> None:
    """Print how many photos of each map are given a pose in each other map."""
    table = Table("Foreign photos", COLUMNS, "Given: with confidence.min_confidence or more.")
    opened = {folder: Map.open(folder) for folder in maps}
    total = given = 0
    for folder, sfm_map in opened.items():
        localizer = Localizer(replace(sfm_map, calibration=None) if only_global else sfm_map)
        test, limit = SelfTest(localizer), localizer.config.confidence.min_confidence
        for other, photos in opened.items():
            if other == folder or photos.config.features.name != sfm_map.config.features.name:
                continue
            confidences = [each.probability for each in foreign_answers(test, photos, every)]
            accepted = sum(each >= limit for each in confidences)
            total, given = total + len(confidences), given + accepted
            highest = round(max(confidences, default=0.0), 3)
            features = sfm_map.config.features.name
            table.add(folder.name, other.name, features, len(confidences), accepted, highest)
    table.add("all", "all", None, total, given, None)
    table.write(results)
    print(f"\naccepted: {given} of {total} ({percent(given / max(1, total), 2)})")


def foreign_answers(test: SelfTest, photos: Map, every: int) -> Iterator[SelfTestAnswer]:
    """Localize each ``every``-th photo of another map."""
    loaded = replace(photos, features=LoadedFeatures(photos.features))
    rows = dict(zip(photos.global_names, photos.global_descriptors, strict=True))
    for image in photos.model.images[::every]:
        if image.name in rows:
            query = stored_query(loaded, image)
            kind = SelfTestKind.NEIGHBOURHOOD_LEFT_OUT
            yield test.answer_query(query, rows[image.name], (), None, kind)


if __name__ == "__main__":
    main()
