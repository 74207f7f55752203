"""A matcher that takes photos builds a map: pairs come before features, keypoints are its own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import cv2
import numpy as np
import pytest

from hloc_lite import Localizer, Map, build_map, load_config
from hloc_lite.errors import ConfigError
from hloc_lite.mapping.run import MapInputs
from hloc_lite.registry import register
from hloc_lite.scene import SfmImage, SfmModel
from hloc_lite.types import Camera, PairMatches, Photo, Rigid3
from tests.exact_scene import NoWeights

SIZE = (320, 240)
FOCAL_PX = 300.0
CAMERA = Camera("PINHOLE", *SIZE, np.array([FOCAL_PX, FOCAL_PX, SIZE[0] / 2, SIZE[1] / 2]))
DISTANCE, SIDE = 5.0, 8.0
"""Distance of a textured wall from the cameras, and its side, map units."""


class OrbPairMatcher:
    """ORB keypoints of both photos, matched by mutual nearest neighbours."""

    matched: ClassVar[list[tuple[str, str]]] = []

    def __init__(self, name: str, config: object, runtime: object) -> None:
        self._orb = cv2.ORB_create(nfeatures=800)
        self._matcher = cv2.BFMatcher(cv2.NORM_HAMMING, crossCheck=True)

    def match_photos(self, pairs: Sequence[tuple[Photo, Photo]]) -> list[PairMatches]:
        return [self._match(first, second) for first, second in pairs]

    def _match(self, first: Photo, second: Photo) -> PairMatches:
        self.matched.append((first.name, second.name))
        (points0, rows0), (points1, rows1) = (self._describe(photo) for photo in (first, second))
        found = self._matcher.match(rows0, rows1) if len(rows0) and len(rows1) else ()
        return PairMatches(
            points0[[each.queryIdx for each in found]].reshape(-1, 2),
            points1[[each.trainIdx for each in found]].reshape(-1, 2),
            np.array([1 / (1 + each.distance / 16) for each in found], np.float32),
            (first.width, first.height),
            (second.width, second.height),
        )

    def _describe(self, photo: Photo) -> tuple[np.ndarray, np.ndarray]:
        keypoints, rows = self._orb.detectAndCompute(
            cv2.cvtColor(photo.pixels, cv2.COLOR_RGB2GRAY), None
        )
        points = np.array([each.pt for each in keypoints], np.float32).reshape(-1, 2)
        return points + 0.5, np.zeros((0, 32), np.uint8) if rows is None else rows


def wall_texture() -> np.ndarray:
    rng = np.random.default_rng(7)
    coarse = rng.integers(0, 256, (40, 40, 3), np.uint8)
    fine = rng.integers(0, 256, (160, 160, 3), np.uint8)
    large = cv2.resize(coarse, (960, 960), interpolation=cv2.INTER_CUBIC).astype(np.float32)
    small = cv2.resize(fine, (960, 960), interpolation=cv2.INTER_CUBIC).astype(np.float32)
    return np.clip(0.6 * large + 0.4 * small, 0, 255).astype(np.uint8)


def photo_of_the_wall(texture: np.ndarray, pose: Rigid3) -> np.ndarray:
    """Exact image of a wall at z = DISTANCE, by its homography."""
    side = texture.shape[0]
    scale = SIDE / side
    world_from_texel = np.array(
        [[scale, 0, -SIDE / 2], [0, scale, -SIDE / 2], [0, 0, DISTANCE], [0, 0, 1]]
    )[:, [0, 1, 2]]
    intrinsics = np.array([[FOCAL_PX, 0, SIZE[0] / 2], [0, FOCAL_PX, SIZE[1] / 2], [0, 0, 1.0]])
    cam_from_world = np.column_stack([pose.rotation, pose.translation])
    corner = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1.0]])  # OpenCV's pixels are centred on 0
    homography = np.linalg.inv(corner) @ intrinsics @ cam_from_world @ world_from_texel @ corner
    return cv2.warpPerspective(texture, homography, SIZE, flags=cv2.INTER_AREA)


@pytest.fixture(scope="module")
def photos() -> tuple[dict[str, np.ndarray], SfmModel]:
    texture, images, shots = wall_texture(), [], {}
    for index, (x, y) in enumerate([(-0.8, 0), (-0.3, 0.3), (0.2, -0.2), (0.7, 0.1), (0.1, 0.5)]):
        rotation, _ = cv2.Rodrigues(np.array([0.03 * y, -0.06 * x, 0.02 * index]))
        pose = Rigid3(rotation, -rotation @ np.array([x, y, 0.0]))
        name = f"{index}.png"
        shots[name] = photo_of_the_wall(texture, pose)
        none = np.zeros(0, np.int64)
        images.append(SfmImage(index + 1, name, 1, pose, np.zeros((0, 2)), none))
    no_points = np.zeros((0, 3))
    model = SfmModel(
        {1: CAMERA}, tuple(images), np.zeros(0, np.int64), no_points, no_points, np.zeros(0)
    )
    return shots, model


def config_with(matcher: str, pairs: str = "exhaustive"):
    settings = {
        "pairs": {"spec": pairs},
        "matching": {"name": matcher},
        "features": {"name": "rootsift"},
        "retrieval": {"name": "counting"},
    }
    return load_config(overrides=settings)


class Counting:
    """Global descriptor that needs no weights: mean colours of a grid."""

    def __init__(self, name: str, config: object, runtime: object) -> None:
        pass

    def fit(self, photos: Sequence[Photo]) -> None:
        pass

    def state(self) -> dict[str, np.ndarray]:
        return {}

    def load_state(self, state: object) -> None:
        pass

    def describe(self, photos: Sequence[Photo]) -> np.ndarray:
        small = [cv2.resize(photo.pixels, (4, 4)).ravel() + 1.0 for photo in photos]
        rows = np.array(small, np.float32)
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.fixture
def names():
    OrbPairMatcher.matched.clear()
    with (
        register("matchers", "orb-pairs", OrbPairMatcher),
        register("global_descriptors", "counting", Counting),
    ):
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


def test_queries_cannot_be_matched_with_such_a_map_and_are_told(names, photos) -> None:
    shots, reference = photos
    built = build_map(
        shots, config_with("orb-pairs"), inputs=MapInputs(reference=reference), weights=NoWeights()
    )
    with pytest.raises(ConfigError, match="takes photos"):
        Localizer(built, weights=NoWeights())
