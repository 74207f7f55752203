"""Semantic labels in queries of several maps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hloc_lite.errors import ConfigError
from hloc_lite.maps.map import Map
from hloc_lite.types import LabelMap, Photo
from tests.exact_scene import MAP_NAMES
from tests.localize.exact_maps import (
    BUILDING,
    VEGETATION,
    TwoMaps,
    build,
    config_of,
    write_labels,
)
from tests.localize.localizers import make_localizer, query_models


@pytest.fixture
def labelled_maps(two_maps: TwoMaps, tmp_path: Path) -> list[Map]:
    """Both maps with labels; all photos, the query's too, show buildings."""
    labels = tmp_path / "labels"
    write_labels(labels, [*MAP_NAMES, "query.png"], BUILDING)
    source = f"semantics.source=files:{labels}"
    return [build(two_maps.scenes[name], config_of(name, source)) for name in two_maps.maps]


class CountingSegmenter:
    """Segmenter that records the photos it is given."""

    def __init__(self, segmenter: Any) -> None:
        self._segmenter = segmenter
        self.photos: list[Photo] = []

    def segment(self, photos: Sequence[Photo]) -> Sequence[LabelMap | None]:
        self.photos += photos
        return self._segmenter.segment(photos)


def test_each_photo_is_segmented_once(two_maps: TwoMaps, labelled_maps: list[Map]) -> None:
    first, other = labelled_maps
    segmenter = CountingSegmenter(query_models(first.config).segmenter)
    settings = ("cascade.accept_above=1", "cascade.num_initial_images=2")  # several steps
    localizer = make_localizer(first, *settings, extra_maps=[other], segmenter=segmenter)
    result = localizer.localize(two_maps.photo, two_maps.camera)
    assert len(segmenter.photos) == 1 and result.pose is not None
    assert result.counts["images_matched"] == 2
    assert result.counts["semantics_touched"] == result.counts["matches"]
    with pytest.raises(ConfigError, match="'other' features: semantics"):
        make_localizer(first, extra_maps=[two_maps.maps["other"]])


def test_a_pose_of_any_map_is_verified_by_the_labels_of_all(
    two_maps: TwoMaps, labelled_maps: list[Map]
) -> None:
    first, other = labelled_maps
    vegetation = np.full_like(other.landmark_labels.labels, VEGETATION)
    mislabelled = replace(other, landmark_labels=replace(other.landmark_labels, labels=vegetation))
    agreement = {}
    for extra in (other, mislabelled):
        for is_blind in (False, True):
            answers = {"exact": two_maps.features("exact", slice(0, 0))} if is_blind else {}
            localizer = two_maps.localizer(answers, exact=first, other=extra)
            result = localizer.localize(two_maps.photo, two_maps.camera)
            assert result.pose is not None and result.confidence is not None
            assert (result.counts["exact_inliers"] == 0) == is_blind
            agreement[extra is other, is_blind] = result.grounds["labels"]
    assert agreement[True, False] == agreement[True, True] == 1
    assert agreement[False, False] < 1 and agreement[False, True] < 1
