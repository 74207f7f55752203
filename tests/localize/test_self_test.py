"""The test of a map on its own photos: what is left out is gone, and what the map learns."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hloc_lite.errors import ConfigError
from hloc_lite.localize.calibration import fit_map
from hloc_lite.localize.confidence import model_fingerprint
from hloc_lite.localize.left_out import LeftOutLifter, ObservedLandmarks
from hloc_lite.localize.localizer import Localizer
from hloc_lite.localize.map_confidence import corrected, map_errors
from hloc_lite.localize.pose_uncertainty import MapErrors
from hloc_lite.localize.self_test import (
    SelfTest,
    SelfTestAnswer,
    landmark_repeatability,
    run_self_test,
)
from hloc_lite.maps.calibration import MapCalibration, SelfTestKind
from hloc_lite.maps.map import Map
from hloc_lite.maps.mean_descriptors import mean_descriptors
from hloc_lite.maps.track_lifter import TrackLifter
from hloc_lite.scene import observed_points
from tests.localize.localizers import make_localizer

SELF, NEIGHBOURHOOD = SelfTestKind.SELF_LEFT_OUT, SelfTestKind.NEIGHBOURHOOD_LEFT_OUT


@pytest.fixture(scope="module")
def landmarks(sfm_map: Map) -> ObservedLandmarks:
    return ObservedLandmarks(sfm_map, TrackLifter(sfm_map.model))


def first_name(sfm_map: Map) -> str:
    return sfm_map.model.images[0].name


def test_without_images_left_out_the_map_is_the_same(sfm_map, landmarks) -> None:
    lifter = LeftOutLifter(landmarks, ())
    every = np.arange(lifter.num_points)
    expected, _ = mean_descriptors(sfm_map).rows_of(every)
    np.testing.assert_allclose(lifter.descriptors.rows_of(every)[0], expected, atol=1e-6)
    assert lifter.image_names == landmarks.lifter.image_names


def test_an_image_left_out_leaves_nothing_behind(sfm_map, landmarks) -> None:
    name = first_name(sfm_map)
    lifter = LeftOutLifter(landmarks, {name})
    assert name not in lifter.image_names
    own = observed_points(landmarks.lifter.points_of(name))
    lengths = landmarks.lifter.track_lengths_of(own)
    np.testing.assert_array_equal(lifter.track_lengths_of(own), lengths - 1)
    left = [observed_points(lifter.points_of(other)) for other in lifter.image_names]
    seen_by_one = own[lengths == 2]
    assert len(np.intersect1d(np.concatenate(left), seen_by_one)) == 0
    others = replace(sfm_map.model, images=sfm_map.model.images[1:])
    without = mean_descriptors(replace(sfm_map, model=others))
    rows = own[lengths > 2]
    np.testing.assert_allclose(
        lifter.descriptors.rows_of(rows)[0], without.rows_of(rows)[0], atol=1e-5
    )


def test_images_that_keep_no_landmark_are_not_retrieved(sfm_map, landmarks) -> None:
    first, *others = [image.name for image in sfm_map.model.images]
    lifter = LeftOutLifter(landmarks, others)  # each landmark of the first has one observation left
    assert lifter.image_names == frozenset()
    assert (lifter.points_of(first) < 0).all()


def test_photos_are_localized_in_the_map_without_them(sfm_map: Map) -> None:
    localizer = make_localizer(sfm_map, "self_test.min_images_left=3")
    test = SelfTest(localizer)
    answers = run_self_test(test, localizer.config.self_test)
    own = [each for each in answers if each.kind is SELF]
    assert len(own) == len(sfm_map.model.images)
    right = [each for each in own if each.has_pose and not each.is_wrong]
    assert len(right) == len(own)
    assert all(each.best_image != each.name for each in own)


def test_enough_images_must_remain_and_time_is_limited(sfm_map: Map) -> None:
    localizer = make_localizer(sfm_map)
    test = SelfTest(localizer)
    assert test.names(NEIGHBOURHOOD) == []  # six images are fewer than ten
    assert run_self_test(test, localizer.config.self_test, max_seconds=-1.0) == []


def test_landmarks_of_an_exact_scene_are_repeatable(sfm_map: Map, landmarks) -> None:
    config = sfm_map.config.visibility
    found = landmark_repeatability(sfm_map.model, landmarks.lifter, landmarks, config)
    known = found[np.isfinite(found)]
    assert len(known) > 0 and known.min() >= 0 and known.max() <= 1 and known.mean() > 0.5


def answer(name: str, kind: SelfTestKind, evidence: float, *, is_wrong: bool) -> SelfTestAnswer:
    features = {"evidence": evidence, "certainty": 1.5, "spread": 0.6, "uniqueness": 0.9}
    errors = (1.0, 90.0) if is_wrong else (0.01, 0.4)
    return SelfTestAnswer(name, kind, True, is_wrong, 0.5, False, features, "other", *errors)


def fitted(localizer: Localizer, wrong_evidence: float, count: int = 40):
    answers = [answer(f"{i}", SELF, 6.0, is_wrong=False) for i in range(count)]
    answers += [answer(f"{i}", NEIGHBOURHOOD, wrong_evidence, is_wrong=True) for i in range(count)]
    base = localizer.calibration
    assert base is not None
    answers = [replace(each, probability=base.probability(each.features)) for each in answers]
    known = np.ones(3, np.float32)
    return fit_map(answers, base, localizer.config, known)


def test_a_map_of_places_that_look_alike_is_less_sure(localizer: Localizer) -> None:
    base = localizer.calibration
    assert base is not None
    features = answer("", SELF, 5.5, is_wrong=True).features
    alike, distinct = fitted(localizer, 5.5), fitted(localizer, 0.0)
    sure = base.probability(features)
    in_alike = corrected(base, alike.coefficients).probability(features)
    in_distinct = corrected(base, distinct.coefficients).probability(features)
    assert 1 - in_alike > 10 * (1 - sure)
    assert in_distinct == pytest.approx(sure, abs=0.05)
    assert alike.confused_images[0][1] == "other"
    assert alike.fitted_to == model_fingerprint(base)


def test_few_answers_change_little(localizer: Localizer) -> None:
    few, many = fitted(localizer, 5.5, count=2), fitted(localizer, 5.5)
    assert many.coefficients["shift"] < few.coefficients["shift"] <= 0


def test_errors_of_a_maps_own_photos_widen_those_of_queries(localizer: Localizer) -> None:
    many, few = fitted(localizer, 5.5, count=400), fitted(localizer, 5.5, count=2)
    of_queries = map_errors_with(localizer, many.coefficients)
    assert of_queries.distance == pytest.approx(2.5 * 0.01, rel=0.05)
    assert of_queries.angle_deg == pytest.approx(2.5 * 0.4, rel=0.05)
    intrinsics = localizer.config.intrinsics
    assert 1.5 < map_errors_with(localizer, few.coefficients).distance / intrinsics.map_sigma < 3
    exact = map_errors_with(localizer, {"map_sigma": 1e-6, "map_sigma_deg": 1e-6})
    assert exact == MapErrors(intrinsics.map_sigma, intrinsics.map_sigma_deg)


def map_errors_with(localizer: Localizer, coefficients) -> MapErrors:
    base = localizer.calibration
    assert base is not None
    answers = fitted(localizer, 5.5, count=1).answers
    known = MapCalibration(
        answers, np.ones(3, np.float32), coefficients, (), model_fingerprint(base)
    )
    return map_errors(base, localizer.config, [replace(localizer.map, calibration=known)])


def test_confidences_of_the_set_are_those_of_other_folds(localizer: Localizer) -> None:
    found = fitted(localizer, 5.5)
    assert len(found.answers) == 80
    assert found.answers.is_wrong.sum() == 40
    assert found.answers.of_kind(SELF).confidences.min() > 0.5


def test_confidences_of_the_set_contain_what_queries_lose(localizer: Localizer) -> None:
    """Doubts on intrinsics and the total covariance lower them as those of queries."""
    base = localizer.calibration
    assert base is not None
    sure = answer("a", SELF, 6.0, is_wrong=False)
    sure = replace(sure, probability=base.probability(sure.features))
    halved = replace(sure, name="b", probability=0.5 * sure.probability)
    found = fit_map([sure, halved], base, localizer.config, np.ones(3, np.float32))
    first, second = found.answers.confidences
    assert second == pytest.approx(0.5 * first, rel=0.01)


def test_a_compact_map_cannot_test_itself(sfm_map: Map) -> None:
    images = [replace(i, keypoints=None, point3D_idxs=observed_points(i.point3D_idxs))
              for i in sfm_map.model.images]  # fmt: skip
    localizer = make_localizer(sfm_map)
    localizer.map = replace(
        sfm_map,
        model=replace(sfm_map.model, images=tuple(images)),
        features={i.name: sfm_map.features[i.name].subset(np.arange(len(i.point3D_idxs)))
                  for i in images},
    )  # fmt: skip
    with pytest.raises(ConfigError, match="compact map"):
        SelfTest(localizer)
