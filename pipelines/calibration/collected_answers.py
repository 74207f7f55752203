"""Answers of the localizer whose correctness is known: photos of many places in many maps.

Every pose is collected, however doubtful, as the default search ends with it. Results are kept in
files, so a run that was interrupted goes on.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np
from tqdm import tqdm

from hloc_lite.config import fingerprint, load_config
from hloc_lite.datasets.dataset import Dataset, DatasetQuery
from hloc_lite.datasets.dataset_folder import read_dataset_folder
from hloc_lite.evaluation.thresholds import Threshold, correct_within, percent_of
from hloc_lite.geometry.rotations import pose_errors
from hloc_lite.io.files import read_json, write_text_atomic
from hloc_lite.localize.known_answers import AnswerGroup, model_fingerprint
from hloc_lite.localize.localizer import Localizer
from hloc_lite.mapping.build import build_map
from hloc_lite.mapping.run import MapInputs
from hloc_lite.maps.map import Map

EVERY_POSE = 1.0
"""Share of wrong answers under which every pose is given."""
FAST = "xfeat"
"""Features that are mapped and localized by the profile ``fast``, as users have them."""


@dataclass(frozen=True)
class Place:
    """A data set folder, and the errors within which a pose in its map is correct."""

    name: str
    dataset: Dataset
    correct: Threshold


def read_place(folder: Path, *, is_metric: bool) -> Place:
    """Read a rendered town or a case of real photos.

    Args:
        is_metric: its map is in metres; otherwise errors are relative to ``unit.txt``.

    Raises:
        FormatError: see ``read_dataset_folder``.
    """
    dataset = read_dataset_folder(folder)
    if not is_metric and dataset.unit_length is None:
        raise SystemExit(f"{folder} needs unit.txt, or must be given as a metric case")
    length = None if is_metric else dataset.unit_length
    return Place(
        folder.resolve().name,
        dataset,
        correct_within(None if length is None else percent_of(length)),
    )


def open_map(place: Place, features: str, maps: Path) -> Map:
    """Open the map ``maps/PLACE-FEATURES``; build it from its known poses if it is not there."""
    folder = maps / f"{place.name}-{features}"
    if not (folder / "map.json").is_file():
        profile = "fast" if features == FAST else "balanced"
        config = load_config(profile, overrides={"features": {"name": features}})
        inputs = MapInputs(reference=place.dataset.reference, names=place.dataset.map_image_names)
        build_map(place.dataset.image_folder, config, inputs=inputs, output=folder)
    return Map.open(folder)


def collect_answers(
    places: Sequence[Place],
    features: str,
    maps: Path,
    output: Path,
    per_condition: int,
    num_foreign: int,
    num_others: int | None = None,
) -> list[AnswerGroup]:
    """Localize photos of each place in its own map, and photos of other places.

    Args:
        maps: folder of the maps.
        output: folder of the results; delete it when code has changed.
        per_condition: photos of each condition of the own place, evenly spread.
        num_foreign: photos of other places in each map.
        num_others: places that these are of, the next ones; None for all others.
    """
    groups: list[AnswerGroup] = []
    for index, place in enumerate(places):
        sfm_map = open_map(place, features, maps)
        others = [*places[index + 1 :], *places[:index]]
        wanted = [(place, each) for each in _chosen(place, per_condition)]
        wanted += _foreign(others[:num_others], num_foreign)
        key = fingerprint(sfm_map.fingerprint, sfm_map.config, [each.name for _, each in wanted])
        file = output / f"{place.name}-{features}-{key}.json"
        if not file.is_file():
            localizer = Localizer(sfm_map)
            model = model_fingerprint(localizer.calibration) if localizer.calibration else ""
            rows = [_answer(localizer, place, of, each) for of, each in tqdm(wanted, disable=None)]
            write_text_atomic(file, json.dumps({"confidence_model": model, "rows": rows}))
        groups += _groups(place.name, features, read_json(file)["rows"])
    return groups


def _chosen(place: Place, count: int) -> Iterator[DatasetQuery]:
    """Some queries of each condition, evenly spread."""
    for _, group in groupby(place.dataset.iter_queries(), key=lambda query: query.condition):
        queries = list(group)
        spread = np.linspace(0, len(queries) - 1, min(count, len(queries)))
        yield from (queries[row] for row in np.unique(spread.round().astype(int)))


def _foreign(others: Sequence[Place], count: int) -> list[tuple[Place, DatasetQuery]]:
    """Photos of other places, as many of each as of any other."""
    if not others:
        return []
    by_place = [list(place.dataset.iter_queries()) for place in others]
    share = -(-count // len(others))
    chosen = []
    for place, queries in zip(others, by_place, strict=True):
        rows = np.unique(np.linspace(0, len(queries) - 1, share).round().astype(int))
        chosen += [(place, queries[row]) for row in rows]
    return chosen


Row = tuple[str, str, str, float | None, bool]
"""Place of the photo, condition, name, confidence (None without a pose), and True if wrong."""


def _answer(localizer: Localizer, place: Place, of: Place, query: DatasetQuery) -> Row:
    is_own = of.name == place.name
    result = localizer.localize(
        of.dataset.image_folder / query.name,
        query.camera,
        name=query.name if is_own else f"{of.name}/{query.name}",
        max_wrong=EVERY_POSE,
    )
    if result.pose is None:
        return of.name, query.condition, query.name, None, False
    is_wrong = True
    if is_own:
        assert query.cam_from_world is not None  # places have all true poses
        distance, angle = pose_errors(result.pose.cam_from_world, query.cam_from_world)
        is_wrong = not (
            distance <= place.correct.max_distance and angle <= place.correct.max_angle_deg
        )
    return of.name, query.condition, query.name, result.confidence, is_wrong


def _groups(scene: str, features: str, rows: Sequence[Row]) -> Iterator[AnswerGroup]:
    by_kind: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        by_kind.setdefault((row[0], row[1]), []).append(row)
    for (photos, condition), group in by_kind.items():
        found = [(float(row[3]), bool(row[4])) for row in group if row[3] is not None]
        yield AnswerGroup(
            scene,
            photos,
            features,
            condition,
            len(group),
            tuple(confidence for confidence, _ in found),
            tuple(is_wrong for _, is_wrong in found),
        )
