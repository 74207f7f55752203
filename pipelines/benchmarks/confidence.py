"""How good the probabilities of poses are on rendered towns that they were not fitted on.

python -m pipelines.benchmarks.confidence -o OUT --towns DIR --seed 201 --seed 202

For each way to make poses: AUROC, expected calibration error and Brier score of all poses found,
however doubtful; how many are given at ``confidence.min_confidence``, and how many of those are
wrong. Then the queries of each town against the map of the next: how many are accepted. ``--case``
adds folders of real photos (map_images.txt, queries.txt or all of images/), each against the maps
of the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np

from hloc_lite.config import load_config
from hloc_lite.formats.colmap import read_model
from hloc_lite.formats.hloc_lists import read_image_list, read_queries
from hloc_lite.localize.confidence import load_calibration
from hloc_lite.localize.localizer import Localizer
from hloc_lite.mapping.build import build_map
from hloc_lite.mapping.run import MapInputs
from hloc_lite.pose.confidence import Calibration
from pipelines.confidence_rows import Row, figures, print_reliability, rows_of_towns


@click.command()
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True)
@click.option("--towns", type=click.Path(path_type=Path), help="Rendered towns.  [default: OUT]")
@click.option("--seed", "seeds", type=int, multiple=True, required=True)
@click.option("--features", multiple=True, default=("rootsift",), show_default=True)
@click.option("--case", "cases", type=click.Path(path_type=Path, exists=True), multiple=True)
@click.option("--set", "settings", multiple=True, help="KEY=VALUE for all scenarios.")
def main(
    output: Path,
    towns: Path | None,
    seeds: tuple[int, ...],
    features: tuple[str, ...],
    cases: tuple[Path, ...],
    settings: tuple[str, ...],
) -> None:
    """Print the figures."""
    rows = rows_of_towns(output, towns or output, seeds, features, settings)
    own = [row for row in rows if not row.foreign]
    foreign = [row for row in rows if row.foreign]
    config = load_config(settings=settings).confidence
    calibration = load_calibration(config)
    if calibration is None:
        raise SystemExit("there is nothing to measure with confidence.enabled=false")
    judged = Judged(calibration, config.min_confidence)
    for feature in features:
        print(f"\n{feature}\n")
        print_own([row for row in own if row.features == feature], judged)
        print_foreign([row for row in foreign if row.features == feature], judged)
    everything = [row for row in own + foreign if row.found]
    print(f"\nall with those of other towns: {figures(*judged.arrays(everything))}")
    print_reliability(*judged.arrays(everything))
    if cases:
        print_cases(cases, features)


@dataclass(frozen=True)
class Judged:
    """Coefficients, and the least probability of a pose that is given."""

    calibration: Calibration
    least: float

    def probability(self, row: Row) -> float:
        """0 without a pose."""
        return self.calibration.probability(row.traits) if row.found else 0.0

    def accepts(self, row: Row) -> bool:
        """Whether its pose is given."""
        return row.found and self.probability(row) >= self.least

    def arrays(self, rows: Sequence[Row]) -> tuple[np.ndarray, np.ndarray]:
        """(N,) probabilities, and (N,) whether they are right."""
        probability = [self.probability(row) for row in rows]
        return np.array(probability), np.array([row.right for row in rows], bool)


def print_own(rows: Sequence[Row], judged: Judged) -> None:
    """A line for each scenario and condition, and for all."""
    print("| scenario | poses | right % | AUROC | ECE | Brier | given | wrong | right withheld |")
    print("|---" * 9 + "|")
    names = list(dict.fromkeys(row.scenario for row in rows))
    conditions = list(dict.fromkeys(row.condition for row in rows))
    for name in names:
        _print_line(name, [row for row in rows if row.scenario == name], judged)
    for name in conditions:
        _print_line(name, [row for row in rows if row.condition == name], judged)
    _print_line("all", rows, judged)
    print()
    found = [row for row in rows if row.found]
    print_reliability(*judged.arrays(found))


def _print_line(name: str, rows: Sequence[Row], judged: Judged) -> None:
    found = [row for row in rows if row.found]
    of_all = figures(*judged.arrays(found))
    given = [row for row in found if judged.accepts(row)]
    wrong = sum(not row.right for row in given)
    withheld = sum(row.right for row in found) - (len(given) - wrong)
    print(
        f"| {name} | {len(found)} of {len(rows)} | {100 * of_all.share_right:.1f} | "
        f"{of_all.auroc:.4f} | {of_all.ece:.4f} | {of_all.brier:.4f} | {len(given)} | {wrong} | "
        f"{withheld} |"
    )


def print_foreign(rows: Sequence[Row], judged: Judged) -> None:
    """How many queries of another town are accepted."""
    for name in dict.fromkeys(row.scenario for row in rows):
        chosen = [row for row in rows if row.scenario == name]
        accepted = [row for row in chosen if judged.accepts(row)]
        highest = max((judged.probability(row) for row in chosen), default=0.0)
        print(
            f"\nof another town, {name}: {len(accepted)} of {len(chosen)} accepted "
            f"({100 * len(accepted) / len(chosen):.2f} %), {sum(row.found for row in chosen)} "
            f"had a pose, highest probability {highest:.3f}"
        )
        for row in accepted:
            print(f"  {row.query} of {row.town} in {row.map_town}: {judged.probability(row):.3f}")


def print_cases(cases: Sequence[Path], features: Sequence[str]) -> None:
    """Photos of each case in the maps of all: how many are localized."""
    print(
        "\n| features | map | photos of | localized | highest probability |\n|---|---|---|---|---|"
    )
    for feature in features:
        for case in cases:
            localizer = Localizer(_case_map(case, feature))
            for other in cases:
                names, cameras = _case_queries(other, same=other == case)
                results = [
                    localizer.localize(
                        other / "images" / name,
                        cameras.get(name),
                        name=name if other == case else f"{other.name}/{name}",
                    )
                    for name in names
                ]
                highest = max((result.confidence or 0.0 for result in results), default=0.0)
                count = sum(result.pose is not None for result in results)
                shown = f"{count} of {len(results)} | {highest:.3f}"
                print(f"| {feature} | {case.name} | {other.name} | {shown} |", flush=True)


def _case_map(case: Path, feature: str):  # type: ignore[no-untyped-def]
    config = load_config(overrides={"features": {"name": feature}})
    if not (case / "model").is_dir():
        return build_map(case / "images", config)
    names = read_image_list(case / "map_images.txt")
    inputs = MapInputs(reference=read_model(case / "model"), names=names)
    return build_map(case / "images", config, inputs=inputs)


def _case_queries(case: Path, *, same: bool):  # type: ignore[no-untyped-def]
    """Those that the case calls queries, or (in another's map, or without any) all photos."""
    listed = case / "queries.txt"
    cameras = read_queries(listed) if listed.is_file() else {}
    everything = sorted(path.name for path in (case / "images").iterdir())
    return (list(cameras) if same and cameras else everything), cameras


if __name__ == "__main__":
    main()
