"""Cameras that measured depth beside a photo's own: intrinsics, and pose relative to the photo's.

A file is TOML, in the conventions of hloc_lite:

    camera = ["PINHOLE", 640, 480, 585.0, 585.0, 320.0, 240.0]
    photo_from_depth = [   # x_in_photo_camera = M x_in_depth_camera, map units
        [1.0, 0.0, 0.0, -0.0256],
        [0.0, 1.0, 0.0, 0.0001],
        [0.0, 0.0, 1.0, 0.0020],
    ]

Known cameras have names instead: ``7scenes``.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hloc_lite.errors import FormatError, HlocLiteError
from hloc_lite.formats import seven_scenes
from hloc_lite.formats.pose_text import pose_from_matrix
from hloc_lite.geometry.cameras import check_camera
from hloc_lite.io.regular_files import check_regular
from hloc_lite.types import Camera, Rigid3

MAX_BYTES = 1 << 16
"""Larger files are not read."""


@dataclass(frozen=True, eq=False)
class DepthCamera:
    """Camera that depth images were measured with."""

    camera: Camera
    photo_from_depth: Rigid3
    """Pose of the depth camera in the frame of the photo's camera, map units."""


def _seven_scenes() -> DepthCamera:
    return DepthCamera(seven_scenes.depth_camera(), seven_scenes.color_from_depth())


KNOWN_DEPTH_CAMERAS: Mapping[str, Callable[[], DepthCamera]] = {"7scenes": _seven_scenes}
"""Name -> depth camera of a data set."""


def depth_camera_of(name_or_path: str) -> DepthCamera:
    """Depth camera of a known name, or that of a TOML file.

    Raises:
        FormatError: neither, or a file without the two entries.
    """
    if name_or_path in KNOWN_DEPTH_CAMERAS:
        return KNOWN_DEPTH_CAMERAS[name_or_path]()
    return read_depth_camera(Path(name_or_path))


def read_depth_camera(path: Path) -> DepthCamera:
    """Read a depth camera from a TOML file.

    Raises:
        FormatError: unreadable, an entry is missing, no known camera model, or no rigid transform.
    """
    check_regular(path)
    try:
        if path.stat().st_size > MAX_BYTES:
            raise FormatError(f"{path} is too large for a depth camera")
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        known = ", ".join(KNOWN_DEPTH_CAMERAS)
        raise FormatError(
            f"cannot read the depth camera {path} ({error.strerror or error}): expected a TOML "
            f"file or a known camera ({known})"
        ) from None
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{path} is not TOML: {error}") from None
    return DepthCamera(_camera(values, path), _pose(values, path))


def _camera(values: Mapping[str, object], path: Path) -> Camera:
    entry = values.get("camera")
    expected = "camera = [MODEL, width, height, parameters...]"
    if not isinstance(entry, list) or len(entry) < 4 or not isinstance(entry[0], str):
        raise FormatError(f"{path}: expected {expected}")
    numbers = entry[1:]
    if not all(isinstance(each, int | float) and not isinstance(each, bool) for each in numbers):
        raise FormatError(f"{path}: expected numbers after the model: {expected}")
    try:
        size = int(numbers[0]), int(numbers[1])
        return check_camera(Camera(entry[0], *size, np.array(numbers[2:], np.float64), True))
    except (HlocLiteError, ValueError, OverflowError) as error:  # int() refuses inf and NaN
        raise FormatError(f"{path}, camera: {error}") from None


def _pose(values: Mapping[str, object], path: Path) -> Rigid3:
    entry = values.get("photo_from_depth")
    expected = "photo_from_depth = three or four rows of four numbers"
    is_matrix = (
        isinstance(entry, list)
        and len(entry) in (3, 4)
        and all(isinstance(row, list) and len(row) == 4 for row in entry)
    )
    if not is_matrix:
        raise FormatError(f"{path}: expected {expected}")
    assert isinstance(entry, list)
    try:
        return pose_from_matrix(entry, f"{path}, photo_from_depth")
    except (TypeError, ValueError, OverflowError):
        raise FormatError(f"{path}: expected {expected}") from None
