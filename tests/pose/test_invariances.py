"""Invariances and equivariances of the pose estimators, and degenerate input."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from scipy.stats import chi2

from hloc_lite.config import PoseConfig
from hloc_lite.evaluation.metrics import squared_mahalanobis
from hloc_lite.io.weights import WeightsStore
from hloc_lite.protocols import PoseEstimator
from hloc_lite.registry import ESTIMATORS, Runtime, create
from hloc_lite.synthetic.correspondences import CAMERA, Scene, informative_weights, make_scene
from hloc_lite.types import Camera, Correspondences, PoseEstimate, Rigid3

SAME_SIGMAS = 0.02
"""Largest distance between refinements to the same minimum, in standard deviations of the pose."""


def make(name: str, **settings: object) -> PoseEstimator:
    made: PoseEstimator = create(
        ESTIMATORS, name, PoseConfig(**settings), Runtime(WeightsStore(offline=True))
    )
    return made


@pytest.fixture(params=ESTIMATORS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def solve(name: str, given: Correspondences, camera: Camera = CAMERA, **kw: object) -> PoseEstimate:
    found = make(name, **kw).estimate(given, camera)
    assert found is not None
    assert found.covariance is not None
    return found


def sigmas_apart(one: PoseEstimate, other: Rigid3) -> float:
    """Mahalanobis distance in standard deviations of the first pose."""
    assert one.covariance is not None
    return float(np.sqrt(squared_mahalanobis(one.cam_from_world, other, one.covariance)))


def assert_same(other: PoseEstimate, one: PoseEstimate) -> None:
    """Poses and covariances agree."""
    assert sigmas_apart(one, other.cam_from_world) < SAME_SIGMAS
    assert one.covariance is not None
    assert other.covariance is not None
    # entry by entry, in units of the two parameters' own deviations
    deviations = np.sqrt(np.diag(one.covariance))
    scale = np.outer(deviations, deviations)
    np.testing.assert_allclose(other.covariance / scale, one.covariance / scale, atol=0.01)


def weighted_scene(seed: int, count: int = 500, share: float = 0.3) -> Scene:
    scene = make_scene(seed, count=count, inlier_ratio=share)
    weights = informative_weights(scene, 1.19, seed)
    return replace(scene, correspondences=replace(scene.correspondences, weights=weights))


def test_result_depends_on_input_and_seed_only(name: str) -> None:
    """Neither on earlier calls of the estimator nor on NumPy's global generator."""
    scene = weighted_scene(31, share=0.2)
    np.random.seed(1)
    undisturbed = np.random.random(3)
    np.random.seed(1)
    fresh = solve(name, scene.correspondences)
    np.testing.assert_array_equal(np.random.random(3), undisturbed)
    used = make(name)
    used.estimate(make_scene(32).correspondences, CAMERA)
    again = used.estimate(scene.correspondences, CAMERA)
    assert again is not None
    assert again.cam_from_world.translation.tobytes() == fresh.cam_from_world.translation.tobytes()
    assert again.cam_from_world.rotation.tobytes() == fresh.cam_from_world.rotation.tobytes()
    np.testing.assert_array_equal(again.covariance, fresh.covariance)
    assert again.num_trials == fresh.num_trials
    np.testing.assert_array_equal(again.inlier_mask, fresh.inlier_mask)


def test_other_seeds_draw_other_samples_and_find_the_same_pose() -> None:
    scene = make_scene(33, count=1000, inlier_ratio=0.08)
    found = [solve("weighted", scene.correspondences, seed=seed) for seed in range(4)]
    for other in found[1:]:
        assert (
            sigmas_apart(found[0], other.cam_from_world) < 1
        )  # a match at its bound may be inlier or not
    assert len({each.cam_from_world.translation.tobytes() for each in found}) > 1


def test_pose_and_covariance_are_equivariant_to_similarities_of_the_world(name: str) -> None:
    scene = weighted_scene(34)
    given = scene.correspondences
    world = Rigid3(Rotation.random(random_state=1).as_matrix(), np.array([1e3, -2e3, 5e2]))
    factor = 37.0
    one = solve(name, given)
    other = solve(name, replace(given, points3D=world.apply(factor * given.points3D)))
    np.testing.assert_array_equal(other.inlier_mask, one.inlier_mask)
    # cam_from_moved_world, in the old unit, after world_from_old: the old pose
    scaled_back = Rigid3(
        other.cam_from_world.rotation @ world.rotation,
        other.cam_from_world.apply(world.translation) / factor,
    )
    # the covariance is in the camera frame: a rotation of the world does not change it
    unit = np.repeat([1, factor], 3)
    assert other.covariance is not None
    covariance = other.covariance / np.outer(unit, unit)
    assert_same(replace(other, cam_from_world=scaled_back, covariance=covariance), one)


def test_pose_does_not_depend_on_the_resolution(name: str) -> None:
    """Bounds are relative to the image's size."""
    scene = weighted_scene(35)
    one = solve(name, scene.correspondences)
    params = scene.camera.params * np.array([3, 3, 3, 1])
    larger = replace(
        scene.camera, width=3 * scene.camera.width, height=3 * scene.camera.height, params=params
    )
    given = replace(scene.correspondences, points2D=3 * scene.correspondences.points2D)
    other = solve(name, given, larger)
    np.testing.assert_array_equal(other.inlier_mask, one.inlier_mask)
    assert_same(other, one)


