"""Intrinsics in the keys of ``transforms.json``, of nerfstudio and instant-ngp.

nerfstudio names the same perspective lens SIMPLE_PINHOLE up to OPENCV, and applies k1 to k3, p1 and
p2 whatever the name; so a stated model is widened if its file has more terms. instant-ngp has no
model name but ``is_fisheye``, and fields of view.

Half pixels: nothing is shifted. nerfstudio's converter copies COLMAP's cx and cy, and its
``Cameras.get_image_coords`` puts pixel centres at +0.5. instant-ngp's ``colmap2nerf.py`` copies
them, too, its principal point is cx / w, and it shoots rays through (pixel + 0.5) / w. For files
of programs that count from the first pixel's centre, ``pixel_shift`` is 0.5.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from hloc_lite.errors import FormatError, ShapeError
from hloc_lite.geometry.cameras import CAMERA_MODELS, calibration_matrix
from hloc_lite.geometry.plausible_intrinsics import check_given_camera
from hloc_lite.types import Camera

_PERSPECTIVE = ("SIMPLE_PINHOLE", "PINHOLE", "SIMPLE_RADIAL", "RADIAL", "OPENCV")
_FISHEYE = (
    "SIMPLE_FISHEYE", "FISHEYE", "SIMPLE_RADIAL_FISHEYE", "RADIAL_FISHEYE", "OPENCV_FISHEYE",
)  # fmt: skip
_OTHER_NAMES = {"f": "fl_x", "fx": "fl_x", "fy": "fl_y", "k": "k1"}
"""COLMAP's parameter -> key; all others are equal."""
_REQUIRED = ("omega", "alpha", "beta")
"""Parameters of lenses, for which 0 is no default."""
_DISTORTION_KEYS = (
    "k1", "k2", "k3", "k4", "k5", "k6", "p1", "p2", "omega", "alpha", "beta", "sx1", "sy1",
)  # fmt: skip
_REFUSED = {
    "ftheta_p0": "an f-theta lens",
    "latlong": "a latitude-longitude image",
    "distortion_params": "a list of distortion parameters",
}
"""Keys of lenses that COLMAP does not have, or not in that form."""


def parse_camera(
    keys: Mapping[str, Any], size: tuple[int, int] | None, where: str, pixel_shift: float
) -> Camera:
    """Camera of COLMAP's models from the keys of a file and of one of its frames.

    Args:
        keys: of the file, overridden by those of the frame.
        size: (width, height) of the image on disk, if the keys have none; or None.
        where: file and frame, for errors.
        pixel_shift: added to cx and cy.

    Raises:
        FormatError: missing or implausible intrinsics, or a lens that COLMAP does not have.
    """
    for key, lens in _REFUSED.items():
        if keys.get(key):
            raise FormatError(
                f"{where}: {key!r} is {lens}, which no COLMAP camera model is made from: "
                f"undistort the images"
            )
    width, height = stated_size(keys, where) or size or (0, 0)
    if not (width and height):
        raise FormatError(f"{where}: w and h are missing, and the image was not found")
    model = _model_name(keys, where)
    if model == "EQUIRECTANGULAR":
        return _checked(model, (width, height), [float(width), float(height)], where)
    numbers = _distortion(keys, where)
    numbers["fl_x"], numbers["fl_y"] = _focals(keys, (width, height), where)
    for key, side in (("cx", width), ("cy", height)):
        given = number(keys, key, where)
        numbers[key] = side / 2 if given is None else given + pixel_shift
    model = _widened(model, numbers, where)
    params = []
    for name in CAMERA_MODELS[model].param_names:
        key = _OTHER_NAMES.get(name, name)
        if key not in numbers and key in _REQUIRED:
            raise FormatError(f"{where}: camera model {model} needs {key!r}")
        params.append(numbers.get(key, 0.0))
    return _checked(model, (width, height), params, where)


def nerfstudio_keys(camera: Camera) -> dict[str, Any]:
    """Keys of a camera for nerfstudio.

    Raises:
        FormatError: a lens that nerfstudio does not have.
    """
    if camera.model in _FISHEYE:
        return {"camera_model": "OPENCV_FISHEYE", **_shared_keys(camera)}
    if camera.model in _PERSPECTIVE:
        return {"camera_model": camera.model, **_shared_keys(camera)}
    if camera.model == "EQUIRECTANGULAR":
        focal = {"fl_x": camera.width / 2, "fl_y": float(camera.height)}
        center = {"cx": camera.width / 2, "cy": camera.height / 2}
        size = {"w": camera.width, "h": camera.height}
        return {"camera_model": camera.model, **focal, **center, **size}
    raise _not_held(camera, "nerfstudio")


def instant_ngp_keys(camera: Camera) -> dict[str, Any]:
    """Keys of a camera for instant-ngp.

    Raises:
        FormatError: a lens that instant-ngp does not have.
    """
    if camera.model not in _FISHEYE + _PERSPECTIVE:
        raise _not_held(camera, "instant-ngp")
    keys = _shared_keys(camera)
    return {
        "camera_angle_x": 2 * math.atan(camera.width / (2 * keys["fl_x"])),
        "camera_angle_y": 2 * math.atan(camera.height / (2 * keys["fl_y"])),
        **keys,
        "is_fisheye": camera.model in _FISHEYE,
    }


def number(keys: Mapping[str, Any], key: str, where: str) -> float | None:
    """Finite number of a key; None if it is absent or null.

    Raises:
        FormatError: another value.
    """
    value = keys.get(key)
    if value is None:
        return None
    # JSON integers may be too large for a float
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not abs(value) <= 1e15:
        raise FormatError(f"{where}: {key!r} must be a finite number, got {str(value)[:40]}")
    return float(value)


