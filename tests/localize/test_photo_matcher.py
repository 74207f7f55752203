"""Queries in maps whose matcher takes photos: right poses, steps, rigs, and clear refusals."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from hloc_lite import Localizer, Map, build_map, load_config
from hloc_lite.clock import StageClock
from hloc_lite.errors import ConfigError, HlocLiteError
from hloc_lite.geometry.rotations import pose_errors
from hloc_lite.localize.calibration import calibrate_map
from hloc_lite.mapping.run import MapInputs
from hloc_lite.maps.compress import compress_map
from hloc_lite.types import Photo, Rig, RigCamera, Rigid3
from tests.exact_scene import NoWeights
from tests.photo_wall import (
    CAMERA,
    OrbPairMatcher,
    config_with,
    make_photos,
    photo_of_the_wall,
    registered,
    wall_texture,
)


@pytest.fixture(scope="module")
def registry() -> Iterator[None]:
    with registered():
        yield


@pytest.fixture(scope="module")
def folder(registry: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the photos and the map, made by a matcher of photos."""
    shots, reference = make_photos()
    folder = tmp_path_factory.mktemp("wall")
    (folder / "images").mkdir()
    for name, pixels in shots.items():
        Image.fromarray(pixels).save(folder / "images" / name)
    build_map(
        folder / "images", config_with("orb-pairs"), inputs=MapInputs(reference=reference),
        weights=NoWeights(), output=folder / "map",
    )  # fmt: skip
    return folder


@pytest.fixture(scope="module")
def query() -> tuple[np.ndarray, Rigid3]:
    rotation, _ = cv2.Rodrigues(np.array([0.01, 0.03, -0.02]))
    pose = Rigid3(rotation, -rotation @ np.array([0.4, 0.2, 0.0]))
    return photo_of_the_wall(wall_texture(), pose), pose


def localizer(folder: Path, *settings: str) -> Localizer:
    sfm_map = Map.open(folder / "map", trust=True)
    config = load_config(base=sfm_map.config, settings=settings)
    return Localizer(sfm_map, config, weights=NoWeights())


@pytest.mark.parametrize("matching", ["images", "cascade", "landmarks"])
def test_a_query_gets_its_pose_whatever_the_matching(folder: Path, query, matching: str) -> None:
    pixels, pose = query
    result = localizer(folder, f"localize.matching={matching}").localize(pixels, CAMERA)
    assert result.pose is not None, result.reason
    distance, angle_deg = pose_errors(result.pose.cam_from_world, pose)
    assert distance < 0.03 and angle_deg < 0.3
    assert result.counts["keypoints"] == len(result.features) > 100
    idxs = result.correspondences.keypoint_idxs
    np.testing.assert_allclose(
        result.correspondences.points2D, result.features.keypoints[idxs], atol=1e-3
    )


def test_a_keypoint_has_the_matches_of_several_images(folder: Path, query) -> None:
    pipeline = localizer(folder, "localize.matching=images").pipeline
    described, hits = pipeline.describe(Photo("query", query[0]), CAMERA)
    assert len(described.features[0]) == 0, "keypoints are found by matching"
    (found,) = pipeline.match(described, hits, StageClock())
    num_matches = sum(len(each.matches) for each in found.by_image.values())
    assert len(found.by_image) == 5
    assert num_matches > 1.2 * len(found.features), "keypoints of different pairs are merged"


def test_steps_stop_when_the_pose_is_sure(folder: Path, query) -> None:
    OrbPairMatcher.matched.clear()
    settings = (
        "localize.matching=cascade",
        "cascade.images_per_step=1",
        "confidence.enabled=false",
    )
    localizer(folder, *settings).localize(query[0], CAMERA)
    assert len(OrbPairMatcher.matched) == 1
    assert OrbPairMatcher.matched[0][1] == "query", "the map photo is the first of the pair"


def test_a_blank_query_fails_with_a_reason(folder: Path) -> None:
    blank = np.full((240, 320, 3), 128, np.uint8)
    result = localizer(folder).localize(blank, CAMERA)
    assert result.pose is None and result.reason


def test_a_rig_is_localized(folder: Path, query) -> None:
    rig = Rig((RigCamera(CAMERA, Rigid3.identity()),))
    result = localizer(folder).localize_rig([query[0]], rig)
    assert result.pose is not None, result.reason
    assert pose_errors(result.pose.rig_from_world, query[1])[0] < 0.03


def test_map_photos_that_are_gone_are_named(folder: Path, tmp_path: Path, query, caplog) -> None:
    sfm_map = Map.open(folder / "map", trust=True)
    with pytest.raises(ConfigError, match="photos of the map are not at hand"):
        Localizer(replace(sfm_map, photos=None), weights=NoWeights())
    moved = tmp_path / "wall"
    shutil.copytree(folder / "images", moved)
    (moved / "1.png").write_bytes(b"no photo")
    photos = replace(sfm_map.photos, root=moved)
    every = load_config(base=sfm_map.config, settings=["localize.matching=images"])
    found = Localizer(replace(sfm_map, photos=photos), every, weights=NoWeights())
    assert found.localize(query[0], CAMERA).pose is not None
    assert "'1.png' is not matched" in caplog.text


def test_other_matchers_and_the_self_test_are_refused(folder: Path) -> None:
    with pytest.raises(ConfigError, match=r"Localize with matching\.name=orb-pairs"):
        localizer(folder, "matching.name=mutual-nn")
    sfm_map = Map.open(folder / "map", trust=True)
    with pytest.raises(ConfigError, match="made by a matcher of photos"):
        calibrate_map(sfm_map, weights=NoWeights())
    with pytest.raises(ConfigError, match="cannot be combined with other maps"):
        Localizer(sfm_map, extra_maps=[_as_other(sfm_map)], weights=NoWeights())


def test_it_cannot_be_made_compact(folder: Path, tmp_path: Path) -> None:
    sfm_map = Map.open(folder / "map", trust=True)
    with pytest.raises(HlocLiteError, match="no descriptors"):
        compress_map(sfm_map, tmp_path / "compact")


def test_a_photo_on_its_side_is_matched_turned(folder: Path, query) -> None:
    made = localizer(folder, "localize.matching=images")
    photo = Photo("side", np.ascontiguousarray(np.rot90(query[0])))
    width, height = CAMERA.height, CAMERA.width
    fx, fy, cx, cy = CAMERA.params
    camera = replace(CAMERA, width=width, height=height, params=np.array([fy, fx, cy, cx]))
    described, hits = made.pipeline.describe(photo, camera)
    turned = replace(described, quarter_turns=3)
    result = made.pipeline.localize(turned, hits, "side", StageClock())
    assert result.pose is not None, result.reason
    assert pose_errors(result.pose.cam_from_world, query[1])[0] < 0.03


def _as_other(sfm_map: Map) -> Map:
    features = sfm_map.config.features.model_copy(update={"name": "aliked-n16"})
    return replace(sfm_map, config=sfm_map.config.model_copy(update={"features": features}))
