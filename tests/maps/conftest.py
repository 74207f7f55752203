"""Map of the exact scene, built once for all tests of maps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from hloc_lite.consistency.landmark_labels import LandmarkLabels
from hloc_lite.maps.map import Map
from tests.exact_scene import ExactScene, mapped_scene


@pytest.fixture(scope="package")
def exact_map() -> Iterator[tuple[ExactScene, Map]]:
    """Scene, and a full map of some of its images, in memory."""
    with mapped_scene() as built:
        yield built


@pytest.fixture(scope="package")
def labelled_map(exact_map: tuple[ExactScene, Map]) -> Map:
    """Map of ``exact_map`` with random labels."""
    rng = np.random.default_rng(0)
    num_points = exact_map[1].model.num_points
    labels = LandmarkLabels(rng.integers(0, 19, num_points), rng.random(num_points))
    return replace(exact_map[1], landmark_labels=labels)
