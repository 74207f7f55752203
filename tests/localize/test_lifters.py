"""Points that come from depth maps instead of SfM tracks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hloc_lite import registry
from hloc_lite.config import load_config
from hloc_lite.consistency.depth_maps import depths_at
from hloc_lite.errors import ConfigError
from hloc_lite.geometry.cameras import bearings, img_from_cam
from hloc_lite.geometry.rotations import pose_errors
from hloc_lite.localize.localizer import Localizer
from hloc_lite.maps.map import Map
from hloc_lite.scene import SfmModel
from hloc_lite.types import NO_POINT, DepthMap, Float64, Int64, Rig, RigCamera, Status
from tests.exact_scene import MAP_NAMES, SIZE, ExactScene, NoWeights
from tests.localize.exact_maps import BUILDING, QUERY, build_on_disk, write_labels

DEPTH_SCALE = 8
"""Depth pixels per image pixel, so that few points share one."""


def exact_depth_map(scene: ExactScene, index: int) -> DepthMap:
    """Depth map of an image of the scene: the depth of each point around its projection."""
    width, height = DEPTH_SCALE * SIZE[0], DEPTH_SCALE * SIZE[1]
    depths = np.full((height, width), np.nan, np.float32)
    in_cam = scene.poses[index].apply(scene.points)
    xy = np.floor(DEPTH_SCALE * img_from_cam(scene.camera, in_cam))
    inside = ((xy >= 1) & (xy < (width - 1, height - 1))).all(axis=1)
    for x, y, z in zip(*xy[inside].astype(int).T, in_cam[inside, 2], strict=True):
        depths[y - 1 : y + 2, x - 1 : x + 2] = z
    return DepthMap(depths, SIZE)


class DepthLifter:
    """``Lifter`` of depth maps: each keypoint of a map image has a point of its own.

    Args:
        sfm_map: map whose images and poses are used, and none of its points.
        depth_maps: depth map of each image, by name.
    """

    def __init__(self, sfm_map: Map, depth_maps: dict[str, DepthMap]) -> None:
        self._points: dict[str, Int64] = {}
        parts, start = [np.zeros((0, 3))], 0
        for image in sfm_map.model.images:
            camera = sfm_map.model.cameras[image.camera_id]
            keypoints = sfm_map.features[image.name].keypoints.astype(np.float64)
            depths = depths_at(depth_maps[image.name], keypoints)
            known = np.isfinite(depths)
            rays = bearings(camera, keypoints[known])
            in_cam = rays * (depths[known] / rays[:, 2])[:, None]
            parts.append(image.cam_from_world.inverse().apply(in_cam))
            self._points[image.name] = np.full(len(keypoints), NO_POINT, np.int64)
            self._points[image.name][known] = start + np.arange(known.sum())
            start += int(known.sum())
        self._xyz = np.concatenate(parts)

    @property
    def num_points(self) -> int:
        return len(self._xyz)

    @property
    def image_names(self) -> frozenset[str]:
        return frozenset(self._points)

    def points_of(self, image_name: str) -> Int64:
        return self._points[image_name]

    def xyz_of(self, point3D_idxs: Int64) -> Float64:
        return self._xyz[point3D_idxs]

    def track_lengths_of(self, point3D_idxs: Int64) -> Int64:
        return np.ones(len(point3D_idxs), np.int64)

    def errors_px_of(self, point3D_idxs: Int64) -> Float64:
        return np.full(len(point3D_idxs), np.nan)


def without_points(sfm_map: Map) -> Map:
    """The map without SfM points, tracks and landmark descriptors: images and poses only."""
    model = sfm_map.model
    images = tuple(
        replace(image, point3D_idxs=np.full_like(image.point3D_idxs, NO_POINT))
        for image in model.images
    )
    none = np.zeros(0)
    bare = SfmModel(model.cameras, images, none, np.zeros((0, 3)), np.zeros((0, 3)), none)
    return replace(sfm_map, model=bare, landmark_descriptors=None)


@pytest.fixture(scope="module")
def posed_images(sfm_map: Map) -> Map:
    return without_points(sfm_map)


@pytest.fixture(scope="module")
def lifter(scene: ExactScene) -> Iterator[str]:
    """Registry name of the lifter."""
    depth_maps = {name: exact_depth_map(scene, index) for name, index in MAP_NAMES.items()}

    def make(name: str, sfm_map: Map, runtime: object) -> DepthLifter:
        return DepthLifter(sfm_map, depth_maps)

    with registry.register("lifters", "exact-depth", make):
        yield "exact-depth"


@pytest.mark.parametrize("matching", ["cascade", "landmarks", "images"])
def test_a_query_is_localized_by_points_from_depth_maps(
    scene: ExactScene, posed_images: Map, lifter: str, matching: str
) -> None:
    config = load_config(base=posed_images.config, settings=[f"localize.matching={matching}"])
    localizer = Localizer(posed_images, config, weights=NoWeights(), lifter=lifter)
    result = localizer.localize(scene.image(QUERY), scene.camera)
    assert result.status is Status.LOCALIZED, result.reason
    distance, angle_deg = pose_errors(result.pose.cam_from_world, scene.poses[QUERY])
    assert distance < 1e-4 and angle_deg < 1e-3
    assert result.counts["inliers"] > 0.9 * result.counts["correspondences"] > 100


def test_each_image_has_points_of_its_own_and_they_agree(
    scene: ExactScene, posed_images: Map, lifter: str
) -> None:
    """No two images share a point, so each is a cluster; their hypotheses are joined."""
    config = load_config(base=posed_images.config, settings=["localize.matching=images"])
    localizer = Localizer(posed_images, config, weights=NoWeights(), lifter=lifter)
    result = localizer.localize(scene.image(QUERY), scene.camera)
    assert result.counts["clusters"] == len(MAP_NAMES)
    assert result.counts["agreeing_clusters"] == config.localize.max_clusters


def test_without_the_lifter_the_same_map_has_nothing_to_match(
    scene: ExactScene, posed_images: Map
) -> None:
    localizer = Localizer(posed_images, weights=NoWeights())
    result = localizer.localize(scene.image(QUERY), scene.camera)
    assert result.status is Status.NO_RETRIEVAL


def test_a_rig_is_localized_by_points_from_depth_maps(
    scene: ExactScene, posed_images: Map, lifter: str
) -> None:
    localizer = Localizer(posed_images, weights=NoWeights(), lifter=lifter)
    world_from_rig = scene.poses[3].inverse()
    indices = (3, 5, 7)
    cameras = (scene.poses[index].compose(world_from_rig) for index in indices)
    rig = Rig(tuple(RigCamera(scene.camera, cam_from_rig) for cam_from_rig in cameras))
    result = localizer.localize_rig([scene.image(index) for index in indices], rig)
    assert result.status is Status.LOCALIZED
    assert pose_errors(result.pose.rig_from_world, scene.poses[3])[0] < 1e-4


def test_points_of_another_lifter_do_not_take_the_descriptors_of_the_tracks(
    scene: ExactScene, sfm_map: Map, lifter: str
) -> None:
    """The map has SfM points too; their descriptors are of other points."""
    localizer = Localizer(sfm_map, weights=NoWeights(), lifter=lifter)
    (matcher,) = localizer.pipeline.matchers
    assert matcher.landmark_descriptors.num_landmarks == matcher.lifter.num_points
    assert matcher.lifter.num_points > sfm_map.model.num_points
    result = localizer.localize(scene.image(QUERY), scene.camera)
    assert pose_errors(result.pose.cam_from_world, scene.poses[QUERY])[0] < 1e-4


def test_labels_of_the_tracks_are_refused_for_other_points(
    scene: ExactScene, lifter: str, tmp_path: Path
) -> None:
    write_labels(tmp_path / "labels", [*MAP_NAMES], BUILDING)
    labelled = build_on_disk(
        scene, tmp_path / "map", f"semantics.source=files:{tmp_path / 'labels'}"
    )
    with pytest.raises(ConfigError, match=r"labels of a map belong to .* SfM tracks.*none"):
        Localizer(labelled, weights=NoWeights(), lifter=lifter)
    config = load_config(base=labelled.config, settings=["semantics.source=none"])
    localizer = Localizer(labelled, config, weights=NoWeights(), lifter=lifter)
    assert localizer.localize(scene.image(QUERY), scene.camera).status is Status.LOCALIZED
