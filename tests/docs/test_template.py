"""The template of CONTRIBUTING is a working extractor."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import pytest

from hloc_lite.config import FeaturesConfig, MatchingConfig
from hloc_lite.contracts import check_extractor
from hloc_lite.matching.nearest import NearestMatcher
from hloc_lite.registry import FEATURES, create, register
from hloc_lite.types import Photo

TEMPLATE = Path(__file__).parents[2] / "docs" / "templates" / "extractor_template.py"


@pytest.fixture(scope="module")
def extractor_class():
    return runpy.run_path(str(TEMPLATE))["HarrisExtractor"]


def test_it_keeps_the_contract(extractor_class, runtime) -> None:
    check_extractor(extractor_class("harris", FeaturesConfig(), runtime))


def test_it_can_be_registered_by_name(extractor_class, runtime) -> None:
    with register("features", "harris", extractor_class):
        made = create(FEATURES, "harris", FeaturesConfig(), runtime)
    assert isinstance(made, extractor_class)


def test_its_features_match_a_moved_photo(extractor_class, runtime) -> None:
    rng = np.random.default_rng(0)
    picture = np.kron(rng.integers(0, 256, (24, 32, 3)), np.ones((8, 8, 1))).astype(np.uint8)
    photos = [Photo("a", picture), Photo("b", picture[:, 16:].copy())]
    first, second = extractor_class("harris", FeaturesConfig(), runtime).extract(photos)
    (matches,) = NearestMatcher("mutual-nn", MatchingConfig(), runtime).match([(first, second)])
    moved = first.keypoints[matches.indices[:, 0]] - second.keypoints[matches.indices[:, 1]]
    assert len(matches) > 100
    assert np.mean(np.abs(moved - (16, 0)).max(axis=1) < 0.1) > 0.95
