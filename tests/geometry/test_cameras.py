"""Projection and unprojection of all camera models, and checks of intrinsics."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hloc_lite.errors import FormatError, ShapeError
from hloc_lite.geometry.cameras import (
    CAMERA_MODELS,
    bearings,
    calibration_matrix,
    cam_from_img,
    camera_from_focal,
    check_camera,
    focal_lengths,
    img_from_cam,
    principal_point,
    projection_jacobian,
    rescaled,
    with_focal,
)
from hloc_lite.types import Camera

from .example_cameras import HEIGHT, PERSPECTIVE, WIDTH, WITH_FOCAL, camera_of


@pytest.mark.parametrize("model", CAMERA_MODELS)
@settings(max_examples=30)
@given(
    pixels=st.lists(
        st.tuples(st.floats(0, WIDTH), st.floats(0, HEIGHT)), min_size=1, max_size=20
    ).map(np.array),
    depth=st.floats(0.1, 1000),
)
def test_unprojected_pixels_project_back(model: str, pixels: np.ndarray, depth: float) -> None:
    camera = camera_of(model)
    points = depth * bearings(camera, pixels)
    np.testing.assert_allclose(img_from_cam(camera, points), pixels, atol=1e-6)


@pytest.mark.parametrize("model", CAMERA_MODELS)
@settings(max_examples=30)
@given(
    rays=st.lists(
        st.tuples(st.floats(-0.7, 0.7), st.floats(-0.55, 0.55)), min_size=1, max_size=20
    ).map(np.array)
)
def test_projected_rays_unproject_back(model: str, rays: np.ndarray) -> None:
    camera = camera_of(model)
    points = np.concatenate([rays, np.ones((len(rays), 1))], axis=1)
    np.testing.assert_allclose(cam_from_img(camera, img_from_cam(camera, points)), rays, atol=1e-9)


@pytest.mark.parametrize("model", CAMERA_MODELS)
def test_optical_axis_projects_to_the_principal_point(model: str) -> None:
    camera = camera_of(model)
    pixels = img_from_cam(camera, np.array([[0, 0, 2.0], [0, 0, 1e-3]]))
    np.testing.assert_allclose(pixels, np.tile(principal_point(camera), (2, 1)), atol=1e-9)


@pytest.mark.parametrize("model", PERSPECTIVE)
def test_points_behind_a_perspective_camera_are_nan(model: str) -> None:
    camera = camera_of(model)
    points = np.array([[0.1, 0, -1.0], [0.1, 0.1, 0.0], [0, 0, -1], [0, 0, 0]])
    assert np.isnan(img_from_cam(camera, points)).all()


def test_unprojection_of_a_fisheye_at_80_degrees() -> None:
    camera = camera_of("OPENCV_FISHEYE", focal=300.0, extra=[0.0, 0.0, 0.0, 0.0])
    pixels = principal_point(camera) + np.array([[300 * np.radians(80), 0]])
    np.testing.assert_allclose(cam_from_img(camera, pixels), [[np.tan(np.radians(80)), 0]])


def test_pixels_beyond_the_fold_of_a_distortion_are_nan() -> None:
    # u (1 - 0.3 u^2) is at most 0.703 at u = 1.054: no ray goes beyond 0.703 * 700 px
    camera = camera_of("SIMPLE_RADIAL", extra=[-0.3])
    pixels = principal_point(camera) + np.array([[480.0, 0], [500.0, 0]])
    inside, outside = cam_from_img(camera, pixels)
    assert inside[0] - 0.3 * inside[0] ** 3 == pytest.approx(480 / 700, abs=1e-9)
    assert 0 < inside[0] < 1.054
    assert np.isnan(outside).all()


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("model", ["SIMPLE_RADIAL_FISHEYE", "OPENCV_FISHEYE", "FOV"])
def test_unreachable_pixels_are_nan_without_a_warning(model: str) -> None:
    extra = {"OPENCV_FISHEYE": [0.05, -0.02, 0.0, 0.0], "FOV": [1.2]}.get(model, [0.1])
    camera = camera_of(model, focal=300.0, extra=extra)
    pixels = principal_point(camera) + np.array([[1e5, 1e5], [700.0, 0], [600, 300], [0, 0]])
    plane, rays = cam_from_img(camera, pixels), bearings(camera, pixels)
    assert np.isnan(plane[0]).all() and np.allclose(plane[-1], 0)
    assert np.isnan(rays[0]).all() and np.allclose(rays[-1], [0, 0, 1])


@pytest.mark.parametrize("model", CAMERA_MODELS)
def test_no_points_give_no_points(model: str) -> None:
    camera = camera_of(model)
    assert cam_from_img(camera, np.zeros((0, 2))).shape == (0, 2)
    assert bearings(camera, np.zeros((0, 2))).shape == (0, 3)
    assert projection_jacobian(camera, np.zeros((0, 3))).shape == (0, 2, 3)
    assert img_from_cam(camera, np.zeros((0, 3))).shape == (0, 2)


def test_bearings_are_unit_rays_through_the_pixels() -> None:
    camera = camera_of("OPENCV")
    points = np.array([[0.3, -0.2, 1.5], [-1.0, 0.5, 4.0]])
    rays = bearings(camera, img_from_cam(camera, points))
    np.testing.assert_allclose(rays, points / np.linalg.norm(points, axis=1)[:, None], atol=1e-10)


def test_calibration_matrix_of_a_pinhole_projects() -> None:
    camera = camera_of("PINHOLE")
    point = np.array([0.3, -0.2, 1.5])
    x, y, z = calibration_matrix(camera) @ point
    np.testing.assert_allclose(img_from_cam(camera, point[None])[0], [x / z, y / z])


@pytest.mark.parametrize("model", CAMERA_MODELS)
def test_rescaling_scales_every_pixel(model: str) -> None:
    camera = camera_of(model)
    half = rescaled(camera, WIDTH // 2, HEIGHT // 2)
    points = np.array([[0.3, -0.2, 1.5], [-1.0, 0.5, 4.0]])
    np.testing.assert_allclose(img_from_cam(half, points), img_from_cam(camera, points) / 2)
    assert (half.width, half.height) == (WIDTH // 2, HEIGHT // 2)


def test_rescaling_allows_rounding_but_no_other_aspect_ratio() -> None:
    camera = camera_of("SIMPLE_RADIAL")
    assert rescaled(camera, 333, 250).width == 333
    with pytest.raises(FormatError, match="the image has 768 x 1024: the shapes differ"):
        rescaled(camera, HEIGHT, WIDTH)


@pytest.mark.parametrize("model", CAMERA_MODELS)
def test_leading_dimensions_are_kept(model: str) -> None:
    camera = camera_of(model)
    points = np.random.default_rng(0).uniform([-1, -1, 1], [1, 1, 3], (3, 4, 3))
    flat = points.reshape(-1, 3)
    pixels = img_from_cam(camera, points)
    assert np.array_equal(pixels, img_from_cam(camera, flat).reshape(3, 4, 2))
    assert np.array_equal(bearings(camera, pixels[0, 0]), bearings(camera, pixels)[0, 0])
    assert np.array_equal(
        projection_jacobian(camera, points), projection_jacobian(camera, flat).reshape(3, 4, 2, 3)
    )


@pytest.mark.parametrize("model", WITH_FOCAL)
def test_camera_from_focal_has_no_distortion(model: str) -> None:
    camera = camera_from_focal(model, WIDTH, HEIGHT, 900.0, has_prior_focal=False)
    assert check_camera(camera) is camera
    angles = np.array([0.3, 0.9])
    points = np.stack([np.sin(angles), 0 * angles, np.cos(angles)], axis=1)
    radius = angles if "FISHEYE" in model else np.tan(angles)
    np.testing.assert_allclose(img_from_cam(camera, points)[:, 0], 512 + 900 * radius)


@pytest.mark.parametrize("model", WITH_FOCAL)
def test_cameras_of_a_focal_length(model: str) -> None:
    camera = camera_from_focal(model, WIDTH, HEIGHT, 900.0, has_prior_focal=False)
    np.testing.assert_allclose(focal_lengths(camera), 900.0)
    np.testing.assert_allclose(principal_point(camera), [512, 384])
    assert not camera.has_prior_focal
    np.testing.assert_allclose(focal_lengths(with_focal(camera, 800.0)), 800.0)
    np.testing.assert_allclose(principal_point(with_focal(camera, 800.0)), [512, 384])


@pytest.mark.parametrize(
    "use",
    [
        focal_lengths,
        calibration_matrix,
        lambda camera: with_focal(camera, 500.0),
        lambda camera: camera_from_focal(camera.model, 64, 32, 500.0, has_prior_focal=True),
    ],
)
def test_panoramas_have_no_focal_length(use) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(FormatError, match="EQUIRECTANGULAR has no focal length"):
        use(camera_of("EQUIRECTANGULAR"))


def test_rescaling_of_a_panorama() -> None:
    half = rescaled(Camera("EQUIRECTANGULAR", 1000, 501, np.array([1000.0, 501])), 500, 250)
    np.testing.assert_allclose(half.params, [500, 250])
    assert check_camera(half) is half


@pytest.mark.parametrize(
    ("camera", "message"),
    [
        (Camera("NO_SUCH", 10, 10, np.ones(3)), "unknown camera model 'NO_SUCH'; known are SIMPLE"),
        (Camera("PINHOLE", 10, 10, np.ones(3)), r"has 4 parameters \(fx fy cx cy\), got 3"),
        (Camera("SIMPLE_PINHOLE", 100, 80, np.array([np.nan, 50, 40])), "must be finite"),
        (
            Camera("SIMPLE_PINHOLE", 100, 80, np.array([0.0, 50, 40])),
            "focal length .* does not",
        ),
        (Camera("SIMPLE_PINHOLE", 100, 80, np.array([-90.0, 50, 40])), "focal length .* does not"),
        (Camera("SIMPLE_PINHOLE", 100, 80, np.array([90.0, 500, 40])), "far outside the image"),
        (Camera("EUCM", 100, 80, np.array([90.0, 90, 50, 40, 1.2, 1])), "EUCM needs alpha in 0..1"),
        (
            Camera("EUCM", 100, 80, np.array([90.0, 90, 50, 40, 0.5, 0])),
            "and beta > 0, got 0.5 and 0",
        ),
        (
            Camera("EQUIRECTANGULAR", 100, 50, np.array([200.0, 100])),
            "expected 100 50, got 200 100",
        ),
        (Camera("EQUIRECTANGULAR", 100, 50, np.array([100, np.nan])), "must be finite"),
        (Camera("SIMPLE_PINHOLE", 640, int(1e307), np.array([500.0, 320, 240])), "out of range"),
    ],
)
def test_implausible_intrinsics_are_refused(camera: Camera, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        check_camera(camera)


def test_size_must_be_positive_whole_pixels() -> None:
    with pytest.raises(ShapeError, match="size must be positive, got 0 x 10"):
        Camera("PINHOLE", 0, 10, np.ones(4))


@pytest.mark.parametrize(
    ("width", "params", "message"),
    [("640", [1, 2, 3], "whole pixels, got '640'"), (640.5, [1, 2, 3], "whole pixels, got 640.5"),
     (640, ["f", 2, 3], "Camera.params: expected an array of float64"),
     (float("nan"), [1, 2, 3], "whole pixels"), (640, None, r"Camera.params: expected shape")],
)  # fmt: skip
def test_wrong_types_are_shape_errors(width, params, message) -> None:
    with pytest.raises(ShapeError, match=message):
        Camera("SIMPLE_PINHOLE", width, 480, params)
