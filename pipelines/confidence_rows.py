"""Poses of rendered towns with what speaks for each and whether it is right, in many settings."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata
from tqdm import tqdm

from hloc_lite.config import Config, fingerprint
from hloc_lite.consistency.cue_combination import CUE_NAMES
from hloc_lite.formats.hloc_lists import read_image_list
from hloc_lite.io.files import write_text_atomic
from hloc_lite.localize.localizer import Localizer
from hloc_lite.pose.quality import QUALITY_FEATURES
from pipelines.matched_towns import (
    MAX_TRIALS,
    MatchedTown,
    build,
    first_hits,
    is_right,
    labelled,
    match_town,
    passing_ratio_test,
    query_config,
    query_names,
    render,
)
from pipelines.noisy_cues import write_noisy_depth, write_noisy_labels

NUM_RETRIEVED = 20
NO_CUES = f"weighting.off={json.dumps(CUE_NAMES)}"
NUM_BINS = 10
Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Scenario:
    """A way to make poses of matches."""

    name: str
    num_retrieved: int
    cues: bool = False
    """With labels and depth as wrong as networks make them."""
    hard: bool = False
    """With matches that pass the ratio test only, all of equal weight."""


OWN = (
    Scenario("k=1", 1),
    Scenario("k=5", 5),
    Scenario("k=20", 20),
    Scenario("k=1, cues", 1, cues=True),
    Scenario("k=5, cues", 5, cues=True),
    Scenario("k=5, hard", 5, hard=True),
)
FOREIGN = (Scenario("k=5", 5), Scenario("k=20", 20))
"""Of queries of another town."""


@dataclass(frozen=True)
class Row:
    """One query in one scenario."""

    town: str
    map_town: str
    features: str
    scenario: str
    condition: str
    query: str
    found: bool
    """A pose, however doubtful."""
    right: bool
    traits: Mapping[str, float]

    @property
    def foreign(self) -> bool:
        return self.town != self.map_town


def rows_of_towns(
    output: Path,
    towns: Path,
    seeds: Sequence[int],
    features: Sequence[str],
    settings: Sequence[str] = (),
) -> list[Row]:
    """``town_rows`` of each town: of its own queries, and of those of the next town against it."""
    rows: list[Row] = []
    for index, seed in enumerate(seeds):
        other = seeds[(index + 1) % len(seeds)]
        for feature in features:
            rows += town_rows(output, towns, seed, seed, feature, OWN, settings)
            if other != seed:
                rows += town_rows(output, towns, other, seed, feature, FOREIGN, settings)
    return rows


def town_rows(
    output: Path,
    towns: Path,
    seed: int,
    map_seed: int,
    features: str,
    scenarios: Sequence[Scenario],
    settings: Sequence[str] = (),
    num_map: int = 120,
    num_queries: int = 40,
) -> list[Row]:
    """All queries of a town against a map of it, or of another; from OUT if they are there.

    OUT/SEED-FEATURES holds the map, the matches, and the rows of each scenario under a fingerprint
    of its config (delete ``rows-*`` when code has changed).
    """
    place_of, town = towns / str(map_seed), towns / str(seed)
    for number in {map_seed, seed}:
        if not (towns / str(number) / "town.json").is_file():  # to check a whole town takes a while
            render(towns / str(number), number, num_map, num_queries)
    folder = output / f"{map_seed}-{features}"
    place = build(place_of, folder / "map", features)
    foreign = seed != map_seed
    cache = folder / (f"foreign-{seed}" if foreign else "matches")
    matched: MatchedTown | None = None
    rows = []
    for scenario in scenarios:
        chosen = (*scenario_settings(scenario, output, seed), *settings)
        config = query_config(place, chosen)
        key = fingerprint(config, asdict(scenario), sorted(QUALITY_FEATURES), seed, num_queries)
        file = folder / f"rows-{key}.json"
        if not file.is_file():
            if matched is None:
                matched = match_town(town, place, cache, NUM_RETRIEVED)
            queries = matched
            if scenario.cues:
                write_cues(town, output, seed)
                queries = replace(matched, place=labelled(place, place_of, _labels(output, seed)))
            found = _solve(queries, config, scenario, foreign=foreign)
            write_text_atomic(file, json.dumps([[*each] for each in found]))
        new = [
            Row(str(seed), str(map_seed), features, scenario.name, *each)
            for each in json.loads(file.read_text())
        ]
        print(
            f"{features} {seed} on {map_seed}, {scenario.name}: {len(new)} queries, "
            f"{sum(row.found for row in new)} poses, {sum(row.right for row in new)} right",
            flush=True,
        )
        rows += new
    return rows


def scenario_settings(scenario: Scenario, output: Path, seed: int) -> list[str]:
    """Config of a scenario: every pose is given, with its traits."""
    chosen = [
        f"pose.max_num_trials={MAX_TRIALS}",
        "confidence.min_confidence=0",
        "confidence.bounds=metric",
    ]
    if scenario.cues:
        chosen += [
            f"semantics.source={_labels(output, seed)}",
            f"depth.source=files:{output / f'{seed}-cues' / 'depth'}",
            "depth.values=relative",
        ]
    return [*chosen, NO_CUES] if scenario.hard else chosen


def write_cues(town: Path, output: Path, seed: int) -> None:
    """Noisy labels of all images and noisy depth of the queries."""
    queries = query_names(town)
    names = [*read_image_list(town / "map_images.txt"), *queries]
    write_noisy_labels(town, names, output / f"{seed}-cues" / "labels")
    write_noisy_depth(town, queries, output / f"{seed}-cues" / "depth")


def _labels(output: Path, seed: int) -> str:
    return f"files:{output / f'{seed}-cues' / 'labels'}"


def _solve(
    town: MatchedTown, config: Config, scenario: Scenario, *, foreign: bool
) -> list[tuple[str, str, bool, bool, Mapping[str, float]]]:
    """Condition, name, found, right and traits of each query."""
    localizer = Localizer(town.place, config)
    found = []
    for each in tqdm(town.queries, desc=scenario.name, leave=False, disable=None):
        query = first_hits(each.query, scenario.num_retrieved)
        if scenario.hard:
            query = passing_ratio_test(query, config.matching)
        result = localizer.solve(query, query.photo.name)
        right = not foreign and is_right(result, each.cam_from_world)
        found.append(
            (
                each.condition,
                query.photo.name,
                result.pose is not None,
                right,
                dict(result.grounds),
            )
        )
    return found


@dataclass(frozen=True)
class Figures:
    """How good probabilities are."""

    num: int
    share_right: float
    auroc: float
    """NaN where all are right, or all wrong."""
    ece: float
    """Mean difference of probability and frequency over ``NUM_BINS`` bins of equal width."""
    brier: float

    def __str__(self) -> str:
        return (
            f"{self.num} poses, {100 * self.share_right:.1f} % right: AUROC {self.auroc:.4f}, "
            f"ECE {self.ece:.4f}, Brier {self.brier:.4f}"
        )


def figures(probability: Floats, right: Bools) -> Figures:
    """Of (N,) probabilities and (N,) outcomes."""
    num_right, num_wrong = int(right.sum()), int((~right).sum())
    auroc = np.nan
    if num_right and num_wrong:
        ranks = rankdata(probability)[right].sum()
        auroc = (ranks - num_right * (num_right + 1) / 2) / (num_right * num_wrong)
    ece = sum(
        count * abs(mean - share) for _, _, count, mean, share in reliability(probability, right)
    ) / len(right)
    brier = float(np.square(probability - right).mean())
    return Figures(len(right), float(right.mean()), float(auroc), float(ece), brier)


def reliability(probability: Floats, right: Bools) -> list[tuple[float, float, int, float, float]]:
    """Of each bin that is not empty: its ends, count, mean probability, share of right ones."""
    bins = np.minimum((probability * NUM_BINS).astype(int), NUM_BINS - 1)
    return [
        (
            index / NUM_BINS,
            (index + 1) / NUM_BINS,
            int((bins == index).sum()),
            float(probability[bins == index].mean()),
            float(right[bins == index].mean()),
        )
        for index in np.unique(bins)
    ]


def print_reliability(probability: Floats, right: Bools) -> None:
    """Markdown."""
    print("| probability | poses | mean | share right |\n|---|---|---|---|")
    for low, high, count, mean, share in reliability(probability, right):
        print(f"| {low:.1f} to {high:.1f} | {count} | {mean:.3f} | {share:.3f} |")
