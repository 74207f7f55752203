"""Queries of a rendered town, described once, to be localized in many maps of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from hloc_lite.clock import StageClock
from hloc_lite.io.files import atomic_path
from hloc_lite.io.images import read_photo
from hloc_lite.io.weights import WeightsStore
from hloc_lite.localize.cascade import MatchingStep
from hloc_lite.localize.localizer import Localizer
from hloc_lite.localize.query import Query
from hloc_lite.maps.map import Map
from hloc_lite.models import load_models
from hloc_lite.registry import Runtime
from hloc_lite.retrieval.index import RetrievalIndex
from hloc_lite.types import Camera, Float32, LocalFeatures, Photo, RetrievalHits, Rigid3
from pipelines.towns.matched_towns import is_correct, read_town


@dataclass(frozen=True, eq=False)
class DescribedQuery:
    """Query with its features, without its pixels."""

    name: str
    condition: str
    photo: Photo
    """Black photo; only its size is used."""
    camera: Camera
    features: LocalFeatures
    global_descriptor: Float32
    cam_from_world: Rigid3
    """True pose."""


def describe_queries(town: Path, sfm_map: Map, cache: Path) -> list[DescribedQuery]:
    """Describe the queries of all conditions with the networks of the map's config.

    Features and descriptors are stored in the folder ``cache``.
    """
    models = None
    found = []
    dataset = read_town(town)
    for each in tqdm(list(dataset.iter_queries()), desc=town.name, disable=None):
        assert each.cam_from_world is not None  # towns have all true poses
        file = cache / f"{each.name.replace('/', '_')}.npz"
        if not file.is_file():
            if models is None:
                models = load_models(sfm_map.config, Runtime(WeightsStore()))
                models.global_descriptor.load_state(sfm_map.retrieval_state)
            path = dataset.image_folder / each.name
            photo = read_photo(path, each.name, sfm_map.config.images)
            (features,) = models.extractor.extract([photo])
            _write(file, features, models.global_descriptor.describe([photo])[0])
        features, descriptor = _read(file)
        width, height = features.image_size
        black = Photo(each.name, np.zeros((height, width, 3), np.uint8))
        found.append(
            DescribedQuery(
                each.name, each.condition, black, each.camera, features, descriptor,
                each.cam_from_world,
            )
        )  # fmt: skip
    return found


def retrieve(sfm_map: Map, queries: Sequence[DescribedQuery], count: int) -> list[RetrievalHits]:
    """Retrieve the map images most similar to each query."""
    index = RetrievalIndex(sfm_map.global_names, sfm_map.global_descriptors)
    return index.search(np.stack([query.global_descriptor for query in queries]), count)


def correct_queries(
    localizer: Localizer, queries: Sequence[DescribedQuery], count: int
) -> list[bool]:
    """Localize each query with ``count`` retrieved images; True where the pose is correct."""
    pipeline, clock = localizer.pipeline, StageClock()
    found = []
    for each, hits in zip(queries, retrieve(localizer.map, queries, count), strict=True):
        predictions = pipeline.predictor.predict(each.photo)
        query = Query(each.photo, each.camera, True, (each.features,), predictions)
        steps = [MatchingStep(pipeline.match(query, hits, clock))]
        result = pipeline.localize(query, hits, each.name, clock, steps=steps)
        found.append(is_correct(result, each.cam_from_world))
    return found


def _write(file: Path, features: LocalFeatures, descriptor: Float32) -> None:
    with atomic_path(file) as partial, partial.open("wb") as stream:
        np.savez(
            stream,
            keypoints=features.keypoints,
            descriptors=features.descriptors.astype(np.float16),
            scores=features.scores,
            size=np.array(features.image_size),
            global_descriptor=descriptor,
        )


def _read(file: Path) -> tuple[LocalFeatures, Float32]:
    with np.load(file, allow_pickle=False) as stored:
        size = tuple(int(side) for side in stored["size"])
        features = LocalFeatures(
            stored["keypoints"], stored["descriptors"], stored["scores"], (size[0], size[1])
        )
        return features, stored["global_descriptor"]
