"""Evidence from landmarks in view: none against the right pose, much against a wrong one."""

from __future__ import annotations

import math

import numpy as np
import pytest

from hloc_lite.config import VisibilityConfig
from hloc_lite.localize.correspondences import NearestMatches
from hloc_lite.localize.landmark_check import LandmarkCheck, keypoint_growth
from hloc_lite.maps.map import Map
from hloc_lite.maps.track_lifter import TrackLifter
from hloc_lite.types import NO_POINT, PoseEstimate, RetrievalHits


@pytest.fixture
def evidence(sfm_map: Map) -> LandmarkCheck:
    return LandmarkCheck(TrackLifter(sfm_map.model), sfm_map.model, sfm_map.config)


def hits(sfm_map: Map) -> RetrievalHits:
    names = tuple(image.name for image in sfm_map.model.images)
    return RetrievalHits(names, np.ones(len(names), np.float32))


def observed(sfm_map: Map, shuffle_share: float = 0.0) -> tuple[PoseEstimate, NearestMatches]:
    """Pose of the first image and its matches with its landmarks, some of them with wrong ones."""
    image = sfm_map.model.images[0]
    rows = np.flatnonzero(image.point3D_idxs != NO_POINT)
    assert image.keypoints is not None
    points, pixels = image.point3D_idxs[rows].copy(), image.keypoints[rows]
    wrong = np.arange(int(shuffle_share * len(rows)))
    points[wrong] = np.roll(points[wrong], len(wrong) // 2)
    scores = np.ones(len(rows), np.float32)
    matches = NearestMatches(pixels, points, sfm_map.model.xyz[points], scores)
    camera = sfm_map.model.cameras[image.camera_id]
    mask = np.ones(len(rows), bool)
    return PoseEstimate(image.cam_from_world, mask, 0, None, camera), matches


def test_a_right_pose_has_nothing_against_it(sfm_map: Map, evidence: LandmarkCheck) -> None:
    pose, matches = observed(sfm_map)
    assert evidence.features(pose, matches, hits(sfm_map)) == {"landmarks": 0.0}


def test_the_fewer_landmarks_agree_the_more_is_against_it(sfm_map, evidence) -> None:
    values = []
    for share in (0.7, 0.9, 1.0):
        pose, matches = observed(sfm_map, share)
        values.append(evidence.features(pose, matches, hits(sfm_map))["landmarks"])
    assert 0 > values[0] > values[1] > values[2]


def test_maps_with_few_agreeing_landmarks_lower_the_bar(sfm_map, evidence) -> None:
    pose, matches = observed(sfm_map, 0.9)
    lifter = TrackLifter(sfm_map.model)
    lower = LandmarkCheck(lifter, sfm_map.model, sfm_map.config, typical=-1.0)
    higher = LandmarkCheck(lifter, sfm_map.model, sfm_map.config, typical=1.0)
    value, low, high = (
        each.features(pose, matches, hits(sfm_map))["landmarks"]
        for each in (evidence, lower, higher)
    )
    assert low == pytest.approx(min(value + 1, 0)) and high == value


def test_errors_grow_where_few_landmarks_agree() -> None:
    config = VisibilityConfig(error_growth=2.0, error_growth_scale=0.3)
    assert keypoint_growth({"landmarks": 0.0}, config) == 1.0
    assert keypoint_growth({}, config) == keypoint_growth({"landmarks": np.nan}, config) == 1.0
    assert keypoint_growth({"landmarks": -0.3}, config) == pytest.approx(1 + 2 * (1 - 1 / np.e))
    assert keypoint_growth({"landmarks": -9.0}, config) == pytest.approx(3.0)


def test_without_nearest_neighbours_it_is_unknown(sfm_map, evidence) -> None:
    pose, _ = observed(sfm_map)
    none = NearestMatches(
        np.zeros((0, 2)), np.zeros(0, np.int64), np.zeros((0, 3)), np.zeros(0, np.float32)
    )
    assert math.isnan(evidence.features(pose, none, hits(sfm_map))["landmarks"])


def test_where_no_landmark_is_expected_nothing_is_known(sfm_map, evidence) -> None:
    pose, matches = observed(sfm_map, 1.0)
    no_hits = RetrievalHits((), np.zeros(0, np.float32))
    assert evidence.features(pose, matches, no_hits) == {"landmarks": 0.0}
