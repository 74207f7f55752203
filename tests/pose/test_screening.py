"""Screening of pose hypotheses in NumPy and torch."""

from __future__ import annotations

import numpy as np
import pytest

from hloc_lite.config import PoseConfig
from hloc_lite.geometry.cameras import bearings, projection_jacobian
from hloc_lite.geometry.rotations import rotation_angle_deg
from hloc_lite.pose.batch_reprojection import BatchReprojection, RansacProblem
from hloc_lite.pose.sampling import draw_uniform
from hloc_lite.pose.screening import HypothesisScreening
from hloc_lite.pose.weighted_ransac import weighted_ransac
from hloc_lite.synthetic.correspondences import Scene, make_scene

CONFIG = PoseConfig(device_batch=2048)


def problem_of(scene: Scene) -> RansacProblem:
    given = scene.correspondences
    count = len(given)
    rays = bearings(scene.camera, given.points2D)
    jacobians = projection_jacobian(scene.camera, rays)
    errors = BatchReprojection.from_rays(rays, jacobians, given.points3D, np.full(count, 6.0))
    weights = np.random.default_rng(0).uniform(0.5, 1.5, count)
    return RansacProblem(rays, given.points3D, weights, weights, errors)


def screening(problem: RansacProblem, device: str | None = None) -> HypothesisScreening:
    return HypothesisScreening(problem, CONFIG, np.random.default_rng(2), device)


@pytest.mark.parametrize(("count", "batch"), [(300, 128), (1500, 3000)])
def test_torch_and_numpy_keep_the_same_poses(count: int, batch: int) -> None:
    """Two rounds for many poses, one for few, none where correspondences are few."""
    pytest.importorskip("torch")
    problem = problem_of(make_scene(1, count=count, inlier_ratio=0.3))
    sample = draw_uniform(np.random.default_rng(1), batch, count)
    one, other = (screening(problem, device).promising_poses(sample) for device in (None, "cpu"))
    assert one[0].shape == (CONFIG.screening_survivors, 12)
    for poses, scores in (one, other):
        assert poses.dtype == np.float64
        assert scores.dtype == np.float32
        expected = problem.errors.msac_scores(poses) @ problem.score_weights
        np.testing.assert_allclose(scores, expected, rtol=1e-4, atol=0.01)
    # poses at the limit may differ by rounding, the best do not
    best = CONFIG.screening_survivors // 4
    for poses, scores in (one, other):
        order = np.argsort(-scores)
        poses[:], scores[:] = poses[order], scores[order]
    np.testing.assert_allclose(one[0][:best], other[0][:best], rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(one[1][:best], other[1][:best], rtol=1e-4)


def test_ransac_on_a_device_finds_the_pose_in_one_large_batch() -> None:
    pytest.importorskip("torch")
    scene = make_scene(3, count=1000, inlier_ratio=0.2)
    found = weighted_ransac(problem_of(scene), CONFIG, 100_000, "cpu")
    assert found is not None
    assert found.num_trials == CONFIG.device_batch
    rotation = found.pose[:9].reshape(3, 3)
    assert rotation_angle_deg(rotation, scene.cam_from_world.rotation) < 0.2
    assert (found.inliers & scene.inlier_mask).sum() > 0.98 * scene.inlier_mask.sum()


def test_single_precision_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """Devices without double precision (mps) also solve in single."""
    torch = pytest.importorskip("torch")
    real = torch.tensor

    def on_cpu(array: np.ndarray, dtype: object, device: str) -> object:
        assert device == "mps"
        assert dtype in (torch.float32, torch.int64)
        return real(array, dtype=dtype)

    monkeypatch.setattr(torch, "tensor", on_cpu)
    for seed in range(3):
        scene = make_scene(seed, count=1000, inlier_ratio=0.2)
        found = weighted_ransac(problem_of(scene), CONFIG, 100_000, "mps")
        assert found is not None
        rotation = found.pose[:9].reshape(3, 3)
        assert rotation_angle_deg(rotation, scene.cam_from_world.rotation) < 0.2
        assert (found.inliers & scene.inlier_mask).sum() > 0.98 * scene.inlier_mask.sum()


def test_degenerate_samples_give_no_poses() -> None:
    problem = problem_of(make_scene(4, count=50))
    poses, scores = screening(problem).promising_poses(np.zeros((5, 3), np.int64))
    assert poses.shape == (0, 12)
    assert scores.shape == (0,)
