"""COLMAP's camera models by name: parameters, lens and distortion; checks of intrinsics.

Parameter order and formulas are those of COLMAP 4.2. A model is a lens (``lenses``), an optional
distortion (``distortions``), and the affine map to pixels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from hloc_lite.errors import FormatError
from hloc_lite.geometry.distortions import Distortion
from hloc_lite.geometry.lenses import (
    Angular,
    Division,
    EnhancedUnified,
    Equirectangular,
    Lens,
    Perspective,
)
from hloc_lite.types import Camera, Float64

MAX_SIDE_PX = 10**6
"""Largest image width or height; a damaged file easily claims more."""
Optics = tuple[Lens, Distortion | None]
Extra = list[float]


@dataclass(frozen=True)
class CameraModel:
    """One of COLMAP's camera models."""

    param_names: tuple[str, ...]
    optics: Callable[[Extra], Optics]
    """Lens and distortion from the parameters from ``extra_start`` on."""
    neutral: tuple[float, ...] = ()
    """Extra parameters without distortion, unless all are zero."""

    @property
    def num_params(self) -> int:
        return len(self.param_names)

    @property
    def num_focals(self) -> int:
        """Number of focal lengths; 0 for EQUIRECTANGULAR."""
        return sum(name in ("f", "fx", "fy") for name in self.param_names)

    @property
    def extra_start(self) -> int:
        """Index of the first extra parameter, after focal lengths and principal point."""
        return self.num_focals + 2


def _pinhole(_: Extra) -> Optics:
    return Perspective(), None


def _radial(k: Extra) -> Optics:
    return Perspective(), Distortion(tuple(k))


def _opencv(k: Extra) -> Optics:
    return Perspective(), Distortion((k[0], k[1]), tangential=(k[2], k[3]))


def _full_opencv(k: Extra) -> Optics:
    divisor = (k[5], k[6], k[7])
    return Perspective(), Distortion((k[0], k[1], k[4]), divisor, tangential=(k[2], k[3]))


def _fov(k: Extra) -> Optics:
    omega = abs(k[0])  # even in omega
    if omega < 1e-9:
        return Perspective(), None
    return Angular(2 * float(np.tan(omega / 2)), omega, sees_behind=False), None


def _fisheye(_: Extra) -> Optics:
    return Angular(), None


def _radial_fisheye(k: Extra) -> Optics:
    return Angular(), Distortion(tuple(k))


def _thin_prism_fisheye(k: Extra) -> Optics:
    radial, tangential = (k[0], k[1], k[4], k[5]), (k[2], k[3])
    return Angular(), Distortion(radial, tangential=tangential, prism=(k[6], 0.0, k[7], 0.0))


def _rad_tan_thin_prism_fisheye(k: Extra) -> Optics:
    return (
        Angular(),
        Distortion(
            radial=tuple(k[:6]),
            tangential=(k[7], k[6]),  # opposite to OpenCV's order
            prism=tuple(k[8:]),
            after_radial=True,
        ),
    )


def _division(k: Extra) -> Optics:
    return Division(k[0]), None


def _eucm(k: Extra) -> Optics:
    return EnhancedUnified(k[0], k[1]), None


def _equirectangular(_: Extra) -> Optics:
    return Equirectangular(), None


