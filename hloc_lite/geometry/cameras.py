"""COLMAP's camera models in NumPy: projection, its inverse, and checks of intrinsics.

Parameter orders and formulas are those of COLMAP's documentation; the fisheye ones follow
Kannala and Brandt 2006.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from hloc_lite.errors import FormatError
from hloc_lite.types import Camera, Float64

Distortion = Callable[[Float64, Float64], Float64]


@dataclass(frozen=True)
class CameraModel:
    """One of COLMAP's models: how many focal lengths, and how normalized points are distorted."""

    param_names: tuple[str, ...]
    distort: Distortion
    """((N, 2) points of the z = 1 plane, (P,) extra parameters) -> (N, 2)."""

    @property
    def num_params(self) -> int:
        return len(self.param_names)

    @property
    def num_focals(self) -> int:
        return 2 if "fx" in self.param_names else 1

    @property
    def extra_start(self) -> int:
        """Index of the first distortion parameter: after focal lengths and principal point."""
        return self.num_focals + 2


def _none(uv: Float64, _: Float64) -> Float64:
    return uv


def _radial(uv: Float64, k: Float64) -> Float64:
    r2 = (uv**2).sum(axis=-1, keepdims=True)
    factor = np.ones_like(r2)
    for power, coefficient in enumerate(k, start=1):
        factor = factor + coefficient * r2**power
    return uv * factor


def _tangential(uv: Float64, p1: float, p2: float) -> Float64:
    u, v = uv[..., 0], uv[..., 1]
    r2 = u**2 + v**2
    du = 2 * p1 * u * v + p2 * (r2 + 2 * u**2)
    dv = 2 * p2 * u * v + p1 * (r2 + 2 * v**2)
    return np.stack([du, dv], axis=-1)


def _opencv(uv: Float64, k: Float64) -> Float64:
    return _radial(uv, k[:2]) + _tangential(uv, k[2], k[3])


def _full_opencv(uv: Float64, k: Float64) -> Float64:
    r2 = (uv**2).sum(axis=-1, keepdims=True)
    numerator = 1 + k[0] * r2 + k[1] * r2**2 + k[4] * r2**3
    denominator = 1 + k[5] * r2 + k[6] * r2**2 + k[7] * r2**3
    return uv * numerator / denominator + _tangential(uv, k[2], k[3])


