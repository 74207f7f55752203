"""Wrong intrinsics are noticed, named, and mended on request; right ones change nothing."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from hloc_lite.geometry.cameras import focal_lengths, img_from_cam
from hloc_lite.geometry.rotations import pose_errors
from hloc_lite.localize import intrinsics_check
from hloc_lite.localize.intrinsics_check import gain_by_inlier, is_lens_of_its_kind
from hloc_lite.maps.map import Map
from hloc_lite.pose.intrinsics_fit import fit_intrinsics
from hloc_lite.pose.quality import standard_deviations
from hloc_lite.types import Camera, LocalFeatures, PoseEstimate, Status
from tests.exact_scene import SIZE, ExactScene
from tests.localize.localizers import localizer_with

TRUE = Camera("SIMPLE_PINHOLE", *SIZE, np.array([300.0, 160.0, 120.0]))


def seen_with(scene: ExactScene, camera: Camera) -> LocalFeatures:
    """Features of image 3 taken with a camera, 0.3 px noise."""
    exact = replace(scene, camera=camera).features(3, 1000)
    noise = np.random.default_rng(0).normal(0, 0.3, exact.keypoints.shape)
    return replace(exact, keypoints=exact.keypoints + noise)


def position_sigma(pose: PoseEstimate | None) -> float:
    assert pose is not None and pose.covariance is not None
    return standard_deviations(pose.covariance)[0]


@pytest.mark.parametrize("factor", [0.5, 0.8, 1.25, 2.0])
def test_a_wrong_focal_length_is_named_and_the_pose_withheld(
    scene: ExactScene, sfm_map: Map, factor: float
) -> None:
    wrong = replace(TRUE, params=TRUE.params * (factor, 1, 1))
    result = localizer_with(sfm_map, seen_with(scene, TRUE)).localize(scene.image(3), wrong)
    assert result.status is Status.DOUBTFUL and result.pose is None
    assert result.confidence is not None and result.confidence < 0.5
    found = re.search(
        r"the intrinsics do not fit: f = (\d+) px given, (\d+) px fits", result.reason
    )
    assert found, result.reason
    assert int(found[1]) == round(300 * factor)
    assert int(found[2]) == pytest.approx(300, rel=0.03)


def test_other_focal_lengths_are_tried_where_few_matches_agree(
    scene: ExactScene, sfm_map: Map, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if a fit from the wrong focal length were held where it is by inliers of its own."""
    wrong = replace(TRUE, params=TRUE.params * (1.25, 1, 1))
    starts = []

    def held(correspondences, camera, *args):
        starts.append(float(focal_lengths(camera)[0]))
        if starts[-1] == pytest.approx(375.0):
            return None
        return fit_intrinsics(correspondences, camera, *args)

    monkeypatch.setattr(intrinsics_check, "fit_intrinsics", held)
    for sure_share, status in ((1.0, Status.DOUBTFUL), (0.0, Status.LOCALIZED)):
        localizer = localizer_with(
            sfm_map, seen_with(scene, TRUE), f"intrinsics.sure_inlier_share={sure_share}"
        )
        result = localizer.localize(scene.image(3), wrong)
        assert result.status is status, result.reason
    assert pytest.approx(300.0) in starts


@pytest.mark.parametrize(
    "given",
    [
        Camera("SIMPLE_PINHOLE", *SIZE, np.array([200.0, 160.0, 120.0])),
        Camera("SIMPLE_PINHOLE", *SIZE, np.array([300.0, 120.0, 145.0])),
        Camera("OPENCV_FISHEYE", *SIZE, np.array([300.0, 300, 160, 120, 0, 0, 0, 0])),
    ],
    ids=["focal length", "principal point", "fisheye"],
)
def test_recalibrate_uses_the_intrinsics_that_fit(
    scene: ExactScene, sfm_map: Map, given: Camera
) -> None:
    features = seen_with(scene, TRUE)
    localizer = localizer_with(sfm_map, features, "localize.recalibrate=true")
    result = localizer.localize(scene.image(3), given)
    assert localizer.localize(scene.image(3), given, recalibrate=False).pose is None
    other = localizer_with(sfm_map, features)
    asked = other.localize(scene.image(3), given, recalibrate=True)
    assert asked.confidence == result.confidence
    assert other.localize(scene.image(3), given).pose is None
    assert result.pose is not None, result.reason
    assert "recalibrated, as the intrinsics do not fit: " in result.reason
    assert focal_lengths(result.pose.camera)[0] == pytest.approx(300, rel=0.03)
    distance, angle_deg = pose_errors(result.pose.cam_from_world, scene.poses[3])
    assert distance < 0.1 and angle_deg < 1
    # a focal length from the matches is less certain than one that was given
    assert position_sigma(result.pose) > position_sigma(
        localizer_with(sfm_map, features).localize(scene.image(3), TRUE).pose
    )


