"""Rendered towns whose queries are matched once, to try many ways to a pose on the matches."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from tqdm import tqdm

from hloc_lite.config import (
    Config,
    MatchingConfig,
    config_from_dict,
    load_config,
    without_query_keys,
)
from hloc_lite.consistency.landmark_labels import label_landmarks
from hloc_lite.formats.colmap import read_model
from hloc_lite.formats.hloc_lists import read_image_list, read_poses, read_queries
from hloc_lite.geometry.rotations import pose_errors
from hloc_lite.io.files import atomic_path
from hloc_lite.io.images import read_photo
from hloc_lite.io.weights import WeightsStore
from hloc_lite.localize.localizer import Localizer
from hloc_lite.localize.query import MatchedQuery
from hloc_lite.mapping.build import build_map
from hloc_lite.mapping.run import MapInputs
from hloc_lite.maps.map import Map
from hloc_lite.pose.confidence import ErrorBounds
from hloc_lite.registry import SEGMENTERS, Runtime, create
from hloc_lite.synthetic.config import CONDITIONS, TownConfig
from hloc_lite.synthetic.dataset import write_dataset
from hloc_lite.types import (
    LabelMap,
    LocalFeatures,
    LocalizationResult,
    Matches,
    RetrievalHits,
    Rigid3,
)

BOUNDS = ErrorBounds()

MATCH_ALL = ("localize.max_ratio=1.0", "localize.matching=images")
"""Bounds are put on the matches later, by those who want them."""
MAX_TRIALS = 20000
"""Of RANSAC: the default of 100,000 takes five times as long where there is no pose."""


@dataclass(frozen=True, eq=False)
class TownQuery:
    """A query with all of its matches, and where it was taken."""

    condition: str
    query: MatchedQuery
    cam_from_world: Rigid3


@dataclass(frozen=True, eq=False)
class MatchedTown:
    """A town, a map of it, and its queries' matches with ``num_retrieved`` map images each."""

    folder: Path
    place: Map
    queries: tuple[TownQuery, ...]


def render(folder: Path, seed: int, num_map: int, num_queries: int) -> Path:
    """The town of a seed with depth and labels; what is there already is kept."""
    config = TownConfig(seed=seed, num_map=num_map, num_queries=num_queries)
    return write_dataset(folder, config)


def build(town: Path, folder: Path, features: str, matcher: str = "mutual-nn") -> Map:
    """The map of a town from its known poses, without labels."""
    settings = [f"matching.name={matcher}"]
    config = load_config(overrides={"features": {"name": features}}, settings=settings)
    if not (folder / "map.json").is_file():
        inputs = MapInputs(
            reference=read_model(town / "model"), names=read_image_list(town / "map_images.txt")
        )
        build_map(town / "images", config, inputs=inputs, output=folder)
    return Map.open(folder)


def query_config(place: Map, settings: Sequence[str]) -> Config:
    """What queries are answered with: of the map's config only what it was made with counts, the
    rest are today's defaults, also where its maker had chosen otherwise."""
    made_with = without_query_keys(place.config.model_dump())
    del made_with["semantics"]
    return load_config(base=config_from_dict(made_with), settings=settings)


def labelled(place: Map, town: Path, source: str) -> Map:
    """The map with the labels that a source gives its points."""
    config = load_config(base=place.config, settings=[f"semantics.source={source}"])
    runtime = Runtime(WeightsStore())
    segmenter = create(SEGMENTERS, source, config.semantics, runtime)

    def labels_of(name: str) -> LabelMap | None:
        photo = read_photo(town / "images" / name, name, config.images)
        found: LabelMap | None = segmenter.segment([photo])[0]
        return found

    labels = label_landmarks(place.model, labels_of, config.semantics)
    return replace(place, config=config, landmark_labels=labels)


def match_town(town: Path, place: Map, cache: Path, num_retrieved: int) -> MatchedTown:
    """All queries of a town against a map, from ``cache`` where they were matched before."""
    settings = [f"localize.num_retrieved={num_retrieved}", *MATCH_ALL]
    localizer = Localizer(place, query_config(place, settings))
    found = []
    for condition in CONDITIONS:
        truth = read_poses(town / f"gt_{condition}.txt")
        cameras = read_queries(town / f"queries_{condition}.txt")
        for name, camera in tqdm(cameras.items(), desc=f"{town.name} {condition}", disable=None):
            photo = read_photo(town / "images" / name, name, place.config.images)
            file = cache / f"{name.replace('/', '_')}.npz"
            if not file.is_file():
                _write(file, localizer.match(photo, camera, itself=name))
            query = _read(file, localizer, photo, camera)
            found.append(TownQuery(condition, query, truth[name]))
    return MatchedTown(town, place, tuple(found))


def first_hits(query: MatchedQuery, count: int) -> MatchedQuery:
    """The query as if only so many images had been retrieved."""
    hits = query.hits.first(count)
    return replace(query, hits=hits, matched={name: query.matched[name] for name in hits.names})


def query_names(town: Path) -> list[str]:
    """Of the queries of all conditions."""
    return [name for c in CONDITIONS for name in read_queries(town / f"queries_{c}.txt")]


def is_right(result: LocalizationResult, truth: Rigid3) -> bool:
    """Whether there is a pose, and within the bounds of ``confidence`` of the true one."""
    if result.pose is None:
        return False
    distance, angle_deg = pose_errors(result.pose.cam_from_world, truth)
    return bool(distance <= BOUNDS.distance and angle_deg <= BOUNDS.angle_deg)


def passing_ratio_test(query: MatchedQuery, config: MatchingConfig) -> MatchedQuery:
    """The query with those matches only whose score is that of ``max_ratio``, or better."""
    least = 1 / (1 + np.exp(-config.ratio_slope * (config.ratio_midpoint - config.max_ratio)))
    kept = {}
    for name, (matches, points) in query.matched.items():
        good = matches.scores >= least
        kept[name] = Matches(matches.indices[good], matches.scores[good]), points
    return replace(query, matched=kept)


def _write(file: Path, query: MatchedQuery) -> None:
    matches = [each for each, _ in query.matched.values()]
    with atomic_path(file) as partial, partial.open("wb") as stream:
        np.savez(
            stream,
            keypoints=query.features.keypoints,
            names=np.array(query.hits.names),
            similarities=query.hits.similarities,
            counts=np.array([len(each) for each in matches]),
            indices=np.concatenate([each.indices for each in matches]),
            scores=np.concatenate([each.scores for each in matches]),
        )


def _read(file: Path, localizer: Localizer, photo, camera) -> MatchedQuery:  # type: ignore[no-untyped-def]
    try:
        with np.load(file, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise SystemExit(f"{file} is damaged ({error}): delete it and run again") from None
    n = len(arrays["keypoints"])
    features = LocalFeatures(
        arrays["keypoints"], np.zeros((n, 1)), np.zeros(n), (photo.width, photo.height)
    )
    names = tuple(str(name) for name in arrays["names"])
    ends = np.cumsum(arrays["counts"])
    rows: Iterator[slice] = (slice(e - c, e) for e, c in zip(ends, arrays["counts"], strict=True))
    matched = {
        name: (
            Matches(arrays["indices"][row], arrays["scores"][row]),
            localizer.landmarks_of(name).point3D_idxs,
        )
        for name, row in zip(names, rows, strict=True)
    }
    hits = RetrievalHits(names, arrays["similarities"])
    return MatchedQuery(photo, camera, True, features, hits, matched)
