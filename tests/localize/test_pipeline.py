"""``QueryPipeline``: status, reason and counts of a query."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hloc_lite.clock import StageClock
from hloc_lite.errors import ConfigError
from hloc_lite.geometry.rotations import pose_errors
from hloc_lite.maps.map import Map
from hloc_lite.types import Photo, Prior, Status
from tests.exact_scene import ExactScene
from tests.localize.localizers import (
    localizer_with,
    make_localizer,
    make_matcher,
    make_pipeline,
    run,
)


def test_a_photo_without_keypoints(scene: ExactScene, sfm_map: Map) -> None:
    localizer = localizer_with(sfm_map, scene.features(3, 1000).subset(np.arange(0)))
    result = localizer.localize(scene.image(3), scene.camera)
    assert result.status is Status.TOO_FEW_MATCHES and "no keypoints" in result.reason
    assert result.pose is None and result.fallback is None
    promised = localizer.localize(scene.image(3), scene.camera, max_wrong=0.1)
    assert promised.max_wrong == 0.1 and "10 %" in promised.promise
    assert promised.min_confidence is not None and result.promise == ""


@pytest.mark.parametrize("count", [1, 3, 4])
def test_too_few_matches(scene: ExactScene, sfm_map: Map, count: int) -> None:
    localizer = localizer_with(sfm_map, scene.features(3, 1000).subset(np.arange(count)))
    result = localizer.localize(scene.image(3), scene.camera)
    assert result.status is Status.TOO_FEW_MATCHES and result.pose is None
    assert "6 are needed" in result.reason


def test_random_matches_give_no_pose(scene: ExactScene, sfm_map: Map) -> None:
    features = scene.features(3, 1000)
    rng = np.random.default_rng(0)
    shuffled = replace(features, keypoints=rng.permutation(features.keypoints))
    localizer = localizer_with(sfm_map, shuffled)
    for camera in (scene.camera, None):
        result = localizer.localize(scene.image(3), camera)
        assert result.pose is None and result.counts["correspondences"] > 100
        if result.status is Status.DOUBTFUL:  # some agree by chance
            assert result.confidence is not None and result.confidence < 0.5
            assert "is correct with a probability of only" in result.reason
            assert result.ambiguity is not None and result.counts["inliers"] > 0
        else:
            assert result.status is Status.NO_POSE and "no pose agrees" in result.reason
            assert result.confidence is None and result.counts["inliers"] == 0


def test_without_confidence_every_pose_is_given(scene: ExactScene, sfm_map: Map) -> None:
    six = scene.features(3, 1000).subset(np.arange(6))
    localizer = localizer_with(sfm_map, six, "confidence.enabled=false")
    result = localizer.localize(scene.image(3), scene.camera)
    assert result.pose is not None and result.confidence is None and result.grounds == {}


def test_points_on_a_line_or_at_one_pixel_give_no_pose_or_a_finite_one(
    scene: ExactScene, sfm_map: Map
) -> None:
    features = scene.features(3, 1000)
    near = np.argsort(np.abs(features.keypoints[:, 1] - 120))[:40]
    on_a_line = features.keypoints.copy()
    on_a_line[:, 1] = 120
    for keypoints in (on_a_line, np.full_like(on_a_line, 99)):
        localizer = localizer_with(sfm_map, replace(features, keypoints=keypoints).subset(near))
        result = localizer.localize(scene.image(3), scene.camera)
        assert (result.status is Status.LOCALIZED) == (result.pose is not None)
        if result.pose is not None:
            assert np.isfinite(result.pose.cam_from_world.translation).all()


def test_each_pair_of_keypoint_and_point_counts_once(scene: ExactScene, sfm_map: Map) -> None:
    result = make_localizer(sfm_map).localize(scene.image(3), scene.camera)
    found = result.correspondences
    pairs = np.stack([found.keypoint_idxs, found.point3D_idxs], axis=1)
    assert len(np.unique(pairs, axis=0)) == len(pairs) == result.counts["correspondences"]
    assert result.counts["matches"] > 2 * len(pairs)  # several images observe each point


def test_repeated_keypoints_do_not_add_up_to_a_pose(scene: ExactScene, sfm_map: Map) -> None:
    five = scene.features(3, 1000).subset(np.repeat(np.arange(5), 10))
    result = localizer_with(sfm_map, five).localize(scene.image(3), scene.camera)
    assert result.pose is None


@pytest.mark.parametrize("matching", ["cascade", "landmarks", "images"])
def test_each_way_of_matching_finds_the_exact_pose(
    scene: ExactScene, sfm_map: Map, matching: str
) -> None:
    localizer = make_localizer(sfm_map, f"localize.matching={matching}")
    result = localizer.localize(scene.image(3), scene.camera)
    assert result.status is Status.LOCALIZED
    distance, angle_deg = pose_errors(result.pose.cam_from_world, scene.poses[3])
    assert distance < 1e-5 and angle_deg < 1e-4


def test_a_prior_narrows_retrieval_and_withholds_poses_that_contradict_it(
    scene: ExactScene, sfm_map: Map
) -> None:
    exact = make_localizer(sfm_map, "prior.margin_depths=0")
    true, east = scene.poses[3].center, np.array([1.0, 0, 0])
    near = exact.localize(scene.image(3), scene.camera, prior=Prior(true, 0.9))
    assert near.status is Status.LOCALIZED
    assert 0 < len(near.hits.names) < len(sfm_map.model.images)
    far = exact.localize(scene.image(3), scene.camera, prior=Prior(true + 99 * east, 1.0))
    assert far.status is Status.NO_RETRIEVAL and "expected position" in far.reason
    localizer = make_localizer(sfm_map)
    moved = localizer.localize(scene.image(3), scene.camera, prior=Prior(true + 0.5 * east, 0.1))
    assert moved.status is Status.DOUBTFUL and moved.pose is None
    assert "expected within 0.1" in moved.reason
    down = Prior(gravity_in_cam=np.array([1.0, 0, 0]), gravity_in_world=np.array([0.0, 1, 0]))
    tilted = localizer.localize(scene.image(3), scene.camera, prior=down)
    assert tilted.status is Status.DOUBTFUL and "gravity" in tilted.reason
    with pytest.raises(ConfigError, match="expected a Prior"):
        localizer.localize(scene.image(3), scene.camera, prior=(0, 0, 0, 1))


def test_without_retrieved_images_nothing_is_matched(scene: ExactScene, sfm_map: Map) -> None:
    matcher = make_matcher(sfm_map, sfm_map.config)
    pipeline = make_pipeline(sfm_map, "prior.margin_depths=0", matcher=matcher)
    nowhere = Prior(np.full(3, 99.0), 1.0)
    result = run(pipeline, scene.image(3), scene.camera, prior=nowhere)
    assert result.status is Status.NO_RETRIEVAL and result.hits.names == ()
    assert result.counts == {
        "keypoints": len(scene.features(3, 1000)),
        "retrieved": 0,
        "images_matched": 0,
    }
    assert matcher.num_images == 0 and result.features is not None


@pytest.mark.parametrize(
    ("settings", "num_images"),
    [
        ((), 2),  # its probability of 0 is below reject_below
        (("cascade.reject_below=0",), 6),
        (("confidence.enabled=false",), 6),
    ],
)
def test_a_pose_that_contradicts_the_prior_has_probability_zero(
    scene: ExactScene, sfm_map: Map, settings: tuple[str, ...], num_images: int
) -> None:
    beside = Prior(scene.poses[3].center + np.array([0.5, 0, 0]), 0.1)
    localizer = make_localizer(sfm_map, *settings)
    result = localizer.localize(scene.image(3), scene.camera, prior=beside)
    assert result.status is Status.DOUBTFUL and result.pose is None
    assert result.confidence == 0.0
    assert result.reason.startswith("the pose lies 0.5 map units from the expected position")
    assert result.reason.endswith("correspondences agree")
    assert result.counts["inliers"] > 100
    assert result.counts["images_matched"] == num_images
    assert bool(result.grounds) == ("confidence.enabled=false" not in settings)


def test_a_pose_that_is_not_confident_keeps_its_own_reason(scene: ExactScene, sfm_map: Map) -> None:
    """It is withheld in any case, so the prior is not compared."""
    beside = Prior(scene.poses[3].center + np.array([0.5, 0, 0]), 0.1)
    localizer = make_localizer(sfm_map, "confidence.min_confidence=1")
    result = localizer.localize(scene.image(3), scene.camera, prior=beside)
    assert result.status is Status.DOUBTFUL and result.confidence > 0.9
    assert "1 is required" in result.reason and "expected position" not in result.reason


def test_a_query_described_elsewhere_is_localized_like_its_photo(
    scene: ExactScene, sfm_map: Map
) -> None:
    """Only the size of the photo is read once features and retrieved images are known."""
    pipeline = make_localizer(sfm_map).pipeline
    photo = Photo("query", scene.image(3))
    query, hits = pipeline.describe(photo, scene.camera)
    black = replace(query, photo=Photo("query", np.zeros_like(photo.pixels)))
    found = [
        pipeline.localize(each, hits, "query", StageClock()).pose.cam_from_world
        for each in (query, black)
    ]
    assert np.array_equal(found[0].translation, found[1].translation)
    assert pose_errors(found[0], scene.poses[3])[0] < 1e-5
