"""Projection, unprojection and Jacobian of COLMAP's camera models; intrinsics.

The field of view is as large as the model allows. Fisheyes see up to 180 degrees from the optical
axis (COLMAP stops at 90; the formula is the same, in the angle), or up to the radius where their
distortion stops being invertible. Perspective models see what is in front of the camera,
EQUIRECTANGULAR everything.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from hloc_lite.errors import ConfigError, FormatError
from hloc_lite.geometry.camera_models import (
    CAMERA_MODELS,
    CameraModel,
    check_camera,
    focal_and_center,
    get_camera_model,
    lens_and_distortion,
)
from hloc_lite.geometry.distortions import Distortion
from hloc_lite.geometry.lenses import MIN_DEPTH, Perspective
from hloc_lite.types import Camera, Float64

__all__ = [
    "CAMERA_MODELS",
    "DEFAULT_FOCAL_RATIO",
    "CameraModel",
    "Exif",
    "bearings",
    "calibration_matrix",
    "cam_from_img",
    "camera_from_focal",
    "check_camera",
    "depends_on_turn",
    "focal_lengths",
    "get_camera_model",
    "guess_camera",
    "img_from_cam",
    "pixel_differences",
    "principal_point",
    "projection_jacobian",
    "rescaled",
    "same_size_turned",
    "with_focal",
]

Exif = Mapping[str, float | str]
"""EXIF data about the camera, as in ``Photo.exif``."""
DEFAULT_FOCAL_RATIO = 1.2
"""Focal length over the longer side where it is unknown (COLMAP's default, a 45 degree lens)."""


def img_from_cam(camera: Camera, points_in_cam: Float64) -> Float64:
    """(..., 2) pixels of (..., 3) points in the camera frame; NaN for points it cannot see.

    In front of the camera (z > 0) this is COLMAP's projection, up to rounding. At z <= 0
    perspective models give NaN; the others project as far as the projection is invertible.
    """
    lens, distortion = lens_and_distortion(camera)
    x, y, z = _coordinates(points_in_cam)
    with np.errstate(all="ignore"):
        u, v = lens.project(x, y, z)
        if distortion is not None:
            u = u * _nan_beyond_fold(distortion, u, v, z)
            u, v = distortion.distort(u, v)
    (fx, fy), (cx, cy) = focal_and_center(camera)
    pixels = np.empty((*x.shape, 2))
    pixels[..., 0] = fx * u + cx
    pixels[..., 1] = fy * v + cy
    return pixels


def projection_jacobian(camera: Camera, points_in_cam: Float64) -> Float64:
    """(..., 2, 3) derivative of ``img_from_cam``, in pixels per map unit; NaN where that is.

    Exact, also on the optical axis. Moving a point along its ray does not move its projection:
    J @ point = 0, and J is inversely proportional to the distance. NaN at the poles of
    EQUIRECTANGULAR, where it does not exist.
    """
    lens, distortion = lens_and_distortion(camera)
    x, y, z = _coordinates(points_in_cam)
    (fx, fy), _ = focal_and_center(camera)
    jacobian = np.empty((*x.shape, 2, 3))
    with np.errstate(all="ignore"):
        by_point = lens.jacobian(x, y, z)
        if distortion is None:
            for column, (du, dv) in enumerate(zip(*by_point, strict=True)):
                jacobian[..., 0, column] = fx * du
                jacobian[..., 1, column] = fy * dv
            return jacobian
        u, v = lens.project(x, y, z)
        a, b, c, d = distortion.jacobian(u * _nan_beyond_fold(distortion, u, v, z), v)
        a, b, c, d = fx * a, fx * b, fy * c, fy * d
        for column, (du, dv) in enumerate(zip(*by_point, strict=True)):
            jacobian[..., 0, column] = a * du + b * dv
            jacobian[..., 1, column] = c * du + d * dv
    return jacobian


def bearings(camera: Camera, points2D: Float64) -> Float64:
    """(..., 3) unit rays in the camera frame through (..., 2) pixels; inverse of ``img_from_cam``.

    Beyond 90 degrees from the optical axis (z <= 0) if the model allows. NaN for pixels outside the
    invertible range of the distortion.
    """
    x, y, z = _directions(camera, points2D)
    with np.errstate(all="ignore"):
        inverse = 1 / np.sqrt(x * x + y * y + z * z)
        return np.stack([x * inverse, y * inverse, z * inverse], axis=-1)


def cam_from_img(camera: Camera, points2D: Float64) -> Float64:
    """(..., 2) points of the z = 1 plane for (..., 2) pixels.

    NaN as in ``bearings``, and for rays at 90 degrees and beyond, which do not meet that plane.
    """
    x, y, z = _directions(camera, points2D)
    if not isinstance(lens_and_distortion(camera)[0], Perspective):
        with np.errstate(all="ignore"):
            z = np.where(z > MIN_DEPTH, z, np.nan)
            x, y = x / z, y / z
    return np.stack([x, y], axis=-1)


def pixel_differences(camera: Camera, projected: Float64, points2D: Float64) -> Float64:
    """(..., 2) projected minus measured pixels.

    EQUIRECTANGULAR images wrap around: their left and right borders are one line.
    """
    difference = projected - points2D
    if camera.model == "EQUIRECTANGULAR":
        period = camera.params[0]
        difference[..., 0] -= period * np.round(difference[..., 0] / period)
    return difference


def focal_lengths(camera: Camera) -> Float64:
    """(2,) fx, fy in pixels.

    Raises:
        FormatError: the model has none (EQUIRECTANGULAR).
    """
    _check_has_focal(camera.model, get_camera_model(camera))
    return focal_and_center(camera)[0]


def principal_point(camera: Camera) -> Float64:
    """(2,) cx, cy in pixels; the image centre for EQUIRECTANGULAR."""
    return focal_and_center(camera)[1]


def calibration_matrix(camera: Camera) -> Float64:
    """(3, 3) calibration matrix K, without distortion.

    Raises:
        FormatError: the model has no focal length (EQUIRECTANGULAR).
    """
    (fx, fy), (cx, cy) = focal_lengths(camera), principal_point(camera)
    return np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1.0]])