def stated_size(keys: Mapping[str, Any], where: str) -> tuple[int, int] | None:
    """(width, height) of the keys ``w`` and ``h``; None if one is missing.

    Raises:
        FormatError: no positive whole numbers.
    """
    width, height = number(keys, "w", where), number(keys, "h", where)
    if width is None or height is None:
        return None
    if not (width.is_integer() and height.is_integer() and width > 0 and height > 0):
        raise FormatError(f"{where}: w and h must be whole pixels, got {width:g} x {height:g}")
    return int(width), int(height)


def _model_name(keys: Mapping[str, Any], where: str) -> str:
    given = keys.get("camera_model")
    if given is None and keys.get("equirectangular"):
        return "EQUIRECTANGULAR"
    if given is None:
        return "OPENCV_FISHEYE" if keys.get("is_fisheye") else "PINHOLE"
    if not isinstance(given, str) or given.upper() not in CAMERA_MODELS:
        raise FormatError(
            f"{where}: unknown camera_model {str(given)[:40]!r}; known are "
            f"{', '.join(CAMERA_MODELS)}"
        )
    if given.upper() in _PERSPECTIVE and keys.get("is_fisheye"):
        raise FormatError(f"{where}: camera_model {given} contradicts is_fisheye")
    return given.upper()


def _distortion(keys: Mapping[str, Any], where: str) -> dict[str, float]:
    names = {name for model in CAMERA_MODELS.values() for name in model.param_names[2:]}
    wanted = (names | set(_DISTORTION_KEYS)) - {"cx", "cy", "k", "fx", "fy", "h"}
    values = {key: number(keys, key, where) for key in sorted(wanted)}
    return {key: value for key, value in values.items() if value is not None}


def _focals(keys: Mapping[str, Any], size: tuple[int, int], where: str) -> tuple[float, float]:
    """fl_x and fl_y in pixels, from focal lengths or fields of view."""
    found: list[float | None] = []
    for axis, side in zip("xy", size, strict=True):
        focal = number(keys, f"fl_{axis}", where)
        degrees = number(keys, f"{axis}_fov", where)
        radians = number(keys, f"camera_angle_{axis}", where)
        if degrees is not None and radians is None:
            radians = math.radians(degrees)
        if focal is None and radians is not None:
            if not 1e-6 < radians < math.pi:
                raise FormatError(
                    f"{where}: a field of view must be within 0 and 180 degrees, got "
                    f"{math.degrees(radians):g}"
                )
            focal = side / (2 * math.tan(radians / 2))
        found.append(focal)
    fx, fy = found
    fx = fy if fx is None else fx
    if fx is None:
        raise FormatError(f"{where}: has neither fl_x nor camera_angle_x: no focal length")
    return fx, fx if fy is None else fy


def _widened(model: str, numbers: Mapping[str, float], where: str) -> str:
    """The stated model, or the smallest of its family that has all given terms."""
    single = "f" in CAMERA_MODELS[model].param_names
    fx, fy = numbers["fl_x"], numbers["fl_y"]
    same_focal = abs(fx - fy) <= 1e-9 * abs(fx)
    family = next((each for each in (_PERSPECTIVE, _FISHEYE) if model in each), None)
    held = {_OTHER_NAMES.get(name, name) for name in CAMERA_MODELS[model].param_names}
    extra = {key for key in _DISTORTION_KEYS if numbers.get(key, 0.0) and key not in held}
    if family is None:
        if extra or (single and not same_focal):
            terms = sorted(extra) or "two focal lengths"
            raise FormatError(f"{where}: camera model {model} does not have {terms}")
        return model
    if not extra and (same_focal or not single):
        return model
    if family is _FISHEYE:
        return "OPENCV_FISHEYE"  # nerfstudio and instant-ngp ignore further terms
    if numbers.get("k4", 0.0):
        raise FormatError(
            f"{where}: a perspective lens with k4 has no COLMAP camera model; if it is a fisheye, "
            f"its camera_model is OPENCV_FISHEYE"
        )
    return "FULL_OPENCV" if numbers.get("k3", 0.0) else "OPENCV"


def _checked(model: str, size: tuple[int, int], params: list[float], where: str) -> Camera:
    try:
        return check_given_camera(Camera(model, *size, np.array(params)))
    except (FormatError, ShapeError) as error:
        raise FormatError(f"{where}: {error}") from None


def _shared_keys(camera: Camera) -> dict[str, Any]:
    """Focal lengths, principal point, size, and all distortion terms, zeros included."""
    matrix = calibration_matrix(camera)
    layout = CAMERA_MODELS[camera.model]
    names = layout.param_names[layout.extra_start :]
    extra = dict(zip(names, camera.params[layout.extra_start :].tolist(), strict=True))
    zeros = dict.fromkeys(("k1", "k2", "k3", "k4", "p1", "p2"), 0.0)
    return {
        "fl_x": float(matrix[0, 0]),
        "fl_y": float(matrix[1, 1]),
        "cx": float(matrix[0, 2]),
        "cy": float(matrix[1, 2]),
        "w": camera.width,
        "h": camera.height,
        **zeros,
        **{_OTHER_NAMES.get(name, name): value for name, value in extra.items()},
    }


def _not_held(camera: Camera, program: str) -> FormatError:
    return FormatError(
        f"{program} has no lens like {camera.model}: undistort the images first (in COLMAP, "
        f"image_undistorter)"
    )
