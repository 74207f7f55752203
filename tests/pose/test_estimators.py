"""Contract tests of the pose estimators."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from hloc_lite.config import PoseConfig
from hloc_lite.geometry.cameras import camera_from_focal
from hloc_lite.geometry.rotations import pose_errors
from hloc_lite.io.weights import WeightsStore
from hloc_lite.protocols import PoseEstimator
from hloc_lite.registry import ESTIMATORS, Runtime, create
from hloc_lite.synthetic.correspondences import CAMERA, informative_weights, make_scene
from hloc_lite.types import Camera, Correspondences, Rigid3


@pytest.fixture(params=ESTIMATORS)
def estimator(request: pytest.FixtureRequest) -> PoseEstimator:
    made: PoseEstimator = make(request.param)
    return made


def make(name: str, **settings: object) -> PoseEstimator:
    runtime = Runtime(WeightsStore(offline=True))
    made: PoseEstimator = create(
        ESTIMATORS, name, PoseConfig(**{"min_inliers": 12} | settings), runtime
    )
    return made


def test_pose_of_exact_matches_is_exact(estimator: PoseEstimator) -> None:
    scene = make_scene(1, noise_px=0)
    found = estimator.estimate(scene.correspondences, scene.camera)
    assert found is not None
    distance, angle = pose_errors(found.cam_from_world, scene.cam_from_world)
    assert distance < 1e-8
    assert angle < 1e-8


@pytest.mark.parametrize("share", [0.8, 0.3, 0.1])
def test_inliers_are_found_among_outliers(estimator: PoseEstimator, share: float) -> None:
    scene = make_scene(2, count=1000, inlier_ratio=share)
    found = estimator.estimate(scene.correspondences, scene.camera)
    assert found is not None
    distance, angle = pose_errors(found.cam_from_world, scene.cam_from_world)
    assert distance < 0.05
    assert angle < 0.2
    assert (found.inlier_mask & scene.inlier_mask).sum() > 0.99 * scene.inlier_mask.sum()
    assert (found.inlier_mask & ~scene.inlier_mask).sum() < 0.01 * len(scene.inlier_mask)


@pytest.mark.parametrize("model", ["PINHOLE", "OPENCV", "FULL_OPENCV", "OPENCV_FISHEYE", "FOV"])
def test_camera_models(estimator: PoseEstimator, model: str) -> None:
    camera = camera_from_focal(model, 1024, 768, 600, has_prior_focal=True)
    params = camera.params.copy()
    params[4:] = 0.05 * np.resize([1, -0.5, 0.01, 0.02], len(params) - 4)
    if model == "FOV":
        params[4] = 0.8
    scene = make_scene(3, camera=replace(camera, params=params))
    found = estimator.estimate(scene.correspondences, scene.camera)
    assert found is not None
    distance, angle = pose_errors(found.cam_from_world, scene.cam_from_world)
    assert distance < 0.05
    assert angle < 0.2


def test_wide_and_spherical_cameras() -> None:
    """Only ``weighted`` sees behind the image plane."""
    fisheye = camera_from_focal("OPENCV_FISHEYE", 1000, 1000, 240, has_prior_focal=True)
    panorama = Camera("EQUIRECTANGULAR", 2000, 1000, np.array([2000.0, 1000.0]))
    for camera in (fisheye, panorama):
        scene = make_scene(17, inlier_ratio=0.3, camera=camera)
        found = make("weighted").estimate(scene.correspondences, camera)
        assert found is not None
        distance, angle = pose_errors(found.cam_from_world, scene.cam_from_world)
        assert distance < 0.05
        assert angle < 0.2
        behind = found.cam_from_world.apply(scene.correspondences.points3D)[:, 2] < 0
        assert (found.inlier_mask & behind).sum() > 10


@pytest.mark.parametrize("count", [0, 1, 3, 11])
def test_too_few_correspondences_give_no_pose(estimator: PoseEstimator, count: int) -> None:
    scene = make_scene(4)
    few = scene.correspondences.subset(np.flatnonzero(scene.inlier_mask)[:count])
    assert estimator.estimate(few, scene.camera) is None


def test_outliers_alone_give_no_pose(estimator: PoseEstimator) -> None:
    scene = make_scene(5, count=400, inlier_ratio=0)
    assert estimator.estimate(scene.correspondences, scene.camera) is None


def test_repeated_keypoint_counts_as_one_inlier(estimator: PoseEstimator) -> None:
    scene = make_scene(6)
    chosen = np.resize(np.flatnonzero(scene.inlier_mask)[:8], 400)
    assert estimator.estimate(scene.correspondences.subset(chosen), scene.camera) is None


def test_results_are_deterministic(estimator: PoseEstimator) -> None:
    scene = make_scene(7, inlier_ratio=0.2)
    one, other = (estimator.estimate(scene.correspondences, scene.camera) for _ in range(2))
    assert one is not None
    assert other is not None
    assert one.cam_from_world.rotation.tobytes() == other.cam_from_world.rotation.tobytes()
    assert one.cam_from_world.translation.tobytes() == other.cam_from_world.translation.tobytes()


def test_pose_is_equivariant_to_similarities_of_the_world(estimator: PoseEstimator) -> None:
    scene = make_scene(8)
    world = Rigid3(Rotation.random(random_state=1).as_matrix(), np.array([1e3, -2e3, 5e2]))
    factor = 37.0
    moved = replace(
        scene.correspondences, points3D=world.apply(factor * scene.correspondences.points3D)
    )
    one = estimator.estimate(scene.correspondences, scene.camera)
    other = estimator.estimate(moved, scene.camera)
    assert one is not None
    assert other is not None
    # the camera centre transforms like any point of the world
    expected = world.apply(factor * one.cam_from_world.center)
    np.testing.assert_allclose(other.cam_from_world.center, expected, atol=1e-3)


def test_pose_does_not_depend_on_the_order_of_correspondences(estimator: PoseEstimator) -> None:
    scene = make_scene(9)
    order = np.random.default_rng(0).permutation(len(scene.correspondences))
    one = estimator.estimate(scene.correspondences, scene.camera)
    other = estimator.estimate(scene.correspondences.subset(order), scene.camera)
    assert one is not None
    assert other is not None
    distance, angle = pose_errors(one.cam_from_world, other.cam_from_world)
    assert distance < 1e-5
    assert angle < 1e-5
    np.testing.assert_array_equal(one.inlier_mask[order], other.inlier_mask)


def test_zero_weights_are_no_inliers(estimator: PoseEstimator) -> None:
    scene = make_scene(10)
    weights = np.where(np.arange(500) < 100, 0.0, 1.0)
    found = estimator.estimate(replace(scene.correspondences, weights=weights), scene.camera)
    assert found is not None
    assert not found.inlier_mask[:100].any()


def test_splitting_correspondences_by_weight_keeps_the_pose() -> None:
    """Only ``weighted`` uses the weights from sampling on."""
    scene = make_scene(11)
    given = scene.correspondences
    doubled = given.subset(np.repeat(np.arange(500), 2))
    halved = replace(doubled, weights=np.full(1000, 0.5))
    one, other = (make("weighted").estimate(which, scene.camera) for which in (given, halved))
    assert one is not None
    assert other is not None
    distance, angle = pose_errors(one.cam_from_world, other.cam_from_world)
    assert distance < 1e-5
    assert angle < 1e-5


def test_non_finite_points_and_pixels_are_ignored() -> None:
    scene = make_scene(12)
    points2D, points3D = (
        scene.correspondences.points2D.copy(), scene.correspondences.points3D.copy()
    )  # fmt: skip
    points2D[:20], points3D[20:40] = np.nan, np.inf
    broken = replace(scene.correspondences, points2D=points2D, points3D=points3D)
    found = make("weighted").estimate(broken, CAMERA)
    assert found is not None
    assert not found.inlier_mask[:40].any()
    distance, _ = pose_errors(found.cam_from_world, scene.cam_from_world)
    assert distance < 0.05


@pytest.mark.parametrize("sampling", ["mixed", "prosac"])
def test_informative_weights_save_samples(sampling: str) -> None:
    trials: dict[str, list[int]] = {"uniform": [], "weighted": []}
    for seed in range(5):
        scene = make_scene(seed, count=2000, inlier_ratio=0.05)
        weights = informative_weights(scene, 1.19, seed)
        informed = replace(scene.correspondences, weights=weights)
        for name, given in (("uniform", scene.correspondences), ("weighted", informed)):
            found = make("weighted", sampling=sampling).estimate(given, scene.camera)
            assert found is not None
            distance, _ = pose_errors(found.cam_from_world, scene.cam_from_world)
            assert distance < 0.1
            trials[name].append(found.num_trials)
    assert np.median(trials["weighted"]) * 5 < np.median(trials["uniform"])


def test_misleading_weights_do_not_prevent_a_pose() -> None:
    for seed in range(5):
        scene = make_scene(seed, count=1000, inlier_ratio=0.1)
        misleading = informative_weights(scene, -1.0, seed)
        given = replace(scene.correspondences, weights=misleading)
        found = make("weighted").estimate(given, scene.camera)
        assert found is not None
        distance, _ = pose_errors(found.cam_from_world, scene.cam_from_world)
        assert distance < 0.1


def test_bounds_are_per_correspondence() -> None:
    """Half of them are off by 20 px: within their own wide bounds, beyond the others'."""
    scene = make_scene(15, inlier_ratio=1.0)
    coarse = np.arange(500) < 250
    points2D = scene.correspondences.points2D.copy()
    angle = np.random.default_rng(15).uniform(0, 2 * np.pi, 250)
    points2D[coarse] += 20 * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    moved = replace(scene.correspondences, points2D=points2D)
    narrow = make("weighted", max_error_px=12, reference_side_px=1024).estimate(moved, CAMERA)
    wide = make("weighted", max_error_px=12, reference_side_px=1024).estimate(
        replace(moved, bound_factors=np.where(coarse, 3.0, 1.0)), CAMERA
    )
    assert narrow is not None
    assert wide is not None
    assert narrow.inlier_mask[coarse].mean() < 0.1
    assert narrow.inlier_mask[~coarse].mean() > 0.9
    assert wide.inlier_mask[coarse].mean() > 0.9
    assert wide.inlier_mask[~coarse].mean() > 0.9