_F1 = ("f", "cx", "cy")
_F2 = ("fx", "fy", "cx", "cy")
CAMERA_MODELS: dict[str, CameraModel] = {
    "SIMPLE_PINHOLE": CameraModel(_F1, _pinhole),
    "PINHOLE": CameraModel(_F2, _pinhole),
    "SIMPLE_RADIAL": CameraModel((*_F1, "k"), _radial),
    "RADIAL": CameraModel((*_F1, "k1", "k2"), _radial),
    "OPENCV": CameraModel((*_F2, "k1", "k2", "p1", "p2"), _opencv),
    "OPENCV_FISHEYE": CameraModel((*_F2, "k1", "k2", "k3", "k4"), _radial_fisheye),
    "FULL_OPENCV": CameraModel(
        (*_F2, "k1", "k2", "p1", "p2", "k3", "k4", "k5", "k6"), _full_opencv
    ),
    "FOV": CameraModel((*_F2, "omega"), _fov),
    "SIMPLE_RADIAL_FISHEYE": CameraModel((*_F1, "k"), _radial_fisheye),
    "RADIAL_FISHEYE": CameraModel((*_F1, "k1", "k2"), _radial_fisheye),
    "THIN_PRISM_FISHEYE": CameraModel(
        (*_F2, "k1", "k2", "p1", "p2", "k3", "k4", "sx1", "sy1"), _thin_prism_fisheye
    ),
    "RAD_TAN_THIN_PRISM_FISHEYE": CameraModel(
        (*_F2, "k0", "k1", "k2", "k3", "k4", "k5", "p0", "p1", "s0", "s1", "s2", "s3"),
        _rad_tan_thin_prism_fisheye,
    ),
    "SIMPLE_DIVISION": CameraModel((*_F1, "k"), _division),
    "DIVISION": CameraModel((*_F2, "k"), _division),
    "SIMPLE_FISHEYE": CameraModel(_F1, _fisheye),
    "FISHEYE": CameraModel(_F2, _fisheye),
    "EUCM": CameraModel((*_F2, "alpha", "beta"), _eucm, neutral=(0.0, 1.0)),
    "EQUIRECTANGULAR": CameraModel(("w", "h"), _equirectangular),
}


def get_camera_model(camera: Camera) -> CameraModel:
    """Model of a camera.

    Raises:
        FormatError: unknown model, or a wrong number of parameters.
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


def lens_and_distortion(camera: Camera) -> Optics:
    """Lens and distortion of the camera.

    Raises:
        FormatError: see ``get_camera_model``.
    """
    model = get_camera_model(camera)
    return model.optics(camera.params[model.extra_start :].tolist())


def focal_and_center(camera: Camera) -> tuple[Float64, Float64]:
    """(2,) pixels per unit of the lens' image plane, and (2,) pixel of the optical axis.

    For EQUIRECTANGULAR the unit is a radian: 360 x 180 degrees fill the image.
    """
    model, params = get_camera_model(camera), camera.params
    if model.num_focals == 0:
        return params[:2] / (2 * np.pi, np.pi), params[:2] / 2
    if model.num_focals == 1:
        return np.repeat(params[0], 2), params[1:3]
    return params[:2], params[2:4]


def check_camera(camera: Camera) -> Camera:
    """Return the camera itself if its intrinsics are plausible.

    Raises:
        FormatError: a size that no image has, a non-finite parameter, an implausible focal length,
            a principal point far outside the image, or extra parameters that the model does not
            allow.
    """
    model = get_camera_model(camera)
    if max(camera.width, camera.height) > MAX_SIDE_PX:
        raise FormatError(
            f"an image of {str(camera.width)[:20]} x {str(camera.height)[:20]} pixels is out "
            f"of range: expected at most {MAX_SIDE_PX} on a side"
        )
    if not np.isfinite(camera.params).all():
        raise FormatError(f"camera parameters must be finite, got {camera.params.tolist()}")
    if model.num_focals == 0:
        return _check_panorama(camera)
    side = max(camera.width, camera.height)
    focals, (cx, cy) = focal_and_center(camera)
    if not ((focals > 0.01 * side) & (focals < 100 * side)).all():
        raise FormatError(
            f"focal length {focals.tolist()} px does not fit an image of {camera.width} x "
            f"{camera.height}: expected 0.01 to 100 times its longer side"
        )
    if not (-camera.width < cx < 2 * camera.width and -camera.height < cy < 2 * camera.height):
        raise FormatError(
            f"principal point ({cx:g}, {cy:g}) is far outside the image of {camera.width} x "
            f"{camera.height}"
        )
    if camera.model == "EUCM":
        alpha, beta = camera.params[model.extra_start :]
        if not (0 <= alpha <= 1 and beta > 0):
            raise FormatError(
                f"camera model EUCM needs alpha in 0..1 and beta > 0, got {alpha:g} and {beta:g}"
            )
    return camera


def _check_panorama(camera: Camera) -> Camera:
    if np.abs(camera.params - (camera.width, camera.height)).max() > 1.0:
        w, h = camera.params
        raise FormatError(
            f"camera model {camera.model} has the size of its image as parameters: expected "
            f"{camera.width} {camera.height}, got {w:g} {h:g}"
        )
    return camera
