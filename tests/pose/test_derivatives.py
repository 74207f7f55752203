"""Derivatives in refinement and local optimization agree with finite differences."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hloc_lite.evaluation.metrics import squared_mahalanobis
from hloc_lite.geometry.camera_models import CAMERA_MODELS
from hloc_lite.geometry.cameras import (
    bearings,
    focal_lengths,
    get_camera_model,
    img_from_cam,
    pixel_differences,
    projection_jacobian,
)
from hloc_lite.geometry.rotations import exp_so3
from hloc_lite.pose.batch_reprojection import BatchReprojection
from hloc_lite.pose.local_optimization import gauss_newton_step, perturb, transform
from hloc_lite.pose.refine import RefinedPose, refine_pose
from hloc_lite.synthetic.correspondences import Scene, make_scene
from hloc_lite.types import Float64, Rigid3
from tests.geometry.example_cameras import camera_of


def scene_of(model: str) -> tuple[Scene, Float64]:
    """Noisy inliers all over the image of a distorted lens, and random weights."""
    scene = make_scene(21, count=60, inlier_ratio=1.0, noise_px=2.0, camera=camera_of(model))
    rays = bearings(scene.camera, scene.correspondences.points2D)
    usable = np.flatnonzero(np.isfinite(rays).all(axis=1))
    scene = replace(scene, correspondences=scene.correspondences.subset(usable))
    return scene, np.random.default_rng(21).uniform(0.2, 3, len(usable))


def refined(scene: Scene, weights: Float64, loss_px: float, *, focal: bool) -> RefinedPose:
    given = scene.correspondences
    return refine_pose(
        *(given.points2D, given.points3D, scene.camera, scene.cam_from_world, loss_px),
        weights=weights,
        refine_focal=focal,
    )


def loss_around(scene: Scene, weights: Float64, found: RefinedPose, loss_px: float, step: Float64):  # type: ignore[no-untyped-def]
    """Loss of ``refine_pose`` after a left perturbation of its pose (and log focal length)."""
    pose = Rigid3(exp_so3(step[:3]), step[3:6]).compose(found.cam_from_world)
    params = found.camera.params.copy()
    params[: get_camera_model(found.camera).num_focals] *= np.exp(step[6])
    camera = replace(found.camera, params=params)
    projected = img_from_cam(camera, pose.apply(scene.correspondences.points3D))
    errors = pixel_differences(camera, projected, scene.correspondences.points2D)
    return weights @ np.log1p((errors**2).sum(axis=1) / loss_px**2)


@pytest.mark.parametrize("focal", [False, True], ids=["pose", "pose and focal length"])
@pytest.mark.parametrize("model", CAMERA_MODELS)
def test_refinement_ends_at_a_minimum_by_finite_differences(model: str, focal: bool) -> None:
    """With a wrong derivative of any parameter it would end beside the minimum of the loss."""
    if focal and not CAMERA_MODELS[model].num_focals:
        pytest.skip("no focal length")
    scene, weights = scene_of(model)
    loss_px = 3.0
    found = refined(scene, weights, loss_px, focal=focal)
    assert found.covariance is not None
    sizes = 0.05 * np.sqrt(np.diag(found.covariance))
    sizes = np.append(sizes, 1e-4) if focal else sizes
    steps = np.eye(7)[: len(sizes)] * sizes[:, None]

    def loss(step: Float64) -> float:
        return float(loss_around(scene, weights, found, loss_px, step))

    gradient = np.array([(loss(step) - loss(-step)) / 2 for step in steps])
    hessian = np.array(
        [
            [(loss(a + b) - loss(a - b) - loss(b - a) + loss(-a - b)) / 4 for b in steps]
            for a in steps
        ]
    )
    assert np.linalg.eigvalsh(hessian)[0] > 0
    # remaining Newton step, in units of 0.05 standard deviations
    assert np.abs(np.linalg.solve(hessian, gradient)).max() < 0.02 / 0.05


@pytest.mark.parametrize("focal", [False, True])
def test_refinement_is_invariant_to_splitting_a_row_by_weight(focal: bool) -> None:
    scene, weights = scene_of("OPENCV")
    rng = np.random.default_rng(1)
    count = len(weights)
    rows = np.concatenate([np.arange(count), np.flatnonzero(rng.random(count) < 0.5)])
    part = np.where(np.bincount(rows) == 2, rng.uniform(0.1, 0.9, count), 1.0)
    parts = np.concatenate([part, (1 - part)[rows[count:]]]) * weights[rows]
    split = replace(scene, correspondences=scene.correspondences.subset(rows))
    one = refined(scene, weights, 3.0, focal=focal)
    other = refined(split, parts, 3.0, focal=focal)
    assert one.covariance is not None
    assert other.covariance is not None
    off = squared_mahalanobis(other.cam_from_world, one.cam_from_world, one.covariance)
    assert off < 1e-12
    np.testing.assert_allclose(focal_lengths(one.camera), focal_lengths(other.camera))


def test_refinement_depends_on_relative_weights_only() -> None:
    scene, weights = scene_of("RADIAL")
    one, other = (refined(scene, factor * weights, 3.0, focal=False) for factor in (1, 1e6))
    assert one.covariance is not None
    assert other.covariance is not None
    off = squared_mahalanobis(other.cam_from_world, one.cam_from_world, one.covariance)
    assert off < 1e-12
    np.testing.assert_allclose(other.covariance, one.covariance, rtol=1e-6)


@pytest.mark.parametrize("model", ["SIMPLE_RADIAL", "OPENCV_FISHEYE", "EQUIRECTANGULAR"])
def test_gauss_newton_step_agrees_with_finite_differences(model: str) -> None:
    scene, weights = scene_of(model)
    given, camera = scene.correspondences, scene.camera
    rays = bearings(camera, given.points2D)
    errors = BatchReprojection.from_rays(
        *(rays, projection_jacobian(camera, rays), given.points3D), np.full(len(given), 6.0)
    )
    true = scene.cam_from_world
    pose = np.concatenate([true.rotation.ravel(), true.translation])
    pose = perturb(pose, np.array([0.002, -0.001, 0.003, 0.02, 0.01, -0.02]))

    def relative(step: Float64) -> Float64:
        values = errors.evaluate(perturb(pose, step))
        return np.asarray((values[:2] / values[2]).ravel())

    width = 1e-5
    jacobian = np.stack(
        [(relative(width * e) - relative(-width * e)) / (2 * width) for e in np.eye(6)], axis=1
    )
    root = np.sqrt(np.tile(weights, 2))
    expected, *_ = np.linalg.lstsq(root[:, None] * jacobian, -root * relative(np.zeros(6)), None)
    step = gauss_newton_step(
        errors.point_forms, errors.evaluate(pose), transform(pose, given.points3D), weights
    )
    assert step is not None
    np.testing.assert_allclose(step, expected, rtol=1e-5, atol=1e-7 * np.abs(expected).max())
    loss = [weights @ (relative(s).reshape(2, -1) ** 2).sum(axis=0) for s in (0 * step, step)]
    assert loss[1] < loss[0]
