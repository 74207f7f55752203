"""Pose hypotheses of one query: which of them agree, which is selected, and its runner-up."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy.interpolate import NearestNDInterpolator

from hloc_lite.config import Config, load_config
from hloc_lite.consistency.cue_combination import combine_cues
from hloc_lite.geometry.cameras import bearings
from hloc_lite.geometry.rotations import exp_so3, pose_errors
from hloc_lite.localize.estimation import (
    PoseHypothesis,
    PoseSolver,
    estimate_hypotheses,
    group_by_location,
    log_likelihood_ratios,
    runner_up_trials,
    score_inliers,
    select_hypothesis,
)
from hloc_lite.localize.weighting import MatchCues, WeightedMatches, weigh
from hloc_lite.pose.merging import merge_correspondences
from hloc_lite.pose.variance_components import refine_with_noise_groups
from hloc_lite.registry import ESTIMATORS, Runtime, create
from hloc_lite.synthetic.correspondences import CAMERA, make_scene
from hloc_lite.types import (
    Bool,
    Camera,
    Correspondences,
    DepthMap,
    Float64,
    PoseEstimate,
    PutativeMatches,
    Rigid3,
)
from tests.exact_scene import NoWeights

CONFIG = load_config()


class StandInEstimator:
    """Estimator that answers by a function and finds nothing elsewhere."""

    def __init__(self, estimate: Callable[[Correspondences], PoseEstimate | None]) -> None:
        self._estimate = estimate
        self.depth_scorers: list[object] = []

    def estimate(self, correspondences, camera, depth_scorer=None) -> PoseEstimate | None:
        self.depth_scorers.append(depth_scorer)
        return self._estimate(correspondences)

    def ransac(self, *_: object) -> None:
        return None


def solver_of(
    estimator: object | None = None,
    camera: Camera = CAMERA,
    config: Config = CONFIG,
    depth_map: DepthMap | None = None,
) -> PoseSolver:
    """Solver of a calibrated query; the default estimator unless one is given."""
    if estimator is None:
        estimator = create(ESTIMATORS, "weighted", config.pose, Runtime(NoWeights()))
    return PoseSolver(estimator, config, camera, calibrated=True, depth_map=depth_map)


NOTHING_ELSEWHERE = solver_of(StandInEstimator(lambda _: None))


def hypothesis(
    center: tuple[float, float, float], count: int, turned_deg: float = 0.0
) -> PoseHypothesis:
    """``count`` inliers, each one nat, 10 in front of a camera."""
    rotation = exp_so3(np.array([0, np.radians(turned_deg), 0]))
    pose = Rigid3(rotation, -rotation @ np.array(center))
    points2D = np.random.default_rng(count).uniform(100, 500, (count, 2))
    points = pose.inverse().apply(10 * bearings(CAMERA, points2D))
    idxs = 1000 * count + np.arange(count)  # no other hypothesis has these
    correspondences = Correspondences(points2D, points, idxs, idxs, np.ones(count))
    inliers = np.ones(count, bool)
    estimate = PoseEstimate(pose, inliers, 1, None, CAMERA)
    ratios = np.ones(count)
    score = score_inliers(correspondences, ratios, inliers, 0.5)
    return PoseHypothesis(correspondences, estimate, ratios, score, 0.5, {}, (), 0)


def solved(correspondences: Correspondences, solver: PoseSolver) -> PoseHypothesis:
    """Hypothesis of some correspondences, as one cluster of the query."""
    order = np.arange(len(correspondences))
    matches = PutativeMatches(
        order, order, 0 * order, np.ones(len(order)), np.zeros((len(order), 3))
    )
    weights = combine_cues(matches, [], solver.config.weighting)
    (found,) = estimate_hypotheses([WeightedMatches(correspondences, weights, {}, 0)], solver)
    return found


def test_nearby_poses_are_one_location_and_together_outweigh_a_larger_one() -> None:
    lone, near, nearer = (
        hypothesis((50, 0, 0), 40), hypothesis((0, 0, 0), 25), hypothesis((0.5, 0, 0), 20)
    )  # fmt: skip
    found = select_hypothesis([lone, near, nearer], NOTHING_ELSEWHERE)
    assert found.num_agreeing == 2
    assert pose_errors(found.hypothesis.pose.cam_from_world, near.pose.cam_from_world)[0] < 1
    assert found.ambiguity == pytest.approx(40 / 45)


@pytest.mark.parametrize(
    ("shift", "turn_deg", "num_locations"), [(0.9, 0, 1), (1.2, 0, 2), (0, 4, 1), (0, 6, 2)]
)
def test_bounds_of_a_location(shift: float, turn_deg: float, num_locations: int) -> None:
    """A tenth of the depth of 10, and 5 degrees."""
    both = [hypothesis((0, 0, 0), 30), hypothesis((shift, 0, 0), 20, turn_deg)]
    assert len(group_by_location(both, CONFIG.localize)) == num_locations


def test_without_any_pose_there_is_no_ambiguity() -> None:
    correspondences = hypothesis((0, 0, 0), 5).correspondences
    empty = PoseHypothesis(correspondences, None, np.ones(5), 0.0, 0.5, {}, (), 0)
    found = select_hypothesis([empty, empty], NOTHING_ELSEWHERE)
    assert found.hypothesis is empty and found.ambiguity is None


def test_joined_hypotheses_are_solved_on_all_their_matches() -> None:
    scene = make_scene(3, 400, 0.5)
    solver = solver_of(camera=scene.camera)
    halves = [scene.correspondences.subset(np.arange(start, 400, 2)) for start in (0, 1)]
    found = select_hypothesis([solved(half, solver) for half in halves], solver)
    assert found.num_agreeing == 2 and found.ambiguity < 0.1  # chance inliers
    whole = solver.estimator.estimate(scene.correspondences, scene.camera)
    assert found.hypothesis.pose is not None and whole is not None
    assert found.hypothesis.pose.num_inliers == whole.num_inliers
    distance, angle_deg = pose_errors(found.hypothesis.pose.cam_from_world, whole.cam_from_world)
    assert distance < 1e-4 and angle_deg < 1e-3


@pytest.mark.parametrize("share", [0.9, 0.6])
def test_a_second_location_among_the_left_over_matches_makes_a_pose_ambiguous(share: float) -> None:
    """The same photo shows a street and its twin, 40 away: matches with both."""
    scene = make_scene(5, 200, 1.0)
    twins = scene.correspondences.points3D + np.array([40.0, 0, 0])
    number = np.arange(200)
    mixed, _ = merge_correspondences([
        scene.correspondences,
        Correspondences(scene.correspondences.points2D, twins, number, 200 + number,
                        np.ones(200)).subset(number[: int(200 * share)]),
    ])  # fmt: skip
    solver = solver_of(camera=scene.camera)
    found = select_hypothesis([solved(mixed, solver)], solver)
    assert found.ambiguity == pytest.approx(share, abs=0.05)


def test_merging_keeps_each_pair_once_with_its_largest_weight() -> None:
    first = Correspondences(
        [[1, 1], [2, 2]], [[0, 0, 1], [0, 0, 2]], [1, 2], [10, 20], [0.5, 0.1]
    )  # fmt: skip
    second = Correspondences([[2, 2], [2, 2]], [[0, 0, 2], [0, 0, 3]], [2, 2], [20, 30], [0.7, 1])
    found, rows = merge_correspondences([first, second])
    assert found.keypoint_idxs.tolist() == [1, 2, 2]
    assert found.point3D_idxs.tolist() == [10, 20, 30]
    assert found.weights.tolist() == [0.5, 0.7, 1]
    assert found.bound_factors is None
    assert rows.tolist() == [0, 2, 3]


def test_a_runner_up_that_is_harder_to_find_gets_more_trials() -> None:
    config = CONFIG.localize
    assert runner_up_trials(100, 50, config) <= 1
    assert 30 < runner_up_trials(100, 100, config) < 40  # (1 - 1/8)^35 = 1 %
    assert runner_up_trials(12, 500, config) == config.max_runner_up_trials
    assert runner_up_trials(0, 100, config) == 0


def test_features_of_each_map_are_weighted_by_their_own_noise() -> None:
    """Few precise keypoints beside many coarse ones; only the groups are known, not the noise."""
    rng = np.random.default_rng(0)
    map_idxs = np.repeat([0, 1], [60, 240])
    exact, order, errors = Rigid3.identity(), np.arange(300), []
    for _ in range(20):
        points2D = rng.uniform((20, 20), (CAMERA.width - 20, CAMERA.height - 20), (300, 2))
        points = rng.uniform(5, 15, (300, 1)) * bearings(CAMERA, points2D)
        noise = rng.standard_normal(points2D.shape) * np.where(map_idxs, 2.0, 0.2)[:, None]
        given = Correspondences(points2D + noise, points, order, order, np.ones(300))
        start = PoseEstimate(exact, np.ones(300, bool), 1, None, CAMERA)
        found = [
            refine_with_noise_groups(given, start, groups, CONFIG.pose, refine_focal=False)
            for groups in (np.zeros(300, int), map_idxs)
        ]
        errors.append([pose_errors(each.cam_from_world, exact)[0] for each in found])
        assert found[1].covariance.trace() < found[0].covariance.trace()
    one_noise, own_noise = np.median(errors, axis=0)
    assert own_noise < 0.5 * one_noise


def depth_map_of(points2D: Float64, depths: Float64) -> DepthMap:
    """640 x 480 depth map with the depth of the nearest point at each pixel."""
    columns, rows = np.meshgrid(np.arange(640) + 0.5, np.arange(480) + 0.5)
    values = NearestNDInterpolator(points2D, depths)(columns, rows).astype(np.float32)
    return DepthMap(values, (640, 480))


def test_of_two_locations_the_one_with_the_predicted_depths_is_selected() -> None:
    """Of 65 matches, 30 agree on one pose and 35 on another; only the first fits the depths."""
    rng = np.random.default_rng(0)
    camera = Camera("PINHOLE", 640, 480, np.array([500.0, 500, 320, 240]))
    keypoints = rng.uniform((20, 20), (620, 460), (65, 2))
    rays = np.concatenate([(keypoints - [320, 240]) / 500, np.ones((65, 1))], axis=1)
    depths = rng.uniform(5, 40, 65)
    is_first = np.arange(65) < 30
    depth_map = depth_map_of(keypoints, np.where(is_first, depths, rng.uniform(5, 40, 65)))
    idxs = np.arange(65)
    matches = PutativeMatches(
        idxs, idxs, np.where(is_first, 0, 1), np.ones(65), rays * depths[:, None]
    )
    clusters = (np.array([0]), np.array([1]))
    weighted = weigh(
        [(0, MatchCues(matches, (), None), clusters)], keypoints.astype(np.float32), CONFIG
    )

    def estimate(correspondences: Correspondences) -> PoseEstimate:
        sideways = 0.0 if len(correspondences) == 30 else 50.0  # which changes no depth
        pose = Rigid3(np.eye(3), np.array([sideways, 0, 0]))
        return PoseEstimate(pose, np.ones(len(correspondences), bool), 1, None, camera)

    num_selected = []
    for known in (depth_map, None):
        solver = solver_of(StandInEstimator(estimate), camera, depth_map=known)
        found = select_hypothesis(estimate_hypotheses(weighted, solver), solver)
        assert found.num_agreeing == 1 and 0 < found.ambiguity <= 1
        num_selected.append(len(found.hypothesis.correspondences))
    assert num_selected == [30, 35]


def test_depth_scores_poses_within_ransac_only_if_configured() -> None:
    rng = np.random.default_rng(0)
    points2D, depths = rng.uniform((0, 0), (640, 480), (40, 2)), rng.uniform(5, 40, 40)
    order = np.arange(40)
    given = Correspondences(points2D, np.zeros((40, 3)), order, order, np.ones(40))
    depth_map = depth_map_of(points2D, depths)
    both = np.stack([3 * depths, rng.permutation(depths)])
    in_ransac = ["depth.in_ransac=true"]
    for known, settings in ((depth_map, in_ransac), (depth_map, []), (None, in_ransac)):
        estimator = StandInEstimator(lambda _: None)
        config = load_config(settings=settings)
        solved(given, solver_of(estimator, config=config, depth_map=known))
        (scorer,) = estimator.depth_scorers
        if not settings or known is None:
            assert scorer is None
            continue
        assert scorer is not None
        right, wrong = scorer(both, np.ones((2, 40), bool))
        assert right == 2 * config.depth.full_agreement
        assert wrong < 1
        # too few inliers have no influence
        few: Bool = np.tile(order < 10, (2, 1))
        assert (scorer(both, few) == 1).all()


def test_log_likelihood_ratios_grow_with_the_weight_of_the_query() -> None:
    given = hypothesis((0, 0, 0), 20).correspondences
    solver = solver_of()
    once, twice = (log_likelihood_ratios(given, solver, relative) for relative in (1.0, 2.0))
    assert (once > 0).all() and (twice > once).all()
