"""Predicted depths within RANSAC: which of several poses they select, and when they are neutral."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from hloc_lite.config import Config, DepthConfig, PoseConfig
from hloc_lite.consistency.depth_check import depth_scorer
from hloc_lite.geometry.cameras import camera_from_focal
from hloc_lite.geometry.rotations import pose_errors
from hloc_lite.io.weights import WeightsStore
from hloc_lite.pose.focal import estimate_with_focal
from hloc_lite.pose.inlier_model import restrict_scorer
from hloc_lite.protocols import DepthScorer, PoseEstimator
from hloc_lite.registry import ESTIMATORS, Runtime, create
from hloc_lite.synthetic.correspondences import CAMERA, Scene, make_scene
from hloc_lite.types import Camera, Correspondences, Float64, Rigid3

SEEDS = range(12)


def make(name: str = "weighted", **settings: object) -> PoseEstimator:
    runtime = Runtime(WeightsStore(offline=True))
    made: PoseEstimator = create(ESTIMATORS, name, PoseConfig(**settings), runtime)
    return made


def joined(parts: Sequence[Correspondences]) -> Correspondences:
    columns = [
        np.concatenate([getattr(part, name) for part in parts]) for name in ("points2D", "points3D")
    ]
    order = np.arange(len(columns[0]))
    return Correspondences(*columns, order, order, np.ones(len(order)))


def two_poses(
    seed: int, counts: tuple[int, int] = (100, 100), camera: Camera = CAMERA
) -> tuple[Correspondences, tuple[Rigid3, Rigid3], Float64]:
    """Inliers of two poses and outliers, both poses, and depths along the axis of the first."""
    scenes = [
        make_scene(100 * seed + i, count, 1.0, camera=camera) for i, count in enumerate(counts)
    ]
    wrong = make_scene(100 * seed + 50, 200, 0.0, camera=camera)
    given = joined([*(scene.correspondences for scene in scenes), wrong.correspondences])
    first, second = (scene.cam_from_world for scene in scenes)
    depths = first.apply(given.points3D)[:, 2]
    # depths of all others are drawn from those of its inliers
    depths[counts[0] :] = np.random.default_rng(seed).choice(
        depths[: counts[0]], len(given) - counts[0]
    )
    return given, (first, second), depths


def predicted(depths: Float64, seed: int = 0) -> Float64:
    """Depths as a network predicts them: 10 % noise, unknown scale and shift."""
    noisy = depths * np.exp(0.1 * np.random.default_rng(seed).normal(size=len(depths)))
    return noisy / 7 + 0.3


def is_at(
    estimator: PoseEstimator,
    given: Correspondences,
    pose: Rigid3,
    scorer: DepthScorer | None,
    camera: Camera = CAMERA,
) -> bool:
    found = estimator.estimate(given, camera, scorer)
    assert found is not None
    distance, angle_deg = pose_errors(found.cam_from_world, pose)
    return distance < 0.1 and angle_deg < 0.5


@pytest.mark.parametrize("sampling", ["mixed", "prosac"])
def test_depths_select_between_poses_with_equally_many_inliers(sampling: str) -> None:
    estimator = make(sampling=sampling)
    with_scorer, without = [], []
    for seed in SEEDS:
        given, (right, _), depths = two_poses(seed)
        order = np.random.default_rng(seed).permutation(len(given))  # PROSAC depends on it
        given, depths = given.subset(order), depths[order]
        scorer = depth_scorer(predicted(depths), "relative", DepthConfig())
        with_scorer.append(is_at(estimator, given, right, scorer))
        without.append(is_at(estimator, given, right, None))
    assert all(with_scorer)
    assert 1 <= sum(without) <= len(SEEDS) - 1


def test_depths_outweigh_a_few_more_inliers() -> None:
    """80 inliers against 100: all-inlier samples are half as frequent."""
    for seed in SEEDS:
        given, (right, wrong), depths = two_poses(seed, (80, 100))
        scorer = depth_scorer(predicted(depths), "relative", DepthConfig())
        assert is_at(make(), given, right, scorer)
        assert is_at(make(), given, wrong, None)


@pytest.mark.parametrize("kind", ["metric", "inverse"])
def test_metric_and_inverse_depths(kind: str) -> None:
    given, (right, _), depths = two_poses(3, (70, 100))
    values = depths / 7 if kind == "metric" else 0.2 + 3 / depths
    assert is_at(make(), given, right, depth_scorer(values, kind, DepthConfig()))


def test_depth_is_along_the_optical_axis_of_a_wide_lens() -> None:
    """At 80 degrees from the axis, depth is a sixth of the distance."""
    camera = camera_from_focal("OPENCV_FISHEYE", 1000, 1000, 340, has_prior_focal=True)
    estimator = make()
    for seed in range(4):
        given, (right, wrong), depths = two_poses(seed, (70, 100), camera)
        in_front = np.where(depths > 0.2, predicted(np.abs(depths)), np.nan)
        scorer = depth_scorer(in_front, "relative", DepthConfig())
        assert is_at(estimator, given, right, scorer, camera)
        assert is_at(estimator, given, wrong, None, camera)


def test_inliers_do_not_depend_on_depths() -> None:
    """Inliers with a wrong predicted depth stay inliers: depths only help to select the pose."""
    given, (right, _), depths = two_poses(2, (100, 60))
    values = predicted(depths)
    values[:30] *= 3
    found = make().estimate(given, CAMERA, depth_scorer(values, "relative", DepthConfig()))
    alone = make().estimate(given.subset(np.arange(100)), CAMERA)
    assert found is not None and alone is not None
    assert pose_errors(found.cam_from_world, right)[0] < 0.1
    assert found.inlier_mask[:100].sum() == alone.num_inliers


def score_ones(depths: Float64, inliers: np.ndarray) -> Float64:
    assert depths.shape == inliers.shape
    return np.ones(len(depths))


def unknown_depths(scene: Scene) -> DepthScorer:
    return depth_scorer(np.full(len(scene.inlier_mask), np.nan), "relative", DepthConfig())


@pytest.mark.parametrize("share", [0.6, 0.1])
@pytest.mark.parametrize("sampling", ["mixed", "prosac"])
def test_neutral_scorers_do_not_change_the_result(share: float, sampling: str) -> None:
    scene = make_scene(21, 800, share)
    estimator = make(sampling=sampling)
    base = estimator.estimate(scene.correspondences, CAMERA)
    assert base is not None
    for scorer in (None, score_ones, unknown_depths(scene)):
        found = estimator.estimate(scene.correspondences, CAMERA, scorer)
        assert found is not None
        assert found.cam_from_world.rotation.tobytes() == base.cam_from_world.rotation.tobytes()
        assert (
            found.cam_from_world.translation.tobytes() == base.cam_from_world.translation.tobytes()
        )
        assert found.num_trials == base.num_trials
        assert (found.inlier_mask == base.inlier_mask).all()


def test_scorer_gets_all_rows_with_unusable_ones_masked() -> None:
    """Rows without finite pixels are hidden from RANSAC, but keep their index for the scorer."""
    given, (right, _), depths = two_poses(5, (90, 100))
    points2D, values = given.points2D.copy(), predicted(depths)
    broken = np.arange(0, len(given), 7)
    points2D[broken] = np.nan
    given = Correspondences(
        points2D, given.points3D, given.keypoint_idxs, given.point3D_idxs, given.weights
    )
    asked = []

    def scorer(depths: Float64, inliers: np.ndarray) -> Float64:
        asked.append(np.isfinite(depths[:, broken]).any() or inliers[:, broken].any())
        assert depths.shape == inliers.shape == (len(depths), len(values))
        return depth_scorer(values, "relative", DepthConfig())(depths, inliers)

    assert is_at(make(), given, right, scorer)
    assert asked and not any(asked)
    assert restrict_scorer(None, np.array([True, False])) is None


def test_search_continues_after_a_pose_with_a_low_depth_factor() -> None:
    scene = make_scene(23, 600, 0.3)
    drawn = []
    for factor in (2.0, 1.0, 0.5):
        found = make().estimate(
            scene.correspondences, CAMERA, lambda z, _, f=factor: np.full(len(z), f)
        )
        assert found is not None
        drawn.append(found.num_trials)
    assert drawn[0] == drawn[1]
    assert drawn[2] > 4 * drawn[1]  # eight times as many for half of its inliers


@pytest.mark.parametrize("name", ESTIMATORS)
def test_every_estimator_accepts_a_depth_scorer(name: str) -> None:
    scene = make_scene(24, 400, 0.4)
    scorer = depth_scorer(
        predicted(scene.cam_from_world.apply(scene.correspondences.points3D)[:, 2]),
        "relative",
        DepthConfig(),
    )
    assert is_at(make(name), scene.correspondences, scene.cam_from_world, scorer)
    found = make(name).ransac(scene.correspondences, CAMERA, 1000, scorer)
    assert found is not None


def test_depth_scorer_is_used_with_an_unknown_focal_length() -> None:
    given, (right, _), depths = two_poses(6, (80, 100))
    scorer = depth_scorer(predicted(depths), "relative", DepthConfig())
    found = estimate_with_focal(make(), given, CAMERA, Config(), scorer)
    assert found is not None
    assert pose_errors(found.cam_from_world, right)[0] < 0.2
