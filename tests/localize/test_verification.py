"""``PoseVerifier``: when a pose is confident enough to be given."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hloc_lite.clock import StageClock
from hloc_lite.localize.cascade import MatchingStep, match_images, match_landmarks
from hloc_lite.localize.pose_uncertainty import MapErrors
from hloc_lite.localize.verification import PoseVerifier, VerifiedPose
from hloc_lite.maps.map import Map
from hloc_lite.maps.track_lifter import TrackLifter
from hloc_lite.pose.confidence import Confidence
from hloc_lite.types import Photo, Status
from tests.exact_scene import ExactScene
from tests.localize.localizers import (
    localizer_with,
    make_localizer,
    make_pipeline,
    run,
    solve,
)


@pytest.mark.parametrize("calibrated", [True, False])
@pytest.mark.parametrize("count", [6, 12, 100])
def test_a_pose_is_given_if_and_only_if_it_is_confident_enough(
    scene: ExactScene, sfm_map: Map, count: int, calibrated: bool
) -> None:
    """Also with unknown focal length; the pose is the same for any threshold."""
    pipeline = localizer_with(sfm_map, scene.features(3, 1000).subset(np.arange(count))).pipeline
    photo = Photo("q", scene.image(3))
    query, hits = pipeline.describe(photo, scene.camera, calibrated=calibrated)
    step = MatchingStep(pipeline.match(query, hits, StageClock()))
    found = {}
    for least in (0.0, 0.5, 0.99999):
        localizer = make_localizer(sfm_map, f"confidence.min_confidence={least}")
        result = solve(localizer, query, hits, step)
        assert result.confidence is not None
        assert (result.pose is not None) == (result.confidence >= least)
        assert (result.status is Status.LOCALIZED) == (result.pose is not None)
        if result.pose is None:
            assert result.status is Status.DOUBTFUL and f"{least:g} is required" in result.reason
        found[least] = result
    assert found[0.0].pose is not None
    assert found[0.0].confidence == found[0.5].confidence == found[0.99999].confidence
    assert found[0.0].grounds == found[0.99999].grounds != {}


class FixedVerifier(PoseVerifier):
    """Verifier that gives every pose the same probability."""

    probability = 0.7499

    def verify(self, selected, *_: object, **__: object) -> VerifiedPose:
        confidence = Confidence(self.probability, {}, ())
        return VerifiedPose(selected, confidence, self.probability, is_accepted=False)


def test_a_probability_below_the_limit_is_rounded_down(scene: ExactScene, sfm_map: Map) -> None:
    lifter = TrackLifter(sfm_map.model)
    verifier = FixedVerifier(
        lifter, None, None, sfm_map.config, MapErrors(0.003, 0.05), metres_per_unit=1.0
    )
    result = run(make_pipeline(sfm_map, verifier=verifier), scene.image(3), scene.camera)
    assert result.status is Status.DOUBTFUL
    assert "with a probability of only 0.74; 0.75 is required" in result.reason


def test_matches_of_a_learned_matcher_give_less_confidence(scene: ExactScene, sfm_map: Map) -> None:
    localizer = make_localizer(sfm_map)
    pipeline = localizer.pipeline
    query, hits = pipeline.describe(Photo("query", scene.image(3)), scene.camera)
    landmarks = match_landmarks(query, hits, pipeline.matchers, StageClock())
    images = match_images(query, hits, pipeline.matchers, StageClock())
    assert not landmarks[0].is_learned and not images[0].is_learned
    results = []
    for is_learned in (False, True):
        matches = (replace(images[0], is_learned=is_learned),)
        step = MatchingStep(matches, with_landmarks=images)
        results.append(solve(localizer, query, hits, step))
    assert results[0].confidence > results[1].confidence
    assert results[0].pose is not None and results[0].grounds == results[1].grounds


def test_error_bounds_of_a_map_without_scale_grow_with_it(scene: ExactScene, sfm_map: Map) -> None:
    """The same map in other units is as certain, unless its units are declared to be metres."""
    exact = scene.features(3, 1000)
    noise = np.random.default_rng(0).normal(0, 1.5, exact.keypoints.shape)
    noisy = replace(exact, keypoints=exact.keypoints + noise)
    small = replace(sfm_map.model, xyz=0.01 * sfm_map.model.xyz)

    def certainty(model, bounds: str) -> float:
        in_other_units = replace(sfm_map, model=model)
        localizer = localizer_with(in_other_units, noisy, f"confidence.bounds={bounds}")
        result = localizer.localize(scene.image(3), scene.camera)
        assert result.confidence is not None
        return result.grounds["certainty"]

    same = certainty(sfm_map.model, "relative")
    assert certainty(small, "relative") == pytest.approx(same, abs=0.01)
    assert certainty(small, "metric") > certainty(sfm_map.model, "metric")
