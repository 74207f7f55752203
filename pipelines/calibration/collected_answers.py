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
from hloc_lite.localize.confidence import model_fingerprint
from hloc_lite.localize.known_answers import AnswerGroup
from hloc_lite.localize.localizer import Localizer
from hloc_lite.mapping.build import build_map
from hloc_lite.mapping.run import MapInputs
from hloc_lite.maps.map import Map

EVERY_POSE = 1.0
"""Share of wrong answers under which every pose is given."""
FAST = "xfeat"
"""Features that are mapped and localized by the profile ``fast``, as users have them."""


@dataclass(frozen=True)
class Site:
    """A data set folder, and the errors within which a pose in its map is correct."""

    name: str
    dataset: Dataset
    correct: Threshold
    is_metric: bool = False
    """Its map is in metres."""

    @property
    def kind(self) -> str:
        """Kind of its scene; rendered towns have a file of their config."""
        root = self.dataset.image_folder.parent
        return "rendered" if (root / "town.json").is_file() else "real"


def read_site(folder: Path, *, is_metric: bool) -> Site:
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
    unit = None if length is None else percent_of(length)
    return Site(folder.resolve().name, dataset, correct_within(unit), is_metric)


def open_map(site: Site, features: str, maps: Path) -> Map:
    """Open the map ``maps/PLACE-FEATURES``; build it from its known poses if it is not there."""
    folder = maps / f"{site.name}-{features}"
    if not (folder / "map.json").is_file():
        profile = "fast" if features == FAST else "balanced"
        config = load_config(profile, overrides={"features": {"name": features}})
        inputs = MapInputs(
            reference=site.dataset.reference,
            names=site.dataset.map_image_names,
            metric=site.is_metric,
        )
        build_map(site.dataset.image_folder, config, inputs=inputs, output=folder)
    return Map.open(folder)


def collect_answers(
    sites: Sequence[Site],
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
    for index, site in enumerate(sites):
        sfm_map = open_map(site, features, maps)
        others = [*sites[index + 1 :], *sites[:index]]
        wanted = [(site, each) for each in _chosen(site, per_condition)]
        wanted += _foreign(others[:num_others], num_foreign)
        key = fingerprint(sfm_map.fingerprint, sfm_map.config, [each.name for _, each in wanted])
        file = output / f"{site.name}-{features}-{key}.json"
        if not file.is_file():
            localizer = Localizer(sfm_map)
            model = model_fingerprint(localizer.calibration) if localizer.calibration else ""
            rows = [_answer(localizer, site, of, each) for of, each in tqdm(wanted, disable=None)]
            write_text_atomic(file, json.dumps({"confidence_model": model, "rows": rows}))
        groups += _groups(site.kind, site.name, features, read_json(file)["rows"])
    return groups


def _chosen(site: Site, count: int) -> Iterator[DatasetQuery]:
    """Some queries of each condition, evenly spread."""
    for _, group in groupby(site.dataset.iter_queries(), key=lambda query: query.condition):
        queries = list(group)
        spread = np.linspace(0, len(queries) - 1, min(count, len(queries)))
        yield from (queries[row] for row in np.unique(spread.round().astype(int)))


def _foreign(others: Sequence[Site], count: int) -> list[tuple[Site, DatasetQuery]]:
    """Photos of other places, as many of each as of any other."""
    if not others:
        return []
    by_site = [list(site.dataset.iter_queries()) for site in others]
    share = -(-count // len(others))
    chosen = []
    for site, queries in zip(others, by_site, strict=True):
        rows = np.unique(np.linspace(0, len(queries) - 1, share).round().astype(int))
        chosen += [(site, queries[row]) for row in rows]
    return chosen


Row = tuple[str, str, str, float | None, bool]
"""Place of the photo, condition, name, confidence (None without a pose), and True if wrong."""


def _answer(localizer: Localizer, site: Site, of: Site, query: DatasetQuery) -> Row:
    is_own = of.name == site.name
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
            distance <= site.correct.max_distance and angle <= site.correct.max_angle_deg
        )
    return of.name, query.condition, query.name, result.confidence, is_wrong


def _groups(kind: str, scene: str, features: str, rows: Sequence[Row]) -> Iterator[AnswerGroup]:
    by_kind: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        by_kind.setdefault((row[0], row[1]), []).append(row)
    for (photos, condition), group in by_kind.items():
        found = [(float(row[3]), bool(row[4])) for row in group if row[3] is not None]
        yield AnswerGroup(
            kind,
            scene,
            photos,
            features,
            condition,
            len(group),
            tuple(confidence for confidence, _ in found),
            tuple(is_wrong for _, is_wrong in found),
        )
