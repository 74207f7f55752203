"""Poses of rendered towns in many scenarios, with their quality features and correctness."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from tqdm import tqdm

from hloc_lite.config import Config, fingerprint
from hloc_lite.consistency.cue_combination import CUE_NAMES
from hloc_lite.io.files import write_text_atomic
from hloc_lite.localize.localizer import Localizer
from hloc_lite.pose.quality import QUALITY_FEATURES
from pipelines.towns.matched_towns import (
    MAX_TRIALS,
    MatchedTown,
    is_correct,
    map_town,
    match_town,
    query_config,
    read_town,
    render_town,
    with_labels,
)
from pipelines.towns.noisy_cues import write_noisy_depth, write_noisy_labels

NUM_RETRIEVED = 20
NO_CUES = f"weighting.off={json.dumps(CUE_NAMES)}"


@dataclass(frozen=True)
class Scenario:
    """Settings under which poses are estimated from stored matches."""

    name: str
    num_retrieved: int
    cues: bool = False
    """Use labels and depth with errors like those of networks."""
    hard: bool = False
    """Use matches that pass the ratio test only, all with equal weight."""


OWN = (
    Scenario("k=1", 1),
    Scenario("k=5", 5),
    Scenario("k=20", 20),
    Scenario("k=1, cues", 1, cues=True),
    Scenario("k=5, cues", 5, cues=True),
    Scenario("k=5, hard", 5, hard=True),
)
"""Scenarios for queries of the map's own town."""
FOREIGN = (Scenario("k=5", 5), Scenario("k=20", 20))
"""Scenarios for queries of another town."""


@dataclass(frozen=True)
class PoseSample:
    """One query in one scenario."""

    town: str
    map_town: str
    features: str
    """Name of the local features."""
    scenario: str
    condition: str
    query: str
    has_pose: bool
    """True if there is a pose, of any confidence."""
    is_correct: bool
    quality: Mapping[str, float]
    """Pose-quality features."""

    @property
    def is_foreign(self) -> bool:
        """True if the query is of another town than the map."""
        return self.town != self.map_town


def sample_towns(
    output: Path,
    towns: Path,
    seeds: Sequence[int],
    features: Sequence[str],
    settings: Sequence[str] = (),
) -> list[PoseSample]:
    """Localize the queries of each town in its own map and in that of the town before it."""
    samples: list[PoseSample] = []
    for index, seed in enumerate(seeds):
        other = seeds[(index + 1) % len(seeds)]
        for feature in features:
            samples += sample_town(output, towns, seed, seed, feature, OWN, settings)
            if other != seed:
                samples += sample_town(output, towns, other, seed, feature, FOREIGN, settings)
    return samples


def sample_town(
    output: Path,
    towns: Path,
    seed: int,
    map_seed: int,
    features: str,
    scenarios: Sequence[Scenario],
    settings: Sequence[str] = (),
    num_map: int = 120,
    num_queries: int = 40,
) -> list[PoseSample]:
    """Localize all queries of a town in the map of a town, with stored results where possible.

    OUT/SEED-FEATURES holds the map, the matches, and the results of each scenario under a
    fingerprint of its config (delete ``rows-*`` when code has changed).
    """
    map_town_folder, town = towns / str(map_seed), towns / str(seed)
    for number in {map_seed, seed}:
        if not (towns / str(number) / "town.json").is_file():  # checking a whole town is slow
            render_town(towns / str(number), number, num_map, num_queries)
    folder = output / f"{map_seed}-{features}"
    sfm_map = map_town(map_town_folder, folder / "map", features)
    is_foreign = seed != map_seed
    cache = folder / (f"foreign-{seed}" if is_foreign else "matches")
    matched: MatchedTown | None = None
    samples = []
    for scenario in scenarios:
        config = query_config(sfm_map, (*scenario_settings(scenario, output, seed), *settings))
        key = fingerprint(config, asdict(scenario), sorted(QUALITY_FEATURES), seed, num_queries)
        file = folder / f"rows-{key}.json"
        if not file.is_file():
            if matched is None:
                matched = match_town(town, sfm_map, cache, NUM_RETRIEVED)
            chosen = matched
            if scenario.cues:
                write_cues(town, output, seed)
                labelled = with_labels(sfm_map, map_town_folder, _labels(output, seed))
                chosen = replace(matched, sfm_map=labelled)
            found = _localize(chosen, config, scenario, is_foreign=is_foreign)
            write_text_atomic(file, json.dumps(found))
        new = [
            PoseSample(str(seed), str(map_seed), features, scenario.name, *each)
            for each in json.loads(file.read_text())
        ]
        print(
            f"{features} {seed} on {map_seed}, {scenario.name}: {len(new)} queries, "
            f"{sum(each.has_pose for each in new)} poses, "
            f"{sum(each.is_correct for each in new)} correct",
            flush=True,
        )
        samples += new
    return samples


def scenario_settings(scenario: Scenario, output: Path, seed: int) -> list[str]:
    """Config of a scenario, in which every pose is given, however doubtful."""
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
    """Write noisy labels of all images and noisy depth of the queries."""
    dataset = read_town(town)
    queries = dataset.query_names
    names = [*dataset.map_image_names, *queries]
    write_noisy_labels(town, names, output / f"{seed}-cues" / "labels")
    write_noisy_depth(town, queries, output / f"{seed}-cues" / "depth")


def _labels(output: Path, seed: int) -> str:
    return f"files:{output / f'{seed}-cues' / 'labels'}"


def _localize(
    town: MatchedTown, config: Config, scenario: Scenario, *, is_foreign: bool
) -> list[tuple[str, str, bool, bool, Mapping[str, float]]]:
    """Condition, name, has_pose, is_correct and quality of each query."""
    localizer = Localizer(town.sfm_map, config)
    found: list[tuple[str, str, bool, bool, Mapping[str, float]]] = []
    for each in tqdm(town.queries, desc=scenario.name, leave=False, disable=None):
        query = each.first_hits(scenario.num_retrieved)
        if scenario.hard:
            query = query.with_ratio_test(config.matching)
        result = query.localize(localizer)
        correct = not is_foreign and is_correct(result, each.cam_from_world)
        has_pose = result.pose is not None
        found.append((each.condition, each.name, has_pose, correct, dict(result.grounds)))
    return found
