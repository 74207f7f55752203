"""Fixtures of the localization tests: the exact scene and a map of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from hloc_lite import registry
from hloc_lite.localize.localizer import Localizer
from hloc_lite.maps.map import Map
from tests.exact_scene import ExactScene, make_scene, mapped_scene
from tests.localize.exact_maps import OtherExtractor, TwoMaps, build, config_of
from tests.localize.localizers import make_localizer


@pytest.fixture(scope="package")
def mapped() -> Iterator[tuple[ExactScene, Map]]:
    """The exact scene and its map; stand-in networks are registered meanwhile."""
    with mapped_scene() as scene_and_map:
        yield scene_and_map


@pytest.fixture(scope="package")
def scene(mapped: tuple[ExactScene, Map]) -> ExactScene:
    """Scene whose images and projections are known exactly."""
    return mapped[0]


@pytest.fixture(scope="package")
def sfm_map(mapped: tuple[ExactScene, Map]) -> Map:
    """Map of six images of ``scene``."""
    return mapped[1]


@pytest.fixture(scope="package")
def localizer(sfm_map: Map) -> Localizer:
    """Localizer in ``sfm_map``, with the map's config."""
    return make_localizer(sfm_map)


@pytest.fixture(scope="package")
def built_two_maps(scene: ExactScene, sfm_map: Map) -> Iterator[TwoMaps]:
    """``sfm_map``, and a map of the same images with other features."""
    more = make_scene(num_points=200, seed=1)
    second = replace(scene, points=more.points, descriptors=more.descriptors)
    extractor = OtherExtractor(second)
    with registry.register("features", "other", extractor):
        maps = {"exact": sfm_map, "other": build(second, config_of("other"))}
        yield TwoMaps({"exact": scene, "other": second}, maps, extractor)


@pytest.fixture
def two_maps(built_two_maps: TwoMaps) -> Iterator[TwoMaps]:
    """``built_two_maps``; features that a test gives its extractor are taken back."""
    yield built_two_maps
    built_two_maps.other.answer = None
