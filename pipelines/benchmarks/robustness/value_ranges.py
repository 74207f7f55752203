"""Ranges that values of any reader must lie in, checked without help of the reader."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from hloc_lite.geometry.cameras import get_camera_model, principal_point
from hloc_lite.scene import SfmModel
from hloc_lite.types import Camera, DepthMap, Rigid3

MAX_NUMBER = 1e19
"""Largest number of an array of any file: squares of larger ones overflow 32-bit floats."""
ROTATION_ERROR = 1e-6
"""Largest error of R R^T: readers make exact rotations of rounded ones."""


def out_of_range(value: object) -> str:
    """First thing in a value that lies outside its range; empty if there is none."""
    return next(_faults(value), "")


def _faults(value: object) -> Iterator[str]:
    if isinstance(value, Camera):
        yield from _camera_faults(value)
    elif isinstance(value, Rigid3):
        error = np.abs(value.rotation @ value.rotation.T - np.eye(3)).max()
        if not error <= ROTATION_ERROR:
            yield f"a rotation is none, by {error:.3g}"
    elif isinstance(value, SfmModel):
        yield from _model_faults(value)
        # not the errors: COLMAP writes the largest double for points behind a camera
        value = [value.cameras, value.images, value.xyz]
    if isinstance(value, DepthMap):
        known = value.depths[~np.isnan(value.depths)]  # NaN is how unknown depths are written
        if not ((known >= 0) & np.isfinite(known)).all():
            yield "a depth is negative, or not finite"
    elif isinstance(value, np.ndarray):
        if value.dtype.kind == "f" and not (np.abs(value) <= MAX_NUMBER).all():  # NaN fails, too
            yield f"numbers of an array of {value.shape} are not finite, or too large"
    elif isinstance(value, float) and not np.isfinite(value):
        yield f"a number is {value}"
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        for field in dataclasses.fields(value):
            yield from _faults(getattr(value, field.name, None))
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _faults(key)
            yield from _faults(item)
    elif isinstance(value, Sequence) and not isinstance(value, str | bytes):
        for item in value:
            yield from _faults(item)


def _camera_faults(camera: Camera) -> Iterator[str]:
    if camera.width <= 0 or camera.height <= 0:
        yield f"an image has {camera.width} x {camera.height} pixels"
    model = get_camera_model(camera)
    if not model.num_focals:
        return
    if not (camera.params[: model.num_focals] > 0).all():
        yield "a focal length is not positive"
    center, sides = principal_point(camera), np.array([camera.width, camera.height])
    if not ((center > -sides) & (center < 2 * sides)).all():
        yield "a principal point lies a whole image outside of the image"


def _model_faults(model: SfmModel) -> Iterator[str]:
    if len(set(model.point3D_ids.tolist())) != model.num_points:
        yield "an id of a point is repeated"
    for key in ("image_id", "name"):
        if len({getattr(image, key) for image in model.images}) != len(model.images):
            yield f"an image's {key} is repeated"
    for image in model.images:
        if image.camera_id not in model.cameras:
            yield f"camera {image.camera_id} does not exist"
        rows = image.point3D_idxs
        if len(rows) and not -1 <= rows.min() <= rows.max() < model.num_points:
            yield "an observation is of a point that does not exist"
