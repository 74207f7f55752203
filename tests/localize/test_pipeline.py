"""``QueryPipeline``: status and counts of a query, and when matching stops."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
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
    query_config,
    run,
    take,
)

FOUR_STEPS = (
    "confidence.min_confidence=1",
    "cascade.accept_above=1",
    "cascade.reject_below=0",
    "cascade.num_initial_images=2",
    "cascade.images_per_step=2",
    "cascade.max_images=3",
)
"""Settings that take all steps: landmarks of 2 images, of all 6, then 2 images, then 1."""
NEVER_ACCEPT = ("confidence.min_confidence=1", "cascade.accept_above=1")
"""Settings under which no pose is sure enough."""


def test_a_photo_without_keypoints(scene: ExactScene, sfm_map: Map) -> None:
    localizer = localizer_with(sfm_map, take(scene.features(3, 1000), np.arange(0)))
    result = localizer.localize(scene.image(3), scene.camera)
    assert result.status is Status.TOO_FEW_MATCHES and "no keypoints" in result.reason
    assert result.pose is None and result.fallback is None


@pytest.mark.parametrize("count", [1, 3, 4])
def test_too_few_matches(scene: ExactScene, sfm_map: Map, count: int) -> None:
    localizer = localizer_with(sfm_map, take(scene.features(3, 1000), np.arange(count)))
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
    six = take(scene.features(3, 1000), np.arange(6))
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
        localizer = localizer_with(sfm_map, take(replace(features, keypoints=keypoints), near))
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
    five = take(scene.features(3, 1000), np.repeat(np.arange(5), 10))
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


def test_a_confident_pose_needs_no_images(scene: ExactScene, sfm_map: Map) -> None:
    matcher = make_matcher(sfm_map, sfm_map.config)
    result = run(make_pipeline(sfm_map, matcher=matcher), scene.image(3), scene.camera)
    assert result.confidence > 0.95
    assert matcher.counts == (0, 1)


def test_a_pose_that_is_never_confident_takes_all_steps(scene: ExactScene, sfm_map: Map) -> None:
    settings = (
        *NEVER_ACCEPT,
        "cascade.num_initial_images=2",
        "cascade.max_images=3",
        "cascade.images_per_step=2",
    )
    matcher = make_matcher(sfm_map, query_config(sfm_map, settings))
    pipeline = make_pipeline(sfm_map, *settings, matcher=matcher)
    result = run(pipeline, scene.image(3), scene.camera)
    assert matcher.counts == (3, 2)
    assert result.status is Status.DOUBTFUL and result.pose is None and not result.skipped
    assert result.counts["images_matched"] == 3


@pytest.mark.parametrize(("reject_below", "num_images"), [(0.0, 6), (1 - 1e-9, 2)])
def test_matching_stops_at_a_pose_below_reject_below(
    scene: ExactScene, sfm_map: Map, reject_below: float, num_images: int
) -> None:
    settings = (*NEVER_ACCEPT, "cascade.images_per_step=2", f"cascade.reject_below={reject_below}")
    result = make_localizer(sfm_map, *settings).localize(scene.image(3), scene.camera)
    assert result.status is Status.DOUBTFUL
    assert result.counts["images_matched"] == num_images


def test_images_are_matched_until_a_pose_is_given(scene: ExactScene, sfm_map: Map) -> None:
    localizer = make_localizer(sfm_map, "cascade.accept_above=1", "cascade.images_per_step=2")
    result = localizer.localize(scene.image(3), scene.camera)
    assert result.status is Status.LOCALIZED and result.counts["images_matched"] == 2


@pytest.mark.parametrize(
    ("max_images", "skipped"),
    [
        (6, ("landmarks of 4 more images", "images by the matcher")),
        (0, ("landmarks of 4 more images",)),
    ],
)
def test_a_budget_ends_matching_and_the_result_names_the_skipped_steps(
    scene: ExactScene, sfm_map: Map, max_images: int, skipped: tuple[str, ...]
) -> None:
    settings = (
        "cascade.accept_above=1",
        "cascade.num_initial_images=2",
        f"cascade.max_images={max_images}",
    )
    matcher = make_matcher(sfm_map, query_config(sfm_map, settings))
    pipeline = make_pipeline(sfm_map, *settings, matcher=matcher)
    result = run(pipeline, scene.image(3), scene.camera, budget_ms=0)
    assert matcher.counts == (0, 1)
    assert result.status is Status.LOCALIZED
    assert result.skipped == skipped
    assert result.counts["images_matched"] == 0


@pytest.mark.parametrize("budget_ms", [float("nan"), -1, "5"])
def test_a_budget_must_be_a_time(scene: ExactScene, sfm_map: Map, budget_ms: object) -> None:
    with pytest.raises(ConfigError, match="budget_ms"):
        make_localizer(sfm_map).localize(scene.image(3), scene.camera, budget_ms=budget_ms)


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


class TickingClock(StageClock):
    """Clock on which each stage takes one second."""

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        yield
        self.seconds[stage] = self.seconds.get(stage, 0.0) + 1.0


@pytest.mark.parametrize(
    ("budget_s", "num_images", "skipped"),
    [
        (6.9, 0, ("landmarks of 4 more images", "images by the matcher")),
        (7.0, 0, ("3 images by the matcher",)),
        (10.9, 0, ("3 images by the matcher",)),
        (11.0, 2, ("1 images by the matcher",)),
        (15.4, 2, ("1 images by the matcher",)),  # the two images took a second, so one takes 0.5
        (15.5, 3, ()),
    ],
)
def test_no_step_begins_that_would_end_after_the_budget(
    scene: ExactScene, sfm_map: Map, budget_s: float, num_images: int, skipped: tuple[str, ...]
) -> None:
    """Description takes 3 s and each of the four steps 4 s."""
    result = run(
        make_pipeline(sfm_map, *FOUR_STEPS),
        scene.image(3),
        scene.camera,
        clock=TickingClock(),
        budget_ms=1000 * budget_s,
    )
    assert result.counts["images_matched"] == num_images
    assert result.skipped == skipped


def test_the_time_of_an_image_is_remembered_for_the_next_query(
    scene: ExactScene, sfm_map: Map
) -> None:
    """The last image of the first query took a second, so two are expected to take two."""
    pipeline = make_pipeline(sfm_map, *FOUR_STEPS)
    counts = []
    for budget_ms in (None, 12_000):
        clock = TickingClock()
        result = run(pipeline, scene.image(3), scene.camera, clock=clock, budget_ms=budget_ms)
        counts.append(result.counts["images_matched"])
    assert counts == [3, 0]


@pytest.mark.parametrize("matching", ["landmarks", "images"])
def test_only_the_cascade_counts_images_and_has_steps_to_skip(
    scene: ExactScene, sfm_map: Map, matching: str
) -> None:
    localizer = make_localizer(sfm_map, f"localize.matching={matching}")
    result = localizer.localize(scene.image(3), scene.camera, budget_ms=0)
    assert result.status is Status.LOCALIZED
    assert "images_matched" not in result.counts and result.skipped == ()


def test_hits_are_those_that_were_matched(scene: ExactScene, sfm_map: Map) -> None:
    """A pose from the landmarks of few images lists these images only."""
    for settings, num_hits in (((), 2), (("cascade.accept_above=1",), 6)):
        localizer = make_localizer(sfm_map, "cascade.num_initial_images=2", *settings)
        result = localizer.localize(scene.image(3), scene.camera)
        assert len(result.hits.names) == result.counts["retrieved"] == num_hits


@pytest.mark.parametrize(
    ("settings", "num_images"),
    [
        ((), 2),  # no confidence is below reject_below
        (("cascade.reject_below=0",), 6),
        (("confidence.enabled=false",), 6),
        (("cascade.max_images=0",), 0),
    ],
)
def test_blank_photos_take_the_steps_of_photos_without_a_pose(
    scene: ExactScene, sfm_map: Map, settings: tuple[str, ...], num_images: int
) -> None:
    blank = take(scene.features(3, 1000), np.arange(0))
    localizer = localizer_with(sfm_map, blank, "cascade.num_initial_images=2", *settings)
    result = localizer.localize(scene.image(3), scene.camera)
    assert result.status is Status.TOO_FEW_MATCHES and result.skipped == ()
    assert result.counts == {"keypoints": 0, "retrieved": 6, "images_matched": num_images}
    late = localizer.localize(scene.image(3), scene.camera, budget_ms=0)
    images = () if "cascade.max_images=0" in settings else ("images by the matcher",)
    assert late.skipped == ("landmarks of 4 more images", *images)
    assert late.counts == {"keypoints": 0, "retrieved": 2, "images_matched": 0}


def test_blank_photos_have_no_number_of_images_outside_the_cascade(
    scene: ExactScene, sfm_map: Map
) -> None:
    blank = take(scene.features(3, 1000), np.arange(0))
    localizer = localizer_with(sfm_map, blank, "localize.matching=landmarks")
    result = localizer.localize(scene.image(3), scene.camera)
    assert result.counts == {"keypoints": 0, "retrieved": 6}


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


def test_disabled_confidence_accepts_the_first_pose(scene: ExactScene, sfm_map: Map) -> None:
    settings = ("confidence.enabled=false", "cascade.num_initial_images=2")
    matcher = make_matcher(sfm_map, query_config(sfm_map, settings))
    pipeline = make_pipeline(sfm_map, *settings, matcher=matcher)
    result = run(pipeline, scene.image(3), scene.camera)
    assert result.status is Status.LOCALIZED and result.confidence is None
    assert matcher.counts == (0, 1)


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
