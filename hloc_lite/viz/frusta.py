"""Frusta of cameras as arrays: places, orientations, half extents, and the lines that draw them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.spatial.transform import Rotation

from hloc_lite.errors import FormatError
from hloc_lite.geometry.cameras import focal_lengths
from hloc_lite.types import Camera, Float32, Float64, Rigid3, freeze_field
from hloc_lite.viz.frame import ViewerFrame

MAX_SLOPE = float(np.tan(np.radians(60)))
"""Tangent of the largest half angle that is drawn: a fisheye's would not fit a pyramid."""
PANORAMA_SLOPE = 1.0
"""Tangent of the half angle drawn for cameras without a focal length (90 degrees)."""
PYRAMID = np.array([[0, 0, 0], [-1, -1, 1], [1, -1, 1], [1, 1, 1], [-1, 1, 1]], np.float32)
"""(5, 3) camera centre and image corners of a frustum of depth 1, camera frame."""
PYRAMID_TRIANGLES = np.array([[0, 2, 1], [0, 3, 2], [0, 4, 3], [0, 1, 4]], np.int32)
"""(4, 3) sides. The image plane is open, so that one sees through it from the camera's centre."""
_ROOF = np.array([[-0.4, -1, 1], [0, -1.5, 1], [0.4, -1, 1]], np.float32)
"""(3, 3) corners above the image's upper side, which tell what is up in the photo."""
_EDGES = np.array(
    [[0, 1], [0, 2], [0, 3], [0, 4], [1, 2], [2, 3], [3, 4], [4, 1], [5, 6], [6, 7]], np.int32
)
SEGMENTS = len(_EDGES)
"""Segments of a frustum's lines."""


@dataclass(frozen=True, eq=False)
class Frusta:
    """N cameras in the viewer."""

    names: tuple[str, ...]
    centers: Float32
    """(N, 3) camera centres, units of the viewer."""
    quats_wxyz: Float32
    """(N, 4) rotations world_from_cam."""
    slopes: Float32
    """(N, 2) tangents of the half angles in x and y."""

    def __post_init__(self) -> None:
        n = len(self.names)
        freeze_field(self, "centers", np.float32, n, 3)
        freeze_field(self, "quats_wxyz", np.float32, n, 4)
        freeze_field(self, "slopes", np.float32, n, 2)

    def __len__(self) -> int:
        return len(self.names)


def make_frusta(
    names: Sequence[str], poses: Sequence[Rigid3], cameras: Sequence[Camera], frame: ViewerFrame
) -> Frusta:
    """Frusta of cameras with poses cam_from_world."""
    if not names:
        return Frusta((), *(np.zeros((0, n), np.float32) for n in (3, 4, 2)))
    world_from_cam = np.array([pose.rotation.T for pose in poses])
    quats = quats_wxyz(world_from_cam)
    centers = frame.from_world(np.array([pose.center for pose in poses]))
    slopes = np.array([half_slopes(each) for each in cameras], np.float32)
    return Frusta(tuple(names), centers, quats, slopes)


def quats_wxyz(rotations: npt.ArrayLike) -> Float32:
    """(N, 4) quaternions, scalar first as viser takes them, of (N, 3, 3) rotations."""
    return Rotation.from_matrix(rotations).as_quat()[:, [3, 0, 1, 2]].astype(np.float32)


def rotations_of(frusta: Frusta) -> Rotation:
    """Rotations world_from_cam of the cameras."""
    return Rotation.from_quat(frusta.quats_wxyz[:, [1, 2, 3, 0]])


def half_slopes(camera: Camera) -> Float64:
    """(2,) tangents of half the field of view in x and y, as far as a pyramid can show it."""
    try:
        focal = focal_lengths(camera)
    except FormatError:  # a panorama
        return np.full(2, PANORAMA_SLOPE)
    with np.errstate(divide="ignore"):
        slopes = np.array([camera.width, camera.height]) / (2 * focal)
    return np.clip(np.nan_to_num(slopes, nan=PANORAMA_SLOPE), 1e-3, MAX_SLOPE)


def scales(frusta: Frusta, depth: float) -> Float32:
    """(N, 3) factors that make ``PYRAMID`` the frusta of a depth in units of the viewer."""
    extents = np.concatenate([frusta.slopes, np.ones((len(frusta), 1))], axis=1)
    return np.asarray(depth * extents, np.float32)


def frustum_lines(frusta: Frusta, depth: float) -> Float32:
    """(SEGMENTS N, 2, 3) segments: edges of each pyramid, and a roof on its upper side."""
    if len(frusta) == 0:
        return np.zeros((0, 2, 3), np.float32)
    corners = np.concatenate([PYRAMID, _ROOF])  # (8, 3)
    in_cam = corners[None] * scales(frusta, depth)[:, None]
    rotations = rotations_of(frusta).as_matrix().astype(np.float32)
    placed = in_cam @ rotations.transpose(0, 2, 1) + frusta.centers[:, None]
    return np.ascontiguousarray(placed[:, _EDGES].reshape(-1, 2, 3), np.float32)


def per_segment(colours: np.ndarray, count: int) -> np.ndarray:
    """(count N, 2, 3) colours of segments from (N, 3) colours of frusta."""
    return np.repeat(np.repeat(colours, count, axis=0)[:, None], 2, axis=1)