def test_a_fisheye_model_of_a_perspective_lens_is_no_other_lens() -> None:
    """tan(x) is x + x^3 / 3 + ..., so that k1 = 1/3 makes a fisheye model perspective."""
    given = Camera("SIMPLE_RADIAL", *SIZE, np.array([300.0, 160, 120, 0]))
    same = Camera("SIMPLE_RADIAL_FISHEYE", *SIZE, np.array([300.0, 160, 120, 1 / 3]))
    other = replace(same, params=np.array([300.0, 160, 120, 0.02]))
    points = np.random.default_rng(0).uniform((-2, -1.5, 4), (2, 1.5, 6), (50, 3))
    apart = [
        np.abs(img_from_cam(each, points) - img_from_cam(given, points)).max()
        for each in (same, other)
    ]
    assert apart[0] < 1.5 < 5 < apart[1]
    assert is_lens_of_its_kind(other, given) and not is_lens_of_its_kind(same, given)
    assert is_lens_of_its_kind(replace(given, params=np.array([300.0, 160, 120, 0.4])), given)


def test_right_intrinsics_change_nothing(scene: ExactScene, sfm_map: Map) -> None:
    """Bit for bit, with and without the test, and with recalibration."""
    features, results = seen_with(scene, TRUE), []
    for settings in ([], ["intrinsics.check=false"], ["localize.recalibrate=true"]):
        localizer = localizer_with(sfm_map, features, *settings)
        results.append(localizer.localize(scene.image(3), TRUE))
    for result in results:
        assert result.pose is not None and result.confidence == results[0].confidence
        np.testing.assert_array_equal(
            result.pose.cam_from_world.translation, results[0].pose.cam_from_world.translation
        )
        np.testing.assert_array_equal(result.pose.covariance, results[0].pose.covariance)


def test_uncertain_intrinsics_widen_the_covariance(scene: ExactScene, sfm_map: Map) -> None:
    features, sigmas = seen_with(scene, TRUE), []
    for focal_sigma in (0.0, 0.003, 0.03):
        localizer = localizer_with(sfm_map, features, f"intrinsics.focal_sigma={focal_sigma}",
                                   "confidence.min_confidence=0")  # fmt: skip
        sigmas.append(position_sigma(localizer.localize(scene.image(3), TRUE).pose))
    assert sigmas[0] < sigmas[1] < sigmas[2]
    # a focal length that is 3 % off moves the camera by 3 % of the distance
    seen = np.median(np.linalg.norm(scene.poses[3].apply(scene.points), axis=1))
    assert sigmas[2] == pytest.approx(0.03 * seen, rel=0.5)


def test_the_map_is_uncertain_also_where_the_effect_of_intrinsics_is_unknown(
    scene: ExactScene, sfm_map: Map, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hloc_lite.localize.pose_uncertainty.pose_by_intrinsics", lambda *_: None)
    settings = ("intrinsics.map_sigma=0.1", "confidence.min_confidence=0")
    pose = localizer_with(sfm_map, seen_with(scene, TRUE), *settings).localize(
        scene.image(3), TRUE
    ).pose  # fmt: skip
    assert pose is not None
    seen = np.median(np.linalg.norm(scene.poses[3].apply(scene.points), axis=1))
    assert position_sigma(pose) > 0.05 * seen


def test_significance_alone_is_no_gain() -> None:
    """Ten nats are overwhelming evidence, but nothing beside a thousand matches."""
    assert 0 < gain_by_inlier(25.0, 1000) < 0.02
    assert gain_by_inlier(5.0, 1000) < 0
    assert gain_by_inlier(1000.0, 500) > 1
