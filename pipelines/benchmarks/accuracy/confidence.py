"""Quality of the confidence model on rendered towns that it was not fitted on.

    python -m pipelines.benchmarks.accuracy.confidence -o OUT --towns DIR --seed 201 --seed 202

For each scenario: AUROC, expected calibration error and Brier score of all poses, however doubtful;
poses given at ``confidence.min_confidence``, and wrong ones among them. Then the queries of each
town against the map of the next: poses given. ``--case`` adds folders of real photos
(map_images.txt, queries.txt or all of images/), each against the maps of the others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np

from hloc_lite.config import load_config
from hloc_lite.datasets.dataset import Dataset
from hloc_lite.datasets.dataset_folder import read_dataset_folder
from hloc_lite.io.image_names import list_images
from hloc_lite.localize.confidence import load_calibration
from hloc_lite.localize.localizer import Localizer
from hloc_lite.mapping.build import build_map
from hloc_lite.mapping.run import MapInputs
from hloc_lite.maps.map import Map
from hloc_lite.pose.confidence import Calibration
from hloc_lite.types import Camera
from pipelines.benchmarks.table import Table, percent, results_option
from pipelines.calibration.metrics import print_reliability, probability_metrics
from pipelines.calibration.pose_samples import PoseSample, sample_towns

COLUMNS = (
    "features", "scenario", "poses", "queries", "correct", "AUROC",
    "expected calibration error", "Brier score", "given", "wrong ones given",
    "correct ones withheld",
)  # fmt: skip


@click.command()
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True)
@click.option("--towns", type=click.Path(path_type=Path), help="Rendered towns.  [default: OUT]")
@click.option("--seed", "seeds", type=int, multiple=True, required=True)
@click.option("--features", multiple=True, default=("rootsift",), show_default=True)
@click.option("--case", "cases", type=click.Path(path_type=Path, exists=True), multiple=True)
@click.option("--set", "settings", multiple=True, help="KEY=VALUE for all scenarios.")
@results_option
def main(
    output: Path,
    towns: Path | None,
    seeds: tuple[int, ...],
    features: tuple[str, ...],
    cases: tuple[Path, ...],
    settings: tuple[str, ...],
    results: Path | None,
) -> None:
    """Print the metrics."""
    samples = sample_towns(output, towns or output, seeds, features, settings)
    config = load_config(settings=settings).confidence
    calibration = load_calibration(config)
    if calibration is None:
        raise SystemExit("confidence.enabled is false: there is nothing to measure")
    model = ConfidenceModel(calibration, config.min_confidence)
    table = Table(
        "Confidence",
        COLUMNS,
        f"Given: with a confidence of at least {config.min_confidence}. Metrics are over all "
        f"poses, however doubtful.",
    )
    for feature in features:
        chosen = [each for each in samples if each.features == feature]
        add_rows(table, feature, chosen, model)
    everything = [each for each in samples if each.has_pose]
    add_row(table, "all", "own and foreign queries", samples, model)
    table.write(results)
    print_accepted([each for each in samples if each.is_foreign], model)
    print()
    print_reliability(*model.predictions(everything))
    if cases:
        print_cases([read_dataset_folder(case) for case in cases], features)


@dataclass(frozen=True)
class ConfidenceModel:
    """Coefficients of the confidence model, and the confidence of a pose that is given."""

    calibration: Calibration
    min_confidence: float

    def probability(self, sample: PoseSample) -> float:
        """Probability that the pose is correct; 0 without a pose."""
        return self.calibration.probability(sample.quality) if sample.has_pose else 0.0

    def accepts(self, sample: PoseSample) -> bool:
        """Return True if the pose is given."""
        return sample.has_pose and self.probability(sample) >= self.min_confidence

    def predictions(self, samples: Sequence[PoseSample]) -> tuple[np.ndarray, np.ndarray]:
        """(N,) probabilities, and (N,) correctness."""
        probability = [self.probability(each) for each in samples]
        return np.array(probability), np.array([each.is_correct for each in samples], bool)


def add_rows(
    table: Table, features: str, samples: Sequence[PoseSample], model: ConfidenceModel
) -> None:
    """Add a row per scenario and condition of own queries, for all, and per foreign scenario."""
    own = [each for each in samples if not each.is_foreign]
    groups: dict[str, list[PoseSample]] = {}
    for each in own:
        groups.setdefault(each.scenario, []).append(each)
    for each in own:
        groups.setdefault(each.condition, []).append(each)
    groups["all own queries"] = own
    for each in samples:
        if each.is_foreign:
            groups.setdefault(f"{each.scenario}, queries of another town", []).append(each)
    for name, group in groups.items():
        add_row(table, features, name, group, model)


def add_row(
    table: Table, features: str, name: str, samples: Sequence[PoseSample], model: ConfidenceModel
) -> None:
    """Add a row for some samples."""
    found = [each for each in samples if each.has_pose]
    if not found:
        table.add(features, name, 0, len(samples), *[None] * 4, 0, 0, 0)
        return
    metrics = probability_metrics(*model.predictions(found))
    given = [each for each in found if model.accepts(each)]
    wrong = sum(not each.is_correct for each in given)
    withheld = sum(each.is_correct for each in found) - (len(given) - wrong)
    table.add(
        features, name, len(found), len(samples), percent(metrics.share_correct),
        round(metrics.auroc, 4), round(metrics.ece, 4), round(metrics.brier, 4), len(given), wrong,
        withheld,
    )  # fmt: skip


def print_accepted(samples: Sequence[PoseSample], model: ConfidenceModel) -> None:
    """Print the queries of another town whose poses are given: all of them are wrong."""
    highest = max((model.probability(each) for each in samples), default=0.0)
    print(f"\nqueries of another town: highest probability {highest:.3f}")
    for each in samples:
        if model.accepts(each):
            probability = model.probability(each)
            print(f"  given: {each.query} of {each.town} in {each.map_town}: {probability:.3f}")


def print_cases(cases: Sequence[Dataset], features: Sequence[str]) -> None:
    """Print how many photos of each case are localized in the map of each case."""
    print(
        "\n| features | map | photos of | localized | highest confidence |\n|---|---|---|---|---|"
    )
    for feature in features:
        for case in cases:
            localizer = Localizer(map_case(case, feature))
            for other in cases:
                is_own = other.image_folder == case.image_folder
                names, cameras = case_queries(other, same=is_own)
                results = [
                    localizer.localize(
                        other.image_folder / name,
                        cameras.get(name),
                        name=name if is_own else f"{other.name}/{name}",
                    )
                    for name in names
                ]
                highest = max((result.confidence or 0.0 for result in results), default=0.0)
                count = sum(result.pose is not None for result in results)
                shown = f"{count} of {len(results)} | {highest:.3f}"
                print(f"| {feature} | {case.name} | {other.name} | {shown} |", flush=True)


def map_case(case: Dataset, feature: str) -> Map:
    """Build the map of a case, from its known poses if it has any."""
    config = load_config(overrides={"features": {"name": feature}})
    inputs = MapInputs(reference=case.reference, names=case.map_image_names)
    return build_map(case.image_folder, config, inputs=inputs)


def case_queries(case: Dataset, *, same: bool) -> tuple[Sequence[str], Mapping[str, Camera]]:
    """Names and known cameras of the queries of a case; all photos in another case's map."""
    cameras = {each.name: each.camera for each in case.iter_queries()}
    return (list(cameras) if same and cameras else list_images(case.image_folder)), cameras


if __name__ == "__main__":
    main()
