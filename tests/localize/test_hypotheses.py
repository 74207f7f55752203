"""Several poses of one query: which of them count as one place, and what is made of them."""

from __future__ import annotations

import numpy as np
import pytest
from hloc_lite.localize.hypotheses import choose, places_of, rival_trials

from hloc_lite.config import load_config
from hloc_lite.geometry.cameras import bearings
from hloc_lite.geometry.rotations import exp_so3, pose_errors
from hloc_lite.io.weights import WeightsStore
from hloc_lite.localize.estimation import PoseSolver
from hloc_lite.localize.result import Attempt
from hloc_lite.pose.merging import merge_correspondences
from hloc_lite.registry import ESTIMATORS, Runtime, create
from hloc_lite.synthetic.correspondences import CAMERA, make_scene
from hloc_lite.types import Correspondences, PoseEstimate, Rigid3

CONFIG = load_config()


def attempt(center: tuple[float, float, float], count: int, turned_deg: float = 0.0) -> Attempt:
    """Count inliers 10 in front of a camera there."""
    rotation = exp_so3(np.array([0, np.radians(turned_deg), 0]))
    pose = Rigid3(rotation, -rotation @ np.array(center))
    seen = np.random.default_rng(count).uniform(100, 500, (count, 2))
    points = pose.inverse().apply(10 * bearings(CAMERA, seen))
    order = np.arange(count)
    given = Correspondences(seen, points, order, order, np.ones(count))
    return Attempt(
        given, PoseEstimate(pose, np.ones(count, bool), 1, None, CAMERA), {}, np.ones(count)
    )


def nothing(*_: object) -> None:
    return None


def no_rival(_: Attempt) -> float:
    return 0.0


def test_poses_near_one_another_are_one_place_and_together_outweigh_a_larger_one() -> None:
    lone, near, nearer = attempt((50, 0, 0), 40), attempt((0, 0, 0), 25), attempt((0.5, 0, 0), 20)
    found = choose([lone, near, nearer], nothing, no_rival, CONFIG.localize)
    assert found.attempt is near and found.num_agreeing == 2
    assert found.ambiguity == pytest.approx(40 / 45)


@pytest.mark.parametrize(
    ("shift", "turn", "places"), [(0.9, 0, 1), (1.2, 0, 2), (0, 4, 1), (0, 6, 2)]
)
def test_bounds_of_a_place(shift: float, turn: float, places: int) -> None:
    """A tenth of the depth of 10, and 5 degrees."""
    found = places_of([attempt((0, 0, 0), 30), attempt((shift, 0, 0), 20, turn)], CONFIG.localize)
    assert len(found) == places


def test_without_any_pose_there_is_no_ambiguity_to_speak_of() -> None:
    empty = Attempt(attempt((0, 0, 0), 5).correspondences, None, {}, np.ones(5))
    found = choose([empty, empty], nothing, no_rival, CONFIG.localize)
    assert found.attempt is empty and found.ambiguity is None


def test_joined_attempts_are_solved_on_all_their_matches() -> None:
    scene = make_scene(3, 400, 0.5)
    solver = PoseSolver(
        create(ESTIMATORS, "weighted", CONFIG.pose, Runtime(WeightsStore(offline=True))),
        CONFIG, scene.camera, calibrated=True,
    )  # fmt: skip
    halves = [scene.correspondences.subset(np.arange(start, 400, 2)) for start in (0, 1)]
    attempts = [Attempt(half, solver.solve(half), {}, solver.gains(half)) for half in halves]
    found = choose(attempts, solver.refine, solver.rival, CONFIG.localize)
    assert found.num_agreeing == 2 and found.ambiguity < 0.1  # chance inliers
    whole = solver.solve(scene.correspondences)
    assert found.attempt.pose is not None and whole is not None
    assert found.attempt.pose.num_inliers == whole.num_inliers
    distance, angle = pose_errors(found.attempt.pose.cam_from_world, whole.cam_from_world)
    assert distance < 1e-4 and angle < 1e-3


@pytest.mark.parametrize("share", [0.9, 0.6])
def test_a_second_place_in_the_left_over_matches_makes_the_answer_ambiguous(share: float) -> None:
    """The same photo shows a street and its twin, 40 away: matches with both."""
    scene = make_scene(5, 200, 1.0)
    twins = scene.correspondences.points3D + np.array([40.0, 0, 0])
    number = np.arange(200)
    mixed, _ = merge_correspondences([
        scene.correspondences,
        Correspondences(scene.correspondences.points2D, twins, number, 200 + number,
                        np.ones(200)).subset(number[: int(200 * share)]),
    ])  # fmt: skip
    solver = PoseSolver(
        create(ESTIMATORS, "weighted", CONFIG.pose, Runtime(WeightsStore(offline=True))),
        CONFIG, scene.camera, calibrated=True,
    )  # fmt: skip
    given = Attempt(mixed, solver.solve(mixed), {}, solver.gains(mixed))
    found = choose([given], solver.refine, solver.rival, CONFIG.localize)
    assert found.ambiguity == pytest.approx(share, abs=0.05)


def test_a_union_takes_each_pair_once_with_its_best_weight() -> None:
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


def test_trials_for_a_rival_grow_as_it_is_harder_to_find() -> None:
    config = CONFIG.localize
    assert rival_trials(100, 50, config) <= 1
    assert 30 < rival_trials(100, 100, config) < 40  # (1 - 1/8)^35 = 1 %
    assert rival_trials(12, 500, config) == config.max_runner_up_trials
    assert rival_trials(0, 100, config) == 0


def test_layers_weigh_by_their_own_noise() -> None:
    """Few precise pixels beside many coarse ones; who is which is not told, only who is alike."""
    config, rng = load_config(), np.random.default_rng(0)
    estimator = create(ESTIMATORS, "weighted", config.pose, Runtime(WeightsStore()))
    solver = PoseSolver(estimator, config, CAMERA, calibrated=True)
    layers = np.repeat([0, 1], [60, 240])
    exact, order, errors = Rigid3.identity(), np.arange(300), []
    for _ in range(20):
        seen = rng.uniform((20, 20), (CAMERA.width - 20, CAMERA.height - 20), (300, 2))
        points = rng.uniform(5, 15, (300, 1)) * bearings(CAMERA, seen)
        seen = seen + rng.standard_normal(seen.shape) * np.where(layers, 2.0, 0.2)[:, None]
        given = Correspondences(seen, points, order, order, np.ones(300))
        start = PoseEstimate(exact, np.ones(300, bool), 1, None, CAMERA)
        found = [solver.refine(given, start, kinds) for kinds in (np.zeros(300, int), layers)]
        errors.append([pose_errors(each.cam_from_world, exact)[0] for each in found])
        assert found[1].covariance.trace() < found[0].covariance.trace()
    alike, own = np.median(errors, axis=0)
    assert own < 0.5 * alike
