"""Queries of a rendered town, described once, to be localized in many maps of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from hloc_lite.clock import StageClock
from hloc_lite.formats.hloc_lists import read_poses, read_queries
from hloc_lite.io.files import atomic_path
from hloc_lite.io.images import read_photo
from hloc_lite.io.weights import WeightsStore
from hloc_lite.localize.cascade import SeenQuery
from hloc_lite.localize.localizer import Localizer
from hloc_lite.maps.map import Map
from hloc_lite.models import load_models
from hloc_lite.registry import Runtime
from hloc_lite.retrieval.index import RetrievalIndex
from hloc_lite.synthetic.config import CONDITIONS
from hloc_lite.types import Camera, Float32, LocalFeatures, Photo, RetrievalHits, Rigid3
from pipelines.matched_towns import is_right


@dataclass(frozen=True, eq=False)
class Described:
    """A query without its pixels."""

    name: str
    condition: str
    photo: Photo
    """Black: only its size is read."""
    camera: Camera
    features: LocalFeatures
    global_descriptor: Float32
    cam_from_world: Rigid3


def described(town: Path, place: Map, cache: Path) -> list[Described]:
    """The queries of all conditions as the map's config describes them."""
    runtime = Runtime(WeightsStore())
    models = None
    found = []
    for condition in CONDITIONS:
        truth = read_poses(town / f"gt_{condition}.txt")
        cameras = read_queries(town / f"queries_{condition}.txt")
        for name, camera in tqdm(cameras.items(), desc=f"{town.name} {condition}", disable=None):
            file = cache / f"{name.replace('/', '_')}.npz"
            if not file.is_file():
                if models is None:
                    models = load_models(place.config, runtime)
                    models.describer.load_state(place.retrieval_state)
                photo = read_photo(town / "images" / name, name, place.config.images)
                (features,) = models.extractor.extract([photo])
                _write(file, features, models.describer.describe([photo])[0])
            features, descriptor = _read(file)
            width, height = features.image_size
            photo = Photo(name, np.zeros((height, width, 3), np.uint8))
            each = Described(name, condition, photo, camera, features, descriptor, truth[name])
            found.append(each)
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


def retrieved(place: Map, queries: Sequence[Described], count: int) -> list[RetrievalHits]:
    """The map images most like each query."""
    index = RetrievalIndex(place.global_names, place.global_descriptors)
    return index.search(np.stack([query.global_descriptor for query in queries]), count)


def right_ones(localizer: Localizer, queries: Sequence[Described], count: int) -> list[bool]:
    """Which queries are localized within the bounds, when matched with ``count`` map images."""
    found = []
    for query, hits in zip(queries, retrieved(localizer.map, queries, count), strict=True):
        seen = SeenQuery(query.photo, query.camera, True, (query.features,), hits)
        result = localizer.solve(localizer.matched(seen, StageClock()), query.name)
        found.append(is_right(result, query.cam_from_world))
    return found
