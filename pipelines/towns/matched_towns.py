"""Rendered towns whose queries are matched once, to compare ways from the matches to a pose."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from tqdm import tqdm

from hloc_lite.clock import StageClock
from hloc_lite.config import (
    Config,
    MatchingConfig,
    config_from_dict,
    load_config,
    without_query_keys,
)
from hloc_lite.consistency.landmark_labels import label_landmarks
from hloc_lite.datasets.cards import read_card
from hloc_lite.datasets.dataset import Dataset
from hloc_lite.datasets.dataset_folder import read_dataset_folder
from hloc_lite.geometry.rotations import pose_errors
from hloc_lite.io.files import atomic_path
from hloc_lite.io.images import read_photo
from hloc_lite.io.weights import WeightsStore
from hloc_lite.localize.cascade import MatchingStep
from hloc_lite.localize.localizer import Localizer
from hloc_lite.localize.map_matcher import MapMatcher
from hloc_lite.localize.pipeline import QueryPipeline
from hloc_lite.localize.query import ImageMatches, MapMatches, Query
from hloc_lite.mapping.build import build_map
from hloc_lite.mapping.run import MapInputs
from hloc_lite.maps.map import Map
from hloc_lite.pose.confidence import ErrorBounds
from hloc_lite.registry import SEGMENTERS, Runtime, create
from hloc_lite.synthetic.config import TownConfig
from hloc_lite.synthetic.dataset import write_dataset
from hloc_lite.types import (
    Camera,
    LabelMap,
    LocalFeatures,
    LocalizationResult,
    Matches,
    Photo,
    RetrievalHits,
    Rigid3,
)

BOUNDS = ErrorBounds()

MATCH_ALL = ("localize.max_ratio=1.0", "localize.matching=images")
"""All matches are stored; a ratio test may be applied later."""
MAX_TRIALS = 20000
"""RANSAC samples. The default of 100,000 takes five times as long where there is no pose."""


@dataclass(frozen=True, eq=False)
class MatchedQuery:
    """Query with its matches with the retrieved map images, and its true pose."""

    condition: str
    photo: Photo
    camera: Camera
    matches: MapMatches
    cam_from_world: Rigid3

    @property
    def name(self) -> str:
        return self.photo.name

    def first_hits(self, count: int) -> MatchedQuery:
        """The query as if only ``count`` images had been retrieved."""
        hits = self.matches.hits.first(count)
        by_image = {name: self.matches.by_image[name] for name in hits.names}
        return replace(self, matches=replace(self.matches, hits=hits, by_image=by_image))

    def with_ratio_test(self, config: MatchingConfig) -> MatchedQuery:
        """The query with those matches only that pass the ratio test ``max_ratio``."""
        slope = config.ratio_slope * (config.ratio_midpoint - config.max_ratio)
        min_score = 1 / (1 + np.exp(-slope))
        by_image = {}
        for name, each in self.matches.by_image.items():
            kept = each.matches.scores >= min_score
            matches = Matches(each.matches.indices[kept], each.matches.scores[kept])
            by_image[name] = replace(each, matches=matches)
        return replace(self, matches=replace(self.matches, by_image=by_image))

    def describe(self, pipeline: QueryPipeline) -> Query:
        """The query with its stored features and predictions of labels and depth."""
        predictions = pipeline.predictor.predict(self.photo)
        return Query(self.photo, self.camera, True, (self.matches.features,), predictions)

    def localize(self, localizer: Localizer) -> LocalizationResult:
        """Estimate the pose from the stored matches."""
        pipeline, steps = localizer.pipeline, [MatchingStep((self.matches,))]
        return pipeline.localize(
            self.describe(pipeline), self.matches.hits, self.name, StageClock(), steps=steps
        )


@dataclass(frozen=True, eq=False)
class MatchedTown:
    """Map of a town, and queries matched with it."""

    folder: Path
    sfm_map: Map
    queries: tuple[MatchedQuery, ...]


def render_town(folder: Path, seed: int, num_map: int, num_queries: int) -> Path:
    """Render the town of a seed with depth and labels; finished images are kept."""
    config = TownConfig(seed=seed, num_map=num_map, num_queries=num_queries)
    return write_dataset(folder, config)


def read_town(folder: Path) -> Dataset:
    """Read a rendered town."""
    return read_dataset_folder(folder, read_card("town"))


def map_town(town: Path, folder: Path, features: str, matcher: str = "mutual-nn") -> Map:
    """Build or open the map of a town from its known poses, without labels."""
    settings = [f"matching.name={matcher}"]
    config = load_config(overrides={"features": {"name": features}}, settings=settings)
    if not (folder / "map.json").is_file():
        dataset = read_town(town)
        inputs = MapInputs(reference=dataset.reference, names=dataset.map_image_names, metric=True)
        build_map(dataset.image_folder, config, inputs=inputs, output=folder)
    return Map.open(folder)


def query_config(sfm_map: Map, settings: Sequence[str]) -> Config:
    """Config of queries: today's defaults, except for the keys that the map was made with."""
    made_with = without_query_keys(sfm_map.config.model_dump())
    del made_with["semantics"]
    return load_config(base=config_from_dict(made_with), settings=settings)