def test_covariance_is_consistent_with_pose_errors() -> None:
    """Squared Mahalanobis errors follow a chi-square distribution with 6 degrees of freedom."""
    from scipy.stats import chi2, kstest

    values = []
    for seed in range(150):
        scene = make_scene(100 + seed, count=200, inlier_ratio=0.8)
        found = make("weighted").estimate(scene.correspondences, CAMERA)
        assert found is not None
        assert found.covariance is not None
        off = scene.cam_from_world.compose(found.cam_from_world.inverse())
        rotvec = Rotation.from_matrix(off.rotation).as_rotvec()
        error = np.concatenate([rotvec, off.translation])
        values.append(error @ np.linalg.solve(found.covariance, error))
    assert kstest(values, chi2(6).cdf).pvalue > 0.01


def test_no_bound_factors_are_equal_bound_factors() -> None:
    scene = make_scene(16)
    given: Correspondences = scene.correspondences
    explicit = replace(given, bound_factors=np.ones(len(given)))
    one, other = (make("weighted").estimate(which, CAMERA) for which in (given, explicit))
    assert one is not None
    assert other is not None
    np.testing.assert_array_equal(one.inlier_mask, other.inlier_mask)


@pytest.mark.parametrize("count", [16, 40, 400])
def test_covariance_is_not_too_small_for_few_inliers(count: int) -> None:
    from scipy.stats import chi2

    beyond = []
    for seed in range(100):
        scene = make_scene(500 + seed, count=count, inlier_ratio=1.0)
        found = make("weighted").estimate(scene.correspondences, CAMERA)
        assert found is not None
        assert found.covariance is not None
        off = scene.cam_from_world.compose(found.cam_from_world.inverse())
        error = np.concatenate([Rotation.from_matrix(off.rotation).as_rotvec(), off.translation])
        beyond.append(error @ np.linalg.solve(found.covariance, error) > chi2(6).ppf(0.95))
    assert np.mean(beyond) < 0.13  # 5 % are expected; 13 % of 100 has a chance of 1 in 1000