def _equidistant(uv: Float64) -> Float64:
    """Points of the z = 1 plane to points whose radius is the angle in radians."""
    r = np.linalg.norm(uv, axis=-1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(r > 1e-12, uv * np.arctan(r) / r, uv)


def _fisheye_radial(uv: Float64, k: Float64) -> Float64:
    return _radial(_equidistant(uv), k)


def _fov(uv: Float64, k: Float64) -> Float64:
    omega = k[0]
    if abs(omega) < 1e-9:
        return uv
    r = np.linalg.norm(uv, axis=-1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        factor = np.arctan(2 * r * np.tan(omega / 2)) / (r * omega)
    return np.where(r > 1e-12, uv * factor, uv * (2 * np.tan(omega / 2) / omega))


def _thin_prism_fisheye(uv: Float64, k: Float64) -> Float64:
    w = _equidistant(uv)
    r2 = (w**2).sum(axis=-1, keepdims=True)
    prism = np.concatenate([k[6] * r2, k[7] * r2], axis=-1)
    return _radial(w, np.array([k[0], k[1], k[4], k[5]])) + _tangential(w, k[2], k[3]) + prism


_F1 = ("f", "cx", "cy")
_F2 = ("fx", "fy", "cx", "cy")
CAMERA_MODELS: dict[str, CameraModel] = {
    "SIMPLE_PINHOLE": CameraModel(_F1, _none),
    "PINHOLE": CameraModel(_F2, _none),
    "SIMPLE_RADIAL": CameraModel((*_F1, "k"), _radial),
    "RADIAL": CameraModel((*_F1, "k1", "k2"), _radial),
    "OPENCV": CameraModel((*_F2, "k1", "k2", "p1", "p2"), _opencv),
    "OPENCV_FISHEYE": CameraModel((*_F2, "k1", "k2", "k3", "k4"), _fisheye_radial),
    "FULL_OPENCV": CameraModel(
        (*_F2, "k1", "k2", "p1", "p2", "k3", "k4", "k5", "k6"), _full_opencv
    ),
    "FOV": CameraModel((*_F2, "omega"), _fov),
    "SIMPLE_RADIAL_FISHEYE": CameraModel((*_F1, "k"), _fisheye_radial),
    "RADIAL_FISHEYE": CameraModel((*_F1, "k1", "k2"), _fisheye_radial),
    "THIN_PRISM_FISHEYE": CameraModel(
        (*_F2, "k1", "k2", "p1", "p2", "k3", "k4", "sx1", "sy1"), _thin_prism_fisheye
    ),
}


def model_of(camera: Camera) -> CameraModel:
    """The camera's model.

    Raises:
        FormatError: unknown model, or another number of parameters than it has.
    """
    model = CAMERA_MODELS.get(camera.model)
    if model is None:
        raise FormatError(
            f"unknown camera model {camera.model!r}; known are {', '.join(CAMERA_MODELS)}"
        )
    if len(camera.params) != model.num_params:
        names = " ".join(model.param_names)
        raise FormatError(
            f"camera model {camera.model} has {model.num_params} parameters ({names}), "
            f"got {len(camera.params)}"
        )
    return model


def check_camera(camera: Camera) -> Camera:
    """The camera itself, if its numbers can be those of a camera.

    Raises:
        FormatError: a non-finite parameter, no focal length, or a principal point far outside.
    """
    model_of(camera)
    if not np.isfinite(camera.params).all():
        raise FormatError(f"camera parameters must be finite, got {camera.params.tolist()}")
    side = max(camera.width, camera.height)
    focals = focal_lengths(camera)
    if not ((focals > 0.01 * side) & (focals < 100 * side)).all():
        raise FormatError(
            f"focal length {focals.tolist()} px does not fit an image of {camera.width} x "
            f"{camera.height}: expected 0.01 to 100 times its longer side"
        )
    cx, cy = principal_point(camera)
    if not (-camera.width < cx < 2 * camera.width and -camera.height < cy < 2 * camera.height):
        raise FormatError(
            f"principal point ({cx:g}, {cy:g}) is far outside the image of {camera.width} x "
            f"{camera.height}"
        )
    return camera


def focal_lengths(camera: Camera) -> Float64:
    """(2,) fx, fy in pixels."""
    return np.repeat(camera.params[0], 2) if model_of(camera).num_focals == 1 else camera.params[:2]


def principal_point(camera: Camera) -> Float64:
    """(2,) cx, cy in pixels."""
    start = model_of(camera).num_focals
    return camera.params[start : start + 2]


def calibration_matrix(camera: Camera) -> Float64:
    """(3, 3) K of the camera, distortion left out."""
    (fx, fy), (cx, cy) = focal_lengths(camera), principal_point(camera)
    return np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1.0]])


def img_from_cam(camera: Camera, points_in_cam: Float64) -> Float64:
    """(N, 2) pixels of (N, 3) points in the camera frame; NaN for points not in front of it."""
    points = np.asarray(points_in_cam, np.float64)
    model = model_of(camera)
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.where(points[..., 2:] > 1e-12, points[..., 2:], np.nan)
        uv = points[..., :2] / z
    distorted = model.distort(uv, camera.params[model.extra_start :])
    return distorted * focal_lengths(camera) + principal_point(camera)


def projection_jacobian(camera: Camera, points_in_cam: Float64) -> Float64:
    """(N, 2, 3) derivative of ``img_from_cam`` in pixels per map unit, for points in front."""
    model = model_of(camera)
    x, y, z = np.moveaxis(np.asarray(points_in_cam, np.float64), -1, 0)
    uv = np.stack([x / z, y / z], axis=-1)
    zero = np.zeros_like(z)
    rows = [1 / z, zero, -x / z**2, zero, 1 / z, -y / z**2]
    plane_from_cam = np.stack(rows, axis=-1).reshape(*z.shape, 2, 3)
    distorted = distortion_jacobian(model, uv, camera.params[model.extra_start :])
    return focal_lengths(camera)[:, None] * (distorted @ plane_from_cam)