def test_pose_does_not_depend_on_the_order_of_rows(name: str) -> None:
    scene = weighted_scene(36)
    rng = np.random.default_rng(0)
    given = replace(scene.correspondences, bound_factors=rng.choice([0.5, 1.0, 2.0], 500))
    order = rng.permutation(500)
    one, other = solve(name, given), solve(name, given.subset(order))
    np.testing.assert_array_equal(one.inlier_mask[order], other.inlier_mask)
    assert_same(other, one)


def test_pose_depends_on_relative_weights_only(name: str) -> None:
    scene = weighted_scene(37)
    given = scene.correspondences
    one, other = solve(name, given), solve(name, replace(given, weights=1e-6 * given.weights))
    np.testing.assert_array_equal(one.inlier_mask, other.inlier_mask)
    assert_same(other, one)


@pytest.mark.parametrize("share", [0.5, 1.0])
def test_splitting_rows_by_weight_keeps_the_inliers(share: float) -> None:
    """If all rows are split, the pose stays the same, too. If some are, it moves by less than its
    error: inliers have nearly equal weights in the refinement."""
    scene = weighted_scene(38)
    given = scene.correspondences
    halved = np.random.default_rng(2).random(500) < share
    rows = np.concatenate([np.arange(500), np.flatnonzero(halved)])
    weights = np.where(halved, 0.5, 1.0)[rows] * given.weights[rows]
    one = solve("weighted", given)
    other = solve("weighted", replace(given.subset(rows), weights=weights))
    np.testing.assert_array_equal(other.inlier_mask, one.inlier_mask[rows])
    limit = SAME_SIGMAS if share == 1 else np.sqrt(chi2(6).ppf(0.5))
    assert sigmas_apart(one, other.cam_from_world) < limit


BROKEN = {
    "pixels": ("points2D", np.nan),
    "infinite pixels": ("points2D", np.inf),
    "points": ("points3D", np.nan),
    "infinite points": ("points3D", np.inf),
    "weights": ("weights", np.nan),
    "overflowing pixels": ("points2D", 1e14),
    "overflowing weights": ("weights", 1e308),
    "vanishing weights": ("weights", 1e-308),
}


def broken(given: Correspondences, what: str, count: int) -> Correspondences:
    """Correspondences whose first ``count`` rows are not finite, or out of range."""
    field, value = BROKEN[what]
    array = getattr(given, field).copy()
    array[:count] = value
    return replace(given, **{field: array})


@pytest.mark.parametrize("what", BROKEN)
def test_unusable_rows_are_ignored(name: str, what: str) -> None:
    scene = make_scene(41)
    found = solve(name, broken(scene.correspondences, what, 60))
    kept = solve(name, scene.correspondences.subset(np.arange(60, 500)))
    assert not found.inlier_mask[:60].any()
    np.testing.assert_array_equal(found.inlier_mask[60:], kept.inlier_mask)
    assert_same(found, kept)


@pytest.mark.parametrize("what", BROKEN)
def test_unusable_rows_alone_give_no_pose(name: str, what: str) -> None:
    given = broken(make_scene(42, count=100).correspondences, what, 100)
    assert make(name, max_num_trials=2000).estimate(given, CAMERA) is None


def test_three_points_give_no_pose_but_five_do(name: str) -> None:
    """Three points fit up to four poses exactly; with ``min_inliers=4`` five points give one."""
    given = make_scene(43, count=5, inlier_ratio=1.0, noise_px=0).correspondences
    few = make(name, min_inliers=4)
    assert few.estimate(given.subset(np.arange(3)), CAMERA) is None
    found = few.estimate(given, CAMERA)
    assert found is not None
    assert found.num_inliers == 5


@pytest.mark.parametrize("kind", ["one point", "one line", "one 3D point"])
def test_degenerate_points_give_no_pose(name: str, kind: str) -> None:
    """A repeated correspondence, points on a line, or a repeated 3D point."""
    given = make_scene(44, count=100, inlier_ratio=1.0).correspondences
    degenerate = {
        "one point": replace(
            given,
            points2D=given.points2D[:1].repeat(100, 0),
            points3D=given.points3D[:1].repeat(100, 0),
        ),
        "one line": replace(given, points3D=np.outer(np.linspace(0, 1, 100), [1.0, 2, 3])),
        "one 3D point": replace(given, points3D=np.ones((100, 3))),
    }[kind]
    assert make(name, max_num_trials=2000).estimate(degenerate, CAMERA) is None


def test_outliers_with_any_weights_give_no_pose() -> None:
    scene = make_scene(45, count=500, inlier_ratio=0)
    weights = np.exp(2 * np.random.default_rng(0).normal(size=500))
    given = replace(scene.correspondences, weights=weights)
    assert make("weighted", max_num_trials=20000).estimate(given, CAMERA) is None