def rescaled(camera: Camera, width: int, height: int) -> Camera:
    """Intrinsics of the same image at another resolution; distortion does not change.

    Raises:
        FormatError: if the aspect ratio differs by more than rounding to whole pixels.
    """
    sx, sy = width / camera.width, height / camera.height
    if abs(sx - sy) * max(width, height) > 2.0 * max(sx, sy):
        raise FormatError(
            f"intrinsics are for {camera.width} x {camera.height}, the image has {width} x "
            f"{height}: the shapes differ. Give intrinsics of this image (or, for a photo turned "
            f"by its EXIF rotation, set images.exif_rotation=false)"
        )
    factors = {0: [sx, sy], 1: [np.sqrt(sx * sy), sx, sy], 2: [sx, sy, sx, sy]}
    scales = factors[get_camera_model(camera).num_focals]
    params = camera.params.copy()
    params[: len(scales)] *= scales
    return replace(camera, width=width, height=height, params=params)


def same_size_turned(exif: Exif, size: tuple[int, int]) -> bool:
    """Return True if a photo was turned by EXIF, and had the same size before.

    Then the size of given intrinsics does not tell which of the two they are for. A square photo is
    so, and any that was turned by 180 degrees or mirrored.

    Args:
        exif: ``Photo.exif``.
        size: (width, height) of the photo as turned.
    """
    return "orientation" in exif and (size[0] == size[1] or float(exif["orientation"]) <= 4)


def depends_on_turn(camera: Camera) -> bool:
    """Return True if turning the photo would change the intrinsics by a pixel or more."""
    center = np.array([camera.width, camera.height]) / 2
    off = np.abs(principal_point(camera) - center).max()
    has_focal = get_camera_model(camera).num_focals > 0
    stretch = np.ptp(focal_lengths(camera)) / focal_lengths(camera)[0] if has_focal else 0.0
    return bool(max(off, stretch * max(camera.width, camera.height) / 2) >= 1)


def camera_from_focal(
    model: str, width: int, height: int, focal_px: float, *, has_prior_focal: bool
) -> Camera:
    """A camera with centred principal point and no distortion.

    Raises:
        FormatError: the model has no focal length (EQUIRECTANGULAR).
    """
    layout = CAMERA_MODELS[model]
    _check_has_focal(model, layout)
    params = np.zeros(layout.num_params)
    params[: layout.num_focals] = focal_px
    params[layout.num_focals : layout.num_focals + 2] = width / 2, height / 2
    if layout.neutral:
        params[layout.extra_start :] = layout.neutral
    return Camera(model, width, height, params, has_prior_focal)


def guess_camera(model: str, size: tuple[int, int], exif: Exif) -> Camera:
    """A camera with centred principal point and the focal length of the EXIF data.

    Without EXIF data the focal length is ``DEFAULT_FOCAL_RATIO`` times the longer side.

    Args:
        model: COLMAP's name.
        size: (width, height), pixels.
        exif: ``Photo.exif``.

    Raises:
        ConfigError: unknown camera model.
    """
    if model not in CAMERA_MODELS:
        raise ConfigError(f"unknown camera model {model!r}; known are {', '.join(CAMERA_MODELS)}")
    focal = exif.get("focal_px")
    known = focal is not None
    focal_px = float(focal) if focal is not None else DEFAULT_FOCAL_RATIO * max(size)
    return camera_from_focal(model, *size, focal_px, has_prior_focal=known)


def with_focal(camera: Camera, focal_px: float) -> Camera:
    """Camera with all focal lengths replaced.

    Raises:
        FormatError: the model has none (EQUIRECTANGULAR).
    """
    model = get_camera_model(camera)
    _check_has_focal(camera.model, model)
    params = camera.params.copy()
    params[: model.num_focals] = focal_px
    return replace(camera, params=params)


def _check_has_focal(name: str, model: CameraModel) -> None:
    if model.num_focals == 0:
        raise FormatError(
            f"camera model {name} has no focal length, which this step needs. A panorama can be "
            f"localized as a query whose camera is given (NAME {name} W H W H); for everything "
            f"else cut it into perspective views"
        )


def _coordinates(points: Float64) -> Float64:
    """(3 or 2, ...) from (..., 3 or 2): contiguous coordinates, on which NumPy is faster."""
    return np.ascontiguousarray(np.moveaxis(np.asarray(points, np.float64), -1, 0))


def _nan_beyond_fold(distortion: Distortion, u: Float64, v: Float64, z: Float64) -> Float64 | float:
    """NaN for points behind the camera beyond the fold of the distortion, else 1: those would be
    projected back into the image."""
    behind = z <= 0
    if not behind.any():
        return 1.0
    return np.where(behind & (u * u + v * v > distortion.fold_radius() ** 2), np.nan, 1.0)


def _directions(camera: Camera, points2D: Float64) -> tuple[Float64, Float64, Float64]:
    lens, distortion = lens_and_distortion(camera)
    (fx, fy), (cx, cy) = focal_and_center(camera)
    x_px, y_px = _coordinates(points2D)
    u, v = (x_px - cx) / fx, (y_px - cy) / fy
    with np.errstate(all="ignore"):
        if distortion is not None:
            u, v = distortion.undistort(u, v)
        return lens.unproject(u, v)
