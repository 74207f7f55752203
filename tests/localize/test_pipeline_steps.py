"""``QueryPipeline``: the matching steps that a query takes, and when they end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest

from hloc_lite.clock import StageClock
from hloc_lite.errors import ConfigError
from hloc_lite.maps.map import Map
from hloc_lite.types import Status
from tests.exact_scene import ExactScene
from tests.localize.localizers import (
    localizer_with,
    make_localizer,
    make_matcher,
    make_pipeline,
    query_config,
    run,
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


class TickingClock(StageClock):
    """Clock on which each stage takes one second."""

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        yield
        self.seconds[stage] = self.seconds.get(stage, 0.0) + 1.0


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
    blank = scene.features(3, 1000).subset(np.arange(0))
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
    blank = scene.features(3, 1000).subset(np.arange(0))
    localizer = localizer_with(sfm_map, blank, "localize.matching=landmarks")
    result = localizer.localize(scene.image(3), scene.camera)
    assert result.counts == {"keypoints": 0, "retrieved": 6}


def test_disabled_confidence_accepts_the_first_pose(scene: ExactScene, sfm_map: Map) -> None:
    settings = ("confidence.enabled=false", "cascade.num_initial_images=2")
    matcher = make_matcher(sfm_map, query_config(sfm_map, settings))
    pipeline = make_pipeline(sfm_map, *settings, matcher=matcher)
    result = run(pipeline, scene.image(3), scene.camera)
    assert result.status is Status.LOCALIZED and result.confidence is None
    assert matcher.counts == (0, 1)