def with_labels(sfm_map: Map, town: Path, source: str) -> Map:
    """The map with landmark labels from ``semantics.source``."""
    config = load_config(base=sfm_map.config, settings=[f"semantics.source={source}"])
    segmenter = create(SEGMENTERS, source, config.semantics, Runtime(WeightsStore()))

    def predict_labels(name: str) -> LabelMap | None:
        photo = read_photo(town / "images" / name, name, config.images)
        found: LabelMap | None = segmenter.segment([photo])[0]
        return found

    labels = label_landmarks(sfm_map.model, predict_labels, config.semantics)
    return replace(sfm_map, config=config, landmark_labels=labels)


def match_town(town: Path, sfm_map: Map, cache: Path, num_retrieved: int) -> MatchedTown:
    """Match all queries of a town with a map; matches are stored in the folder ``cache``.

    Stored matches with fewer retrieved images than asked for are computed again.
    """
    settings = [f"localize.num_retrieved={num_retrieved}", *MATCH_ALL]
    pipeline = Localizer(sfm_map, query_config(sfm_map, settings)).pipeline
    count = min(num_retrieved, len(sfm_map.global_names))
    found = []
    dataset = read_town(town)
    for each in tqdm(list(dataset.iter_queries()), desc=town.name, disable=None):
        assert each.cam_from_world is not None  # towns have all true poses
        path = dataset.image_folder / each.name
        photo = read_photo(path, each.name, sfm_map.config.images)
        file = cache / f"{each.name.replace('/', '_')}.npz"
        matches = _read(file, pipeline.matchers[0], photo) if file.is_file() else None
        if matches is None or len(matches.hits.names) < count:
            query, hits = pipeline.describe(photo, each.camera, exclude=each.name)
            (computed,) = pipeline.match(query, hits, StageClock())
            _write(file, computed)
            matches = _read(file, pipeline.matchers[0], photo)
        found.append(MatchedQuery(each.condition, photo, each.camera, matches, each.cam_from_world))
    return MatchedTown(town, sfm_map, tuple(found))


def is_correct(result: LocalizationResult, truth: Rigid3) -> bool:
    """Return True if there is a pose within ``ErrorBounds`` of the true one."""
    if result.pose is None:
        return False
    distance, angle_deg = pose_errors(result.pose.cam_from_world, truth)
    return bool(distance <= BOUNDS.distance and angle_deg <= BOUNDS.angle_deg)


def _write(file: Path, matches: MapMatches) -> None:
    pairs = [each.matches for each in matches.by_image.values()]
    with atomic_path(file) as partial, partial.open("wb") as stream:
        np.savez(
            stream,
            keypoints=matches.features.keypoints,
            names=np.array(matches.hits.names),
            similarities=matches.hits.similarities,
            counts=np.array([len(each) for each in pairs]),
            indices=np.concatenate([each.indices for each in pairs]),
            scores=np.concatenate([each.scores for each in pairs]),
        )


def _read(file: Path, matcher: MapMatcher, photo: Photo) -> MapMatches:
    try:
        with np.load(file, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise SystemExit(f"{file} is damaged ({error}): delete it and run again") from None
    n = len(arrays["keypoints"])
    features = LocalFeatures(
        arrays["keypoints"],
        np.zeros((n, 1), np.float32),
        np.zeros(n, np.float32),
        (photo.width, photo.height),
    )
    names = tuple(str(name) for name in arrays["names"])
    ends = np.cumsum(arrays["counts"])
    by_image = {}
    for name, end, count in zip(names, ends, arrays["counts"], strict=True):
        rows = slice(end - count, end)
        matches = Matches(arrays["indices"][rows], arrays["scores"][rows])
        by_image[name] = ImageMatches(matches, matcher.image_features(name)[1])
    hits = RetrievalHits(names, arrays["similarities"])
    return MapMatches(features, hits, by_image, is_learned=False)
