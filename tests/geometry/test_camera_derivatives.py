"""Jacobians of all camera models agree with finite differences, at all angles."""

from __future__ import annotations

import numpy as np
import pytest

from hloc_lite.geometry.cameras import (
    CAMERA_MODELS,
    focal_lengths,
    img_from_cam,
    projection_jacobian,
)
from hloc_lite.types import Camera

from .example_cameras import EXTRA, MAX_ANGLE_DEG, PERSPECTIVE, WITH_FOCAL, camera_of, rays_within


def differences(camera: Camera, points: np.ndarray, step: float) -> np.ndarray:
    """(N, 2, 3) finite differences of fourth order: relative errors around 1e-10."""
    columns = []
    for axis in np.eye(3):
        at = {k: img_from_cam(camera, points + k * step * axis) for k in (-2, -1, 1, 2)}
        columns.append((8 * (at[1] - at[-1]) - (at[2] - at[-2])) / (12 * step))
    return np.stack(columns, axis=-1)


@pytest.mark.parametrize("model", CAMERA_MODELS)
def test_jacobian_agrees_with_finite_differences(model: str) -> None:
    camera = camera_of(model)
    rays = rays_within(MAX_ANGLE_DEG.get(model, 75) * 0.97, 500)
    expected = differences(camera, rays, 3e-4 if model in PERSPECTIVE else 1e-4)
    found = projection_jacobian(camera, rays)
    size = np.linalg.norm(expected, axis=(1, 2))[:, None, None]
    known = np.isfinite(expected).all(axis=(1, 2))  # differences may cross the border at 180
    known &= rays[:, 1] ** 2 < 0.99  # no derivative at the poles of a panorama
    assert known.mean() > 0.9
    np.testing.assert_allclose((found / size)[known], (expected / size)[known], atol=2e-6)
    assert np.median(np.abs(found - expected)[known] / size[known]) < 1e-9


@pytest.mark.parametrize("model", CAMERA_MODELS)
def test_jacobian_is_zero_along_rays(model: str) -> None:
    camera = camera_of(model)
    rays = rays_within(MAX_ANGLE_DEG.get(model, 80) * 0.99, 500, seed=1)
    at_rays = projection_jacobian(camera, rays)
    size = np.linalg.norm(at_rays, axis=(1, 2))
    np.testing.assert_allclose((at_rays @ rays[:, :, None])[..., 0] / size[:, None], 0, atol=1e-12)
    far = projection_jacobian(camera, 40 * rays)
    np.testing.assert_allclose(40 * far / size[:, None, None], at_rays / size[:, None, None])


@pytest.mark.parametrize("model", WITH_FOCAL)
def test_jacobian_on_the_optical_axis(model: str) -> None:
    camera = camera_of(model)
    (fx, fy), scale = focal_lengths(camera), 1.0
    if model == "FOV":
        (omega,) = EXTRA[model]
        scale = 2 * np.tan(omega / 2) / omega
    expected = scale / 2.5 * np.array([[fx, 0, 0], [0, fy, 0]])
    points = np.array([[0, 0, 2.5], [1e-9, -1e-9, 2.5], [1e-200, 0, 2.5]])
    found = projection_jacobian(camera, points)
    np.testing.assert_allclose(found, np.tile(expected, (3, 1, 1)), atol=2e-6)


def test_jacobian_at_the_centre_of_a_panorama() -> None:
    camera = Camera("EQUIRECTANGULAR", 1000, 400, np.array([1000.0, 400]))
    found = projection_jacobian(camera, np.array([[0, 0, 2.0]]))[0]
    expected = [[1000 / (2 * np.pi) / 2, 0, 0], [0, 400 / np.pi / 2, 0]]
    np.testing.assert_allclose(found, expected, atol=1e-12)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("model", CAMERA_MODELS)
def test_jacobian_is_nan_where_the_projection_is(model: str) -> None:
    camera = camera_of(model)
    special = np.array([[0, 0, 0], [0, 0, -1], [0, 0, 1], [1e6, 1e6, 1e6], [1, 0, 0]])
    points = np.concatenate([rays_within(180, 500, seed=2), special])
    seen = np.isfinite(img_from_cam(camera, points)).all(axis=1)
    known = np.isfinite(projection_jacobian(camera, points))
    assert (known.all(axis=(1, 2)) == seen).all()
    assert (known.any(axis=(1, 2)) == seen).all()
