"""``MapMatcher``: matches of a query with the landmarks of retrieved images."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from hloc_lite.maps.map import Map
from hloc_lite.types import NO_POINT, RetrievalHits
from tests.exact_scene import MAP_NAMES, ExactScene
from tests.localize.localizers import make_matcher


def test_landmark_matches_count_for_all_images_that_observe_them(
    scene: ExactScene, sfm_map: Map
) -> None:
    matcher = make_matcher(sfm_map, sfm_map.config)
    hits = RetrievalHits(tuple(MAP_NAMES), [1.0] * len(MAP_NAMES))
    found = matcher.match_landmarks(scene.features(3, 1000), hits)
    assert set(found.by_image) == set(MAP_NAMES)
    for name, each in found.by_image.items():
        image = sfm_map.model.image_named(name)
        own = image.point3D_idxs[image.point3D_idxs != NO_POINT]
        assert set(each.point3D_idxs[each.matches.indices[:, 1]]) <= set(own)
    by_point = {
        (int(k), int(each.point3D_idxs[i]))
        for each in found.by_image.values()
        for k, i in each.matches.indices
    }
    keypoints = [keypoint for keypoint, _ in by_point]
    assert len(set(keypoints)) == len(keypoints) > 100, "a keypoint matches one landmark only"


def test_only_keypoints_with_a_point_are_matched_and_keep_their_scales(sfm_map: Map) -> None:
    name, found = "map 0.png", sfm_map.features["map 0.png"]
    scaled = replace(found, scales=np.arange(len(found)))
    matcher = make_matcher(
        replace(sfm_map, features={**sfm_map.features, name: scaled}), sfm_map.config
    )
    features, points = matcher.image_features(name)
    with_point = np.flatnonzero(sfm_map.model.image_named(name).point3D_idxs != NO_POINT)
    assert features.scales.tolist() == with_point.tolist()
    assert len(features) == len(points) > 100 and (points != NO_POINT).all()
