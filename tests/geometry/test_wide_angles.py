"""Rays beyond 90 degrees from the optical axis: fisheye, division, unified, panorama."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hloc_lite.geometry.cameras import (
    CAMERA_MODELS,
    bearings,
    cam_from_img,
    img_from_cam,
    pixel_differences,
    principal_point,
)
from hloc_lite.types import Camera

from .example_cameras import MAX_ANGLE_DEG, angle_ray, camera_of, rays_within


@pytest.mark.parametrize("model", MAX_ANGLE_DEG)
def test_visible_rays_round_trip(model: str) -> None:
    camera = camera_of(model)
    rays = rays_within(MAX_ANGLE_DEG[model], 2000)
    pixels = img_from_cam(camera, rays * np.linspace(0.01, 100, 2000)[:, None])
    assert np.isfinite(pixels).all()
    np.testing.assert_allclose(bearings(camera, pixels), rays, atol=1e-9)


@pytest.mark.parametrize("model", CAMERA_MODELS)
@settings(max_examples=40)
@given(st.integers(0, 2**32), st.floats(0.3, 3.0))
def test_rays_of_any_pixel_are_nan_or_correct(model: str, seed: int, size: float) -> None:
    camera = camera_of(model, focal=300.0)
    pixels = principal_point(camera) + size * 1000 * np.random.default_rng(seed).normal(
        size=(100, 2)
    )
    rays = bearings(camera, pixels)
    known = np.isfinite(rays).all(axis=1)
    assert (known == np.isfinite(rays).any(axis=1)).all()
    np.testing.assert_allclose(np.linalg.norm(rays[known], axis=1), 1, atol=1e-12)
    residual = pixel_differences(camera, img_from_cam(camera, rays[known]), pixels[known])
    # at 90 degrees of an undistorted lens, rays hardly depend on the pixel
    np.testing.assert_allclose(residual, 0, atol=1e-5)


@pytest.mark.parametrize("angle", [20.0, 89.9, 90.0, 90.1, 120.0, 179.0])
def test_radius_in_an_equidistant_fisheye_is_the_angle(angle: float) -> None:
    camera = camera_of("SIMPLE_FISHEYE", focal=300.0)
    offset = img_from_cam(camera, 7 * angle_ray(angle)[None])[0] - principal_point(camera)
    np.testing.assert_allclose(offset, 300 * np.radians(angle) * np.array([0.6, 0.8]))


def test_kannala_brandt_beyond_90_degrees() -> None:
    camera = camera_of("OPENCV_FISHEYE", focal=300.0)
    t = np.radians(130)
    factor = 1 - 0.03 * t**2 + 0.004 * t**4 - 0.002 * t**6 + 0.0003 * t**8
    offset = img_from_cam(camera, angle_ray(130)[None])[0] - principal_point(camera)
    np.testing.assert_allclose(offset, 300 * t * factor * np.array([0.6, 1.02 * 0.8]))


def test_fisheye_ends_at_the_fold_of_its_distortion() -> None:
    # t - 0.1 t^3 is largest at t = sqrt(10 / 3) = 104.6 degrees
    camera = camera_of("SIMPLE_RADIAL_FISHEYE", focal=300.0, extra=[-0.1])
    inside, outside = img_from_cam(camera, np.stack([angle_ray(104.5), angle_ray(104.7)]))
    assert np.isfinite(inside).all() and np.isnan(outside).all()
    np.testing.assert_allclose(bearings(camera, inside[None])[0], angle_ray(104.5), atol=1e-6)
    largest = np.sqrt(10 / 3) * (1 - 1 / 3) * 300
    pixels = principal_point(camera) + np.array([[largest - 0.01, 0], [largest + 0.01, 0]])
    inside, outside = bearings(camera, pixels)
    assert np.isfinite(inside).all() and np.isnan(outside).all()


@pytest.mark.parametrize(("alpha", "limit"), [(0.8, np.arccos(-0.25)), (0.3, np.arccos(-3 / 7))])
def test_field_of_view_of_the_unified_model(alpha: float, limit: float) -> None:
    camera = camera_of("EUCM", focal=300.0, extra=[alpha, 1.0])
    degrees = np.degrees(limit)
    inside, outside = img_from_cam(
        camera, np.stack([angle_ray(degrees - 0.01), angle_ray(degrees + 0.01)])
    )
    assert np.isfinite(inside).all() and np.isnan(outside).all()
    ray = bearings(camera, inside[None])[0]
    np.testing.assert_allclose(ray, angle_ray(degrees - 0.01), atol=1e-8)


def test_field_of_view_of_the_division_model_depends_on_its_sign() -> None:
    barrel = camera_of("SIMPLE_DIVISION", extra=[-0.25])
    # rays (u, v, 1 - r^2 / 4) are at 90 degrees for r = 2
    side = img_from_cam(barrel, np.array([[3.0, 0, 0]]))[0] - principal_point(barrel)
    np.testing.assert_allclose(side, [1400, 0])
    assert np.isnan(img_from_cam(barrel, np.array([[0, 0, -1.0]]))).all()
    pincushion = camera_of("SIMPLE_DIVISION", extra=[0.25])
    # rays (u, v, 1 + r^2 / 4) are at most at 45 degrees, for r = 2
    inside, outside = img_from_cam(pincushion, np.array([[0.999, 0, 1], [1.001, 0, 1]]))
    assert np.isfinite(inside).all() and np.isnan(outside).all()
    pixels = principal_point(pincushion) + np.array([[1399.0, 0], [1401.0, 0]])
    inside, outside = bearings(pincushion, pixels)
    assert np.isfinite(inside).all() and np.isnan(outside).all()


@pytest.mark.parametrize(
    ("point", "pixel"),
    [
        ((0, 0, 1), (500, 250)),
        ((1, 0, 0), (750, 250)),
        ((-1, 0, 0), (250, 250)),
        ((0, 1, 0), (500, 500)),
        ((0, -1, 0), (500, 0)),
        ((0, 0, -1), (1000, 250)),
        ((-1e-9, 0, -1), (0, 250)),
        ((1, 1, 0), (750, 375)),
    ],
)
def test_directions_in_a_panorama(point: tuple[float, ...], pixel: tuple[float, ...]) -> None:
    camera = Camera("EQUIRECTANGULAR", 1000, 500, np.array([1000.0, 500]))
    np.testing.assert_allclose(img_from_cam(camera, 3 * np.array([point]))[0], pixel, atol=1e-6)


def test_panoramas_wrap_around() -> None:
    camera = Camera("EQUIRECTANGULAR", 1000, 500, np.array([1000.0, 500]))
    pixels = np.array([[999.0, 250], [-1.0, 250]])
    rays = bearings(camera, pixels)
    np.testing.assert_allclose(rays[0], rays[1], atol=1e-12)
    difference = pixel_differences(camera, img_from_cam(camera, rays[:1]), np.array([[1.0, 252]]))
    np.testing.assert_allclose(difference, [[-2, -2]], atol=1e-9)
    assert np.isnan(bearings(camera, np.array([[10.0, -1], [10, 501]]))).all()
    assert np.isfinite(bearings(camera, np.array([[10.0, 0], [10, 500]]))).all()


@pytest.mark.parametrize("model", CAMERA_MODELS)
def test_camera_centre_has_no_projection(model: str) -> None:
    assert np.isnan(img_from_cam(camera_of(model), np.zeros((1, 3)))).all()


@pytest.mark.parametrize("model", MAX_ANGLE_DEG)
def test_rays_beyond_90_degrees_do_not_meet_the_z_1_plane(model: str) -> None:
    camera = camera_of(model)
    pixels = img_from_cam(camera, np.stack([angle_ray(89.0), angle_ray(91.0), angle_ray(125.0)]))
    plane = cam_from_img(camera, pixels)
    np.testing.assert_allclose(plane[0], np.tan(np.radians(89)) * np.array([0.6, 0.8]), rtol=1e-6)
    assert np.isnan(plane[1:]).all()
