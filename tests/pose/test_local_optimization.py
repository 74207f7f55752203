"""Annealed local optimization escapes maxima of the score that are not the highest."""

from __future__ import annotations

import numpy as np

from hloc_lite.geometry.cameras import bearings, projection_jacobian
from hloc_lite.pose.batch_reprojection import BatchReprojection, RansacProblem
from hloc_lite.pose.local_optimization import optimize_pose, optimize_with_annealing, perturb
from hloc_lite.synthetic.correspondences import make_scene

STEPS = 6


def scores_of(noise_px: float, step: float, bound_px: float = 6.0) -> np.ndarray:
    """(30, 3) scores of perturbed poses, after plain and after annealed optimization.

    Args:
        step: size of the perturbation, in rad, and a tenth of it in map units.
    """
    found = []
    for seed in range(30):
        scene = make_scene(seed, count=150, inlier_ratio=0.5, noise_px=noise_px)
        given, camera, pose = scene.correspondences, scene.camera, scene.cam_from_world
        rays = bearings(camera, given.points2D)
        bounds = np.full(len(rays), bound_px)
        errors = BatchReprojection.from_rays(
            rays, projection_jacobian(camera, rays), given.points3D, bounds
        )
        weights = np.ones(len(rays))
        problem = RansacProblem(rays, given.points3D, weights, weights, errors)
        exact = np.concatenate([pose.rotation.ravel(), pose.translation])
        off = np.random.default_rng(seed).normal(size=6) * step
        start = perturb(exact, off * [1, 1, 1, 10, 10, 10])
        first = float(errors.msac_scores(start[None])[0].sum())
        plain = optimize_pose(problem, start, STEPS)[1]
        annealed, msac = optimize_with_annealing(problem, start, STEPS)
        np.testing.assert_allclose(msac, errors.msac_scores(annealed[None])[0], atol=1e-9)
        found.append((first, plain.sum(), msac.sum()))
    return np.array(found)


def test_annealing_never_lowers_the_score_and_beats_plain_optimization() -> None:
    first, plain, annealed = scores_of(noise_px=2.5, step=0.005).T
    assert (annealed >= first).all()
    assert annealed.mean() > 1.2 * plain.mean()


def test_annealing_leaves_a_good_pose_of_accurate_keypoints_unchanged() -> None:
    first, _, annealed = scores_of(noise_px=0.5, step=0.0).T
    np.testing.assert_allclose(annealed, first, rtol=1e-9)
