"""Fixtures of the localization tests: the exact scene and a map of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from hloc_lite.maps.map import Map
from tests.exact_scene import ExactScene, mapped_scene


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
