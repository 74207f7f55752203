"""Maps of the exact scene: on disk with labels, and two whose extractors detect other points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from hloc_lite.config import Config, load_config
from hloc_lite.localize.localizer import Localizer
from hloc_lite.mapping.build import build_map
from hloc_lite.mapping.run import MapInputs
from hloc_lite.maps.map import Map
from hloc_lite.types import Camera, LocalFeatures, Photo, Rigid3
from tests.exact_scene import MAP_NAMES, SIZE, ExactScene, NoWeights
from tests.localize.localizers import FixedExtractor, make_localizer

QUERY = 5
"""Camera of the query."""
ROAD, BUILDING, VEGETATION, CAR = 0, 2, 8, 13
"""Semantic labels."""


def config_of(features: str, *settings: str) -> Config:
    """Config with an extractor of the exact scene."""
    names = {"features": {"name": features}, "retrieval": {"name": "exact"}}
    return load_config(overrides=names, settings=settings)


def build(
    scene: ExactScene, config: Config, names: dict[str, int] = MAP_NAMES, **options: Any
) -> Map:
    """Build a map of some images of a scene."""
    images = {name: scene.image(index) for name, index in names.items()}
    inputs = MapInputs(reference=scene.reference(names))
    return build_map(images, config, inputs=inputs, weights=NoWeights(), **options)


def build_on_disk(scene: ExactScene, output: Path, *settings: str) -> Map:
    """Build a map in a folder, and open it."""
    build(scene, config_of("exact", *settings), output=output)
    return Map.open(output, trust=True)  # the tests made the labels that it names


def write_labels(folder: Path, names: list[str], label: int) -> None:
    """Write label images in which all pixels have one label."""
    for name in names:
        path = folder / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full(SIZE[::-1], label, np.uint8)).save(path)


@dataclass(frozen=True, eq=False)
class TwoMaps:
    """One scene whose images two extractors describe; they detect different points."""

    scenes: dict[str, ExactScene]
    maps: dict[str, Map]
    other: OtherExtractor

    @property
    def pose(self) -> Rigid3:
        return self.scenes["exact"].poses[QUERY]

    @property
    def camera(self) -> Camera:
        return self.scenes["exact"].camera

    @property
    def pixels(self) -> np.ndarray:
        return self.scenes["exact"].image(QUERY)

    @property
    def photo(self) -> Photo:
        return Photo("query.png", self.pixels)

    def features(self, name: str, rows: slice = slice(None)) -> LocalFeatures:
        """Features of the query that an extractor finds, or some of them."""
        found = self.scenes[name].features(QUERY, 1000)
        return found.subset(np.arange(len(found))[rows])

    def localizer(self, answers: dict[str, LocalFeatures] | None = None, **maps: Map) -> Localizer:
        """Localizer in both maps.

        Args:
            answers: features that an extractor finds in every query, by name.
            maps: maps to use instead of the two.
        """
        answers = answers or {}
        used = {**self.maps, **maps}
        self.other.answer = answers.get("other")
        stand_ins = {}
        if "exact" in answers:
            stand_ins["extractor"] = FixedExtractor(answers["exact"])
        return make_localizer(used["exact"], extra_maps=[used["other"]], **stand_ins)


class OtherExtractor:
    """Second extractor; all of its instances are this one."""

    descriptor_dim = 64

    def __init__(self, scene: ExactScene) -> None:
        self.scene = scene
        self.answer: LocalFeatures | None = None
        """Features found in every photo; None for those of the scene."""

    def __call__(self, *_: object) -> OtherExtractor:
        return self

    def extract(self, photos: Sequence[Photo]) -> list[LocalFeatures]:
        found = [self.scene.features(int(p.pixels[4, 4, 0]), 1000) for p in photos]
        return [each if self.answer is None else self.answer for each in found]
