"""Poses of coarse-to-fine matching on rendered towns, from landmarks and from a learned matcher."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path

import numpy as np
from tqdm import tqdm

from hloc_lite.clock import StageClock
from hloc_lite.config import fingerprint
from hloc_lite.datasets.dataset import DatasetQuery
from hloc_lite.io.files import write_text_atomic
from hloc_lite.io.images import read_photo
from hloc_lite.localize.cascade import (
    MatchingStep,
    add_image_matches,
    image_scores,
    match_images,
    match_landmarks,
)
from hloc_lite.localize.localizer import Localizer
from hloc_lite.localize.query import MapMatches, Query
from hloc_lite.maps.map import Map
from hloc_lite.pose.quality import QUALITY_FEATURES
from hloc_lite.types import RetrievalHits
from pipelines.calibration.pose_samples import (
    NUM_RETRIEVED,
    PoseSample,
    Scenario,
    scenario_settings,
)
from pipelines.towns.matched_towns import is_correct, map_town, query_config, read_town

LANDMARKS, LEARNED = "landmarks", "learned"
"""Source of the matches; confidence is calibrated for each separately."""
NUM_BEST, NUM_FAR = (2, 6), 4
"""Images matched one by one: the best-scored ones, and some of the last ten retrieved. The latter
imitate hard queries; few queries of the own town are as hard as those of another town."""
Result = tuple[str, str, str, bool, bool, Mapping[str, float]]


def sample_cascade(
    output: Path, towns: Path, seeds: Sequence[int], features: str, per_condition: int
) -> list[PoseSample]:
    """Localize the queries of each town in its own map and in that of the town before it.

    Args:
        output: OUT/SEED-FEATURES holds the map, and the results under a fingerprint of the config
            (delete ``cascade-*`` when code has changed).
        towns: folder of the rendered towns, named by seed.
        seeds: seeds of the towns.
        features: name of the local features.
        per_condition: queries per condition.
    """
    samples: list[PoseSample] = []
    for index, seed in enumerate(seeds):
        folder = output / f"{seed}-{features}"
        sfm_map = map_town(towns / str(seed), folder / "map", features, "auto")
        for other in dict.fromkeys((seed, seeds[(index + 1) % len(seeds)])):
            town = towns / str(other)
            samples += _sample(folder, sfm_map, town, str(seed), features, per_condition)
    return samples


def is_learned(sample: PoseSample) -> bool:
    """Return True if the pose uses matches of a learned matcher."""
    return sample.scenario.startswith(LEARNED)


def _sample(
    folder: Path, sfm_map: Map, town: Path, map_seed: str, features: str, per_condition: int
) -> list[PoseSample]:
    settings = scenario_settings(Scenario("cascade", NUM_RETRIEVED), folder, 0)
    config = query_config(sfm_map, [*settings, f"localize.num_retrieved={NUM_RETRIEVED}"])
    key = fingerprint(
        config, sorted(QUALITY_FEATURES), town.name, per_condition, [*NUM_BEST, NUM_FAR]
    )
    file = folder / f"cascade-{key}.json"
    if not file.is_file():
        localizer = Localizer(sfm_map, config)
        chosen = list(_chosen_queries(town, per_condition))
        found = []
        for each in tqdm(chosen, desc=f"{town.name} on {map_seed}", disable=None):
            found += _localize(localizer, town, each, is_foreign=town.name != map_seed)
        write_text_atomic(file, json.dumps(found))
    rows = json.loads(file.read_text())
    return [PoseSample(town.name, map_seed, features, *row) for row in rows]


def _chosen_queries(town: Path, per_condition: int) -> Iterator[DatasetQuery]:
    """Some queries of each condition, evenly spread."""
    for _, group in groupby(read_town(town).iter_queries(), key=lambda query: query.condition):
        queries = list(group)
        count = min(per_condition, len(queries))
        for row in np.unique(np.linspace(0, len(queries) - 1, count).round().astype(int)):
            yield queries[row]


def _localize(
    localizer: Localizer, town: Path, each: DatasetQuery, *, is_foreign: bool
) -> list[Result]:
    assert each.cam_from_world is not None  # towns have all true poses
    name, pipeline = each.name, localizer.pipeline
    photo = read_photo(town / "images" / name, name, localizer.config.images)
    query, hits = pipeline.describe(photo, each.camera, exclude=name)
    found: list[Result] = []
    for scenario, matches, nearest in _scenarios(localizer, query, hits):
        steps = [MatchingStep(matches, with_landmarks=nearest)]
        result = pipeline.localize(query, matches[0].hits, name, StageClock(), steps=steps)
        correct = not is_foreign and is_correct(result, each.cam_from_world)
        has_pose = result.pose is not None
        found.append((scenario, each.condition, name, has_pose, correct, dict(result.grounds)))
    return found


def _scenarios(
    localizer: Localizer, query: Query, hits: RetrievalHits
) -> Iterator[tuple[str, tuple[MapMatches, ...], tuple[MapMatches, ...]]]:
    """Matches with landmarks only, and with some images in addition; with the former alone."""
    matchers, clock = localizer.pipeline.matchers, StageClock()
    matches = nearest = match_landmarks(query, hits, matchers, clock)
    yield LANDMARKS, matches, nearest
    order, done = np.argsort(-image_scores(hits, matches), kind="stable"), 0
    for number in NUM_BEST:
        more = match_images(query, hits.subset(order[done:number]), matchers, clock)
        matches, done = add_image_matches(matches, more), number
        yield f"{LEARNED}, {number} images", matches, nearest
    last = hits.subset(np.arange(NUM_RETRIEVED // 2, len(hits.names)))
    matches = match_landmarks(query, last, matchers, clock)
    yield f"{LANDMARKS}, far", matches, matches
    order = np.argsort(-image_scores(last, matches), kind="stable")[:NUM_FAR]
    more = match_images(query, last.subset(order), matchers, clock)
    yield f"{LEARNED}, {NUM_FAR} images, far", add_image_matches(matches, more), matches
