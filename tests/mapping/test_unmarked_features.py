"""Burned-in marks in photos of a map: their features are not matched, and not in the map."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from hloc_lite.config import Config
from hloc_lite.mapping.build import build_map
from hloc_lite.mapping.run import MapInputs
from hloc_lite.maps.map import Map
from hloc_lite.types import LocalFeatures
from tests.exact_scene import DIM, ExactScene, NoWeights, make_scene, use_scene

NAMES = {f"{index}.png": index for index in range(10)}
STAMP = np.stack([np.linspace(10, 130, 40), np.full(40, 232.0)], axis=1).astype(np.float32)


@dataclass(frozen=True, eq=False)
class StampedScene(ExactScene):
    """Scene whose photos carry a time stamp."""

    def features(self, index: int, max_keypoints: int) -> LocalFeatures:
        own = super().features(index, max_keypoints)
        looks = np.random.default_rng(5).normal(size=(len(STAMP), DIM))
        looks /= np.linalg.norm(looks, axis=1, keepdims=True)
        return replace(
            own,
            keypoints=np.concatenate([STAMP, own.keypoints]),
            descriptors=np.concatenate([looks.astype(np.float32), own.descriptors]),
            scores=np.concatenate([np.ones(len(STAMP), np.float32), own.scores]),
        )


@pytest.fixture
def stamped(monkeypatch: pytest.MonkeyPatch) -> tuple[StampedScene, Config]:
    """Scene with a time stamp, and a config that uses its stand-ins."""
    scene = StampedScene(**vars(make_scene()))
    return scene, use_scene(monkeypatch, scene)


def build(scene: StampedScene, config: Config, **options) -> Map:
    images = {name: scene.image(index) for name, index in NAMES.items()}
    inputs = MapInputs(reference=scene.reference(NAMES))
    return build_map(images, config, inputs=inputs, weights=NoWeights(), **options)


def num_in_stamp(sfm_map: Map) -> int:
    return sum(
        int((np.abs(sfm_map.features[name].keypoints[:, 1] - STAMP[0, 1]) < 0.01).sum())
        for name in NAMES
    )


def test_a_map_has_no_features_of_a_time_stamp(stamped, caplog) -> None:
    scene, config = stamped
    with caplog.at_level(logging.WARNING):
        built = build(scene, config)
    assert num_in_stamp(built) == 0
    assert "stay at one pixel while the picture changes" in caplog.text
    assert all(entry["burned_in"] >= 40 for entry in built.report["images"].values())
    nearest = np.linalg.norm(built.model.xyz[:, None] - scene.points, axis=2).min(axis=1)
    assert built.model.num_points > 200 and nearest.max() < 1e-3
    for image in built.model.images:  # the rows of the model are those of the features
        assert len(image.point3D_idxs) == len(built.features[image.name])


def test_photos_without_marks_lose_nothing(exact_scene) -> None:
    scene, config = exact_scene
    built = build(scene, config)
    for name, index in NAMES.items():
        expected = scene.features(index, config.features.max_keypoints)
        assert len(built.features[name]) == len(expected)
    assert not any("burned_in" in entry for entry in built.report["images"].values())


def test_matches_found_with_other_rows_are_not_resumed(stamped, tmp_path: Path) -> None:
    scene, config = stamped
    off = config.burned_in.model_copy(update={"enabled": False})
    all_features = config.model_copy(update={"burned_in": off})
    kept = {"output": tmp_path / "map", "keep_work": True, "overwrite": True}
    assert num_in_stamp(build(scene, all_features, **kept)) == len(NAMES) * len(STAMP)
    resumed, fresh = build(scene, config, **kept), build(scene, config)
    assert num_in_stamp(resumed) == 0
    assert np.allclose(np.sort(resumed.model.xyz, axis=0), np.sort(fresh.model.xyz, axis=0))
