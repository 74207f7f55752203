"""Poses as the cascade makes them, of landmarks and of images matched by a learned matcher, with
what speaks for each and whether it is right."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from hloc_lite.clock import StageClock
from hloc_lite.config import fingerprint
from hloc_lite.formats.hloc_lists import read_poses, read_queries
from hloc_lite.io.files import write_text_atomic
from hloc_lite.io.images import read_photo
from hloc_lite.localize.cascade import SeenQuery, with_images
from hloc_lite.localize.image_queue import image_votes
from hloc_lite.localize.localizer import Localizer
from hloc_lite.localize.query import MatchedQuery
from hloc_lite.maps.map import Map
from hloc_lite.pose.quality import QUALITY_FEATURES
from hloc_lite.synthetic.config import CONDITIONS
from pipelines.confidence_rows import NUM_RETRIEVED, Row, Scenario, scenario_settings
from pipelines.matched_towns import build, is_right, query_config

LANDMARKS, LEARNED = "landmarks", "learned"
"""What poses are made of; confidence is fitted to each by itself."""
NEAR, FAR = (2, 6), 4
"""Images that are matched one by one, those with most votes first; and so many of the last ten
retrieved: few queries of one's own are as hard as those of another town."""


def rows_of_cascade(
    output: Path,
    towns: Path,
    seeds: Sequence[int],
    features: str,
    per_condition: int,
) -> list[Row]:
    """Of each town its own queries, and those of the next town against its map.

    Args:
        output: OUT/SEED-FEATURES holds the map, and the rows under a fingerprint of the config
            (delete ``cascade-*`` when code has changed).
        towns: rendered ones, by seed.
        per_condition: queries of each.
    """
    rows: list[Row] = []
    for index, seed in enumerate(seeds):
        folder = output / f"{seed}-{features}"
        place = build(towns / str(seed), folder / "map", features, "auto")
        for other in dict.fromkeys((seed, seeds[(index + 1) % len(seeds)])):
            town = towns / str(other)
            rows += _rows(folder, place, town, str(seed), features, per_condition)
    return rows


def is_of_learned(row: Row) -> bool:
    """Whether matches of a learned matcher have a part in the pose."""
    return row.scenario.startswith(LEARNED)


def _rows(
    folder: Path, place: Map, town: Path, map_town: str, features: str, per_condition: int
) -> list[Row]:
    settings = scenario_settings(Scenario("cascade", NUM_RETRIEVED), folder, 0)
    config = query_config(place, [*settings, f"localize.num_retrieved={NUM_RETRIEVED}"])
    key = fingerprint(config, sorted(QUALITY_FEATURES), town.name, per_condition, [*NEAR, FAR])
    file = folder / f"cascade-{key}.json"
    if not file.is_file():
        localizer = Localizer(place, config)
        chosen = list(_queries(town, per_condition))
        found = []
        for condition, name in tqdm(chosen, desc=f"{town.name} on {map_town}", disable=None):
            found += _poses_of(localizer, town, condition, name, foreign=town.name != map_town)
        write_text_atomic(file, json.dumps(found))
    return [Row(town.name, map_town, features, *each) for each in json.loads(file.read_text())]


def _queries(town: Path, per_condition: int) -> Iterator[tuple[str, str]]:
    for condition in CONDITIONS:
        names = list(read_queries(town / f"queries_{condition}.txt"))
        spread = np.linspace(0, len(names) - 1, min(per_condition, len(names))).round().astype(int)
        for row in np.unique(spread):
            yield condition, names[row]


def _poses_of(
    localizer: Localizer, town: Path, condition: str, name: str, *, foreign: bool
) -> list[tuple[str, str, str, bool, bool, Mapping[str, float]]]:
    camera = read_queries(town / f"queries_{condition}.txt")[name]
    truth = read_poses(town / f"gt_{condition}.txt")[name]
    photo = read_photo(town / "images" / name, name, localizer.config.images)
    seen = localizer.look(photo, camera, itself=name)
    found = []
    for scenario, query in _ways(localizer, seen):
        result = localizer.solve(query, name)
        right = not foreign and is_right(result, truth)
        has_pose = result.pose is not None
        found.append((scenario, condition, name, has_pose, right, dict(result.grounds)))
    return found


def _ways(localizer: Localizer, seen: SeenQuery) -> Iterator[tuple[str, MatchedQuery]]:
    cascade, clock = localizer.cascade, StageClock()
    query = cascade.match_landmarks(seen, seen.hits, clock)
    yield LANDMARKS, query
    order, done = np.argsort(-image_votes(query), kind="stable"), 0
    for number in NEAR:
        more = cascade.match_images(seen, query.hits.subset(order[done:number]), clock)
        query, done = with_images(query, more), number
        yield f"{LEARNED}, {number} images", query
    last = seen.hits.subset(np.arange(NUM_RETRIEVED // 2, len(seen.hits.names)))
    query = cascade.match_landmarks(seen, last, clock)
    yield f"{LANDMARKS}, far", query
    order = np.argsort(-image_votes(query), kind="stable")[:FAR]
    more = cascade.match_images(seen, query.hits.subset(order), clock)
    yield f"{LEARNED}, {FAR} images, far", with_images(query, more)
