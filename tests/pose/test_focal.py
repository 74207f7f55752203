"""Poses of uncalibrated photos."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hloc_lite.config import Config, PoseConfig, load_config
from hloc_lite.geometry.cameras import cam_from_img, focal_lengths
from hloc_lite.geometry.rotations import exp_so3, pose_errors
from hloc_lite.pose import refine
from hloc_lite.pose.focal import RANKING_TRIALS, estimate_with_focal
from hloc_lite.pose.poselib_estimator import PoseLibEstimator
from hloc_lite.registry import Runtime
from hloc_lite.types import Camera, Correspondences, Rigid3
from tests.weights_stores import NoWeights

SIZE = (1600, 1200)
CONFIG = PoseConfig()


@pytest.fixture
def estimator() -> PoseLibEstimator:
    return PoseLibEstimator("poselib", CONFIG, Runtime(NoWeights()))


def matches(
    num_right: int, num_wrong: int, seed: int = 0, distortion: float = 0.0
) -> tuple[Correspondences, Rigid3]:
    """Inliers with 1 px noise at a focal length of 1700 px, outliers, and the true pose."""
    rng = np.random.default_rng(seed)
    true = Rigid3(exp_so3(0.3 * rng.standard_normal(3)), rng.standard_normal(3))
    count = num_right + num_wrong
    pixels = rng.uniform(0, 1, (count, 2)) * SIZE
    depth = rng.uniform(5, 15, (count, 1))
    taken_with = Camera("SIMPLE_RADIAL", *SIZE, np.array([1700.0, 800.0, 600.0, distortion]))
    rays = np.concatenate([cam_from_img(taken_with, pixels), np.ones((count, 1))], axis=1)
    pixels += rng.standard_normal(pixels.shape)
    pixels[num_right:] = rng.uniform(0, 1, (num_wrong, 2)) * SIZE
    world = true.inverse().apply(rays * depth)
    return Correspondences(pixels, world, np.arange(count), np.arange(count), np.ones(count)), true


def camera(focal_px: float, *, known: bool = True) -> Camera:
    return Camera("SIMPLE_RADIAL", *SIZE, np.array([focal_px, 800.0, 600.0, 0.0]), known)


def test_focal_length_from_exif_gets_all_trials(estimator: PoseLibEstimator) -> None:
    """At 10 % inliers 1000 trials rarely find the pose, the configured number does."""
    found, true = matches(30, 270)
    calibrated = estimator.estimate(found, camera(1700))
    from_exif = estimate_with_focal(estimator, found, camera(1750), Config())
    assert calibrated is not None and from_exif is not None
    assert pose_errors(from_exif.cam_from_world, true)[0] < 0.05
    assert focal_lengths(from_exif.camera)[0] == pytest.approx(1700, rel=0.02)
    assert from_exif.num_trials > RANKING_TRIALS


@pytest.mark.parametrize("factor", [0.33, 0.5, 2.0, 3.0])
def test_a_wrong_focal_length_from_exif_makes_no_difference(
    estimator: PoseLibEstimator, factor: float
) -> None:
    found, true = matches(60, 60)
    estimate = estimate_with_focal(estimator, found, camera(1700 * factor), Config())
    assert estimate is not None
    assert focal_lengths(estimate.camera)[0] == pytest.approx(1700, rel=0.02)
    assert pose_errors(estimate.cam_from_world, true)[0] < 0.05


def test_unknown_focal_length_is_found_among_candidates(estimator: PoseLibEstimator) -> None:
    found, true = matches(60, 60)
    config = Config()
    estimate = estimate_with_focal(estimator, found, camera(1920, known=False), config)
    assert estimate is not None
    assert pose_errors(estimate.cam_from_world, true)[0] < 0.05
    # the number drawn, not the limit
    assert 0 < estimate.num_trials < RANKING_TRIALS * (1 + config.localize.focal_candidates)


def test_max_num_trials_also_limits_candidates(estimator: PoseLibEstimator) -> None:
    found, _ = matches(30, 270)
    few = load_config(settings=["pose.max_num_trials=50"])
    drawn = []

    class Recording:
        def ransac(self, correspondences, camera, max_num_trials, depth_scorer=None):
            drawn.append(max_num_trials)
            return None

    for known in (True, False):
        given = camera(1920, known=known)
        assert estimate_with_focal(Recording(), found, given, few) is None
    assert set(drawn) == {50}


@pytest.mark.parametrize("value", [np.nan, np.inf, 0.0])
def test_unusable_rows_are_ignored(estimator: PoseLibEstimator, value: float) -> None:
    found, true = matches(100, 100)
    weights = np.where(np.arange(200) < 5, value, 1.0)
    estimate = estimate_with_focal(
        estimator, replace(found, weights=weights), camera(1750), Config()
    )
    assert estimate is not None
    assert pose_errors(estimate.cam_from_world, true)[0] < 0.05
    assert len(estimate.inlier_mask) == 200
    assert not estimate.inlier_mask[:5].any()


def test_distortion_is_estimated_with_the_focal_length_if_points_are_many(
    estimator: PoseLibEstimator,
) -> None:
    """Fixed at 0, barrel distortion would bias the focal length and move the camera forward."""
    found, true = matches(300, 100, distortion=-0.15)
    pose = estimate_with_focal(estimator, found, camera(1500, known=False), Config())
    assert pose is not None
    assert pose.camera.params[3] == pytest.approx(-0.15, abs=0.02)
    assert focal_lengths(pose.camera)[0] == pytest.approx(1700, rel=0.01)
    assert pose_errors(pose.cam_from_world, true)[0] < 0.05
    few, _ = matches(40, 0, distortion=-0.15)
    of_few = estimate_with_focal(estimator, few, camera(1500, known=False), Config())
    assert of_few is not None and of_few.camera.params[3] == 0


def test_derivative_by_distortion_agrees_with_finite_differences() -> None:
    found, true = matches(80, 0)
    distorted = replace(camera(1700), params=np.array([1700.0, 800.0, 600.0, 0.1]))
    data = refine._RefinementData(
        found.points2D, found.points3D, found.weights, None, 1.0, num_params=8
    )
    fit = refine._PoseFit.evaluate(true, distorted, data)
    step = np.zeros(8)
    step[7] = 1e-3
    expected = (fit.updated(step).projected - fit.projected) / 1e-3
    np.testing.assert_allclose(fit.jacobian()[7].T, expected, rtol=1e-4, atol=1e-4)


def test_the_best_is_taken_where_the_pose_by_exif_does_not_survive_its_refinement(
    estimator: PoseLibEstimator, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, _ = matches(60, 60)
    estimate = estimate_with_focal(estimator, found, camera(1750), Config())
    assert estimate is not None
    others = [replace(estimate, camera=camera(focal)) for focal in (1000.0, 1050.0, 1020.0)]
    refined = iter([None, *others])
    monkeypatch.setattr("hloc_lite.pose.focal.refine_on_inliers", lambda *_, **__: next(refined))
    monkeypatch.setattr(
        "hloc_lite.pose.focal._msac_score", lambda _, each, *__: focal_lengths(each.camera)[0]
    )
    best = estimate_with_focal(estimator, found, camera(1750), Config())
    assert best is not None and focal_lengths(best.camera)[0] == 1050
