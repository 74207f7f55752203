"""A matcher that takes photos builds a map: pairs come before features, keypoints are its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from hloc_lite import Map, build_map
from hloc_lite.mapping.run import MapInputs
from hloc_lite.scene import SfmModel
from tests.exact_scene import NoWeights
from tests.photo_wall import DISTANCE, OrbPairMatcher, config_with, make_photos, registered


@pytest.fixture(scope="module")
def photos() -> tuple[dict[str, np.ndarray], SfmModel]:
    return make_photos()


@pytest.fixture
def names() -> Iterator[None]:
    with registered():
        yield


def test_photos_are_matched_before_there_are_features(names, photos, tmp_path: Path) -> None:
    shots, reference = photos
    built = build_map(
        shots,
        config_with("orb-pairs"),
        inputs=MapInputs(reference=reference),
        output=tmp_path / "map",
        weights=NoWeights(),
    )
    assert len(built.model.images) == 5
    assert built.model.num_points > 200
    distances = np.abs(built.model.xyz[:, 2] - DISTANCE)
    assert np.median(distances) < 0.03  # 0.6 % of the distance: half a pixel at these baselines
    features = built.features["0.png"]
    assert len(features) > 100 and features.descriptors.shape[1] == 0
    assert built.report["pairs_by_matcher"] == {"orb-pairs": 10}
    assert Map.open(tmp_path / "map").model.num_points == built.model.num_points


def test_keypoints_are_shared_by_the_pairs_of_an_image(names, photos) -> None:
    shots, reference = photos
    config = config_with("orb-pairs")
    built = build_map(shots, config, inputs=MapInputs(reference=reference), weights=NoWeights())
    lengths = np.zeros(built.model.num_points, int)
    for image in built.model.images:
        lengths[image.point3D_idxs[image.point3D_idxs >= 0]] += 1
    assert (lengths >= 3).mean() > 0.3


def test_a_killed_run_matches_only_what_is_missing(names, photos, tmp_path: Path) -> None:
    shots, reference = photos
    inputs, config = MapInputs(reference=reference), config_with("orb-pairs")
    arguments = {"inputs": inputs, "output": tmp_path / "map", "weights": NoWeights()}
    first = build_map(shots, config, keep_work=True, **arguments)
    num_matched = len(OrbPairMatcher.matched)
    (tmp_path / "map" / "map.json").unlink()
    second = build_map(shots, config, keep_work=True, **arguments)
    assert num_matched == len(OrbPairMatcher.matched) == 10
    assert np.array_equal(first.model.xyz, second.model.xyz)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (("orb-pairs", "sequential:1"), ("orb-pairs", "exhaustive")),
        (("orb-pairs", "exhaustive"), ("mutual-nn", "exhaustive")),
        (("mutual-nn", "exhaustive"), ("orb-pairs", "exhaustive")),
    ],
)
def test_results_of_other_pairs_or_matchers_are_not_reused(
    names, photos, tmp_path: Path, before, after
) -> None:
    shots, reference = photos
    inputs = MapInputs(reference=reference)
    arguments = {"inputs": inputs, "weights": NoWeights(), "output": tmp_path / "map"}
    build_map(shots, config_with(*before), keep_work=True, **arguments)
    again = build_map(shots, config_with(*after), overwrite=True, **arguments)
    fresh = build_map(shots, config_with(*after), inputs=inputs, weights=NoWeights())
    assert np.array_equal(again.model.xyz, fresh.model.xyz)
    for name in shots:
        assert np.array_equal(again.features[name].keypoints, fresh.features[name].keypoints)
        assert again.features[name].descriptors.shape == fresh.features[name].descriptors.shape
