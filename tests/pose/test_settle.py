"""The last look from afar: out of a maximum of the score that is not the highest."""

from __future__ import annotations

import numpy as np

from hloc_lite.geometry.cameras import bearings, projection_jacobian
from hloc_lite.pose.linear_errors import LinearErrors
from hloc_lite.pose.local_optimization import moved, optimize, settle
from hloc_lite.synthetic.correspondences import make_scene

STEPS = 6


def gains_of(noise_px: float, step: float, bound_px: float = 6.0) -> np.ndarray:
    """(30, 3) gains of starts off by about ``step`` (rad, and tenth of it in units), of what the
    usual steps make of them, and of what settling does."""
    found = []
    for seed in range(30):
        scene = make_scene(seed, count=150, inlier_ratio=0.5, noise_px=noise_px)
        given, camera, pose = scene.correspondences, scene.camera, scene.cam_from_world
        rays = bearings(camera, given.points2D)
        bounds = np.full(len(rays), bound_px)
        errors = LinearErrors.of(rays, projection_jacobian(camera, rays), given.points3D, bounds)
        weights = np.ones(len(rays))
        exact = np.concatenate([pose.rotation.ravel(), pose.translation])
        off = np.random.default_rng(seed).normal(size=6) * step
        start = moved(exact, off * [1, 1, 1, 10, 10, 10])
        first = float(errors.gains(start[None])[0].sum())
        usual = optimize(errors, given.points3D, weights, start, STEPS)[1]
        settled, gains = settle(errors, given.points3D, weights, start, STEPS)
        np.testing.assert_allclose(gains, errors.gains(settled[None])[0], atol=1e-9)
        found.append((first, usual.sum(), gains.sum()))
    return np.array(found)


def test_settling_never_loses_and_finds_more_than_the_usual_steps() -> None:
    first, usual, settled = gains_of(noise_px=2.5, step=0.005).T
    assert (settled >= first).all()
    assert settled.mean() > 1.2 * usual.mean()


def test_where_keypoints_are_exact_a_good_pose_is_left_alone() -> None:
    first, _, settled = gains_of(noise_px=0.5, step=0.0).T
    np.testing.assert_allclose(settled, first, rtol=1e-9)