def cam_from_img(camera: Camera, points2D: Float64) -> Float64:
    """(N, 2) points of the z = 1 plane for (N, 2) pixels; inverse of ``img_from_cam``.

    Distortion is undone by Newton's method on a numerical 2 x 2 Jacobian; points beyond the range
    where the model can be inverted come back as NaN.
    """
    model = model_of(camera)
    target = (np.asarray(points2D, np.float64) - principal_point(camera)) / focal_lengths(camera)
    if model.distort is _none or target.size == 0:
        return target
    extra = camera.params[model.extra_start :]
    uv = _initial_guess(model, target)
    for _ in range(50):
        residual = model.distort(uv, extra) - target
        step = _solve_2x2(distortion_jacobian(model, uv, extra), residual)
        # a bounded step keeps strong distortion from jumping over the turning point
        limit = 0.5 * (1 + np.linalg.norm(uv, axis=-1, keepdims=True))
        length = np.linalg.norm(step, axis=-1, keepdims=True)
        with np.errstate(invalid="ignore"):  # infinite where the Jacobian is singular: becomes NaN
            uv = uv - step * np.minimum(1.0, limit / np.maximum(length, 1e-300))
        if np.nanmax(np.abs(step), initial=0.0) < 1e-14:
            break
    residual = np.abs(model.distort(uv, extra) - target).max(axis=-1, keepdims=True)
    return np.where(residual < 1e-9, uv, np.nan)


def bearings(camera: Camera, points2D: Float64) -> Float64:
    """(N, 3) unit rays in the camera frame through (N, 2) pixels."""
    uv = cam_from_img(camera, points2D)
    rays = np.concatenate([uv, np.ones_like(uv[..., :1])], axis=-1)
    return rays / np.linalg.norm(rays, axis=-1, keepdims=True)


def rescaled(camera: Camera, width: int, height: int) -> Camera:
    """The camera of the same image at another resolution; distortion stays as it is.

    Raises:
        FormatError: if the aspect ratio differs by more than rounding to whole pixels explains.
    """
    sx, sy = width / camera.width, height / camera.height
    if abs(sx - sy) * max(width, height) > 2.0 * max(sx, sy):
        raise FormatError(
            f"intrinsics are for {camera.width} x {camera.height}, the image has {width} x "
            f"{height}: the shapes differ. Give intrinsics of this image (or, for a photo turned "
            f"by its EXIF rotation, set images.exif_rotation=false)"
        )
    params = camera.params.copy()
    if model_of(camera).num_focals == 1:
        params[:3] *= [np.sqrt(sx * sy), sx, sy]
    else:
        params[:4] *= [sx, sy, sx, sy]
    return replace(camera, width=width, height=height, params=params)


def distortion_jacobian(model: CameraModel, uv: Float64, extra: Float64) -> Float64:
    """(N, 2, 2) derivative of the model's distortion at (N, 2) points of the z = 1 plane."""
    h = 1e-6 * (1 + np.abs(uv))
    columns = []
    for axis in range(2):
        offset = np.zeros_like(uv)
        offset[..., axis] = h[..., axis]
        difference = model.distort(uv + offset, extra) - model.distort(uv - offset, extra)
        columns.append(difference / (2 * h[..., axis : axis + 1]))
    return np.stack(columns, axis=-1)


def camera_from_focal(
    model: str, width: int, height: int, focal_px: float, *, has_prior_focal: bool
) -> Camera:
    """A camera with centred principal point and no distortion."""
    layout = CAMERA_MODELS[model]
    params = np.zeros(layout.num_params)
    params[: layout.num_focals] = focal_px
    params[layout.num_focals : layout.num_focals + 2] = width / 2, height / 2
    return Camera(model, width, height, params, has_prior_focal)


def with_focal(camera: Camera, focal_px: float) -> Camera:
    """The camera with all its focal lengths replaced."""
    params = camera.params.copy()
    params[: model_of(camera).num_focals] = focal_px
    return replace(camera, params=params)


def _initial_guess(model: CameraModel, target: Float64) -> Float64:
    if model.distort not in (_fisheye_radial, _thin_prism_fisheye):
        return target
    r = np.linalg.norm(target, axis=-1, keepdims=True)
    angle = np.minimum(r, 1.5)  # short of 90 degrees, where the z = 1 plane ends
    return target * np.where(r > 1e-12, np.tan(angle) / np.maximum(r, 1e-12), 1.0)


def _solve_2x2(matrix: Float64, rhs: Float64) -> Float64:
    a, b, c, d = matrix[..., 0, 0], matrix[..., 0, 1], matrix[..., 1, 0], matrix[..., 1, 1]
    with np.errstate(divide="ignore", invalid="ignore"):
        determinant = a * d - b * c
        x = (d * rhs[..., 0] - b * rhs[..., 1]) / determinant
        y = (a * rhs[..., 1] - c * rhs[..., 0]) / determinant
    return np.stack([x, y], axis=-1)
