"""Distances of the poses of a submission from those of a map or from the true poses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.spatial import KDTree
from scipy.spatial.transform import Rotation

from hloc_lite.types import Bool, Float64, Rigid3

MAX_COST = 5.0
"""Larger distances count as this: how far off a wrong pose is says nothing."""
_EXTENT_SHARE = 0.3
"""Distance of camera centres that counts as 1, relative to the extent of the map."""
_ROTATION_WEIGHT = 1.0 / (2 * np.sqrt(2) * np.sin(np.radians(30) / 2))
"""Weight of the Frobenius norm of the difference of two rotations: 30 degrees count as 1."""
_FAR = 1e9
"""Larger coordinates are taken as this, so that no sum overflows."""
_MIN_SPREAD = 0.2
"""Median distance from their median, in the unit of costs, that centres must keep in another unit:
a small enough unit moves all of them to the origin."""


@dataclass(frozen=True)
class Reading:
    """Meaning of the seven numbers of a line."""

    is_wxyz: bool = True
    """False: the quaternion is in the order xyzw."""
    is_cam_from_world: bool = True
    """True if the rotation is world to camera, False if it is camera to world."""
    is_center: bool = False
    """True if the position is the camera centre, False if it is the translation."""
    has_opengl_axes: bool = False
    """True if the camera looks along -z, with y up."""
    unit: float = 1.0
    """Length of the file's unit in the map's."""

    @property
    def text(self) -> str:
        """The reading in words."""
        rotation = "world to camera" if self.is_cam_from_world else "camera to world"
        words = [
            "wxyz" if self.is_wxyz else "xyzw",
            f"rotation {rotation}",
            "camera centre" if self.is_center else "translation",
        ]
        words += ["camera axes x right, y up, z back"] if self.has_opengl_axes else []
        words += [f"unit {self.unit:g} of the map's"] if self.unit != 1 else []
        return ", ".join(words)

    def num_differences(self, other: Reading) -> int:
        """Number of mistakes that turn this reading into another one."""
        is_inverted = self.is_cam_from_world != other.is_cam_from_world
        has_other_position = self.is_center != other.is_center
        return (
            (self.is_wxyz != other.is_wxyz)
            + max(is_inverted, has_other_position)
            + (self.has_opengl_axes != other.has_opengl_axes)
            + (self.unit != other.unit)
        )


class MapPoses:
    """Poses of a map's images, to measure the distance of poses from the nearest of them."""

    def __init__(self, poses: Sequence[Rigid3]) -> None:
        self._features, self.unit = _reference(poses)
        self._tree = KDTree(self._features)
        centers = self._features[:, :3]
        self._middle = np.median(centers, axis=0)
        self._radius = 2 * max(float(np.linalg.norm(centers - self._middle, axis=1).max()), 1.0)

    def costs(self, quats: Float64, positions: Float64, reading: Reading) -> Float64:
        """(N,) distances from the nearest image, at most ``MAX_COST``."""
        found = _features(quats, positions, reading, self.unit)
        distances, _ = self._tree.query(found, distance_upper_bound=MAX_COST)
        return _guarded(distances, found, reading)

    def are_near(self, quats: Float64, positions: Float64, reading: Reading) -> Bool:
        """(N,) True for camera centres within twice the radius of the map, from its middle."""
        centers = _features(quats, positions, reading, self.unit)[:, :3]
        near: Bool = np.linalg.norm(centers - self._middle, axis=1) <= self._radius
        return near


class TruePoses:
    """True poses of the lines, in their order."""

    def __init__(self, poses: Sequence[Rigid3]) -> None:
        self._features, self.unit = _reference(poses)

    def costs(self, quats: Float64, positions: Float64, reading: Reading) -> Float64:
        """(N,) distances from the true poses, at most ``MAX_COST``."""
        found = _features(quats, positions, reading, self.unit)
        return _guarded(np.linalg.norm(found - self._features, axis=1), found, reading)

    def are_near(self, quats: Float64, positions: Float64, reading: Reading) -> Bool:
        """(N,) True: the truth of these lines is known."""
        return np.ones(len(quats), bool)


def pose_cells(quats: Float64, positions: Float64, reading: Reading, unit: float) -> Float64:
    """(N, 6) cells of camera centres and optical axes: nearly equal poses share one."""
    features = _features(quats, positions, reading, unit)
    cells: Float64 = np.round(np.hstack([features[:, :3], 2 / _ROTATION_WEIGHT * features[:, 9:]]))
    return cells


def _reference(poses: Sequence[Rigid3]) -> tuple[Float64, float]:
    """(N, 12) features of cam_from_world, and the distance of centres that counts as 1."""
    rotations = np.array([pose.rotation for pose in poses]).reshape(-1, 3, 3)
    centers = np.array([pose.center for pose in poses]).reshape(-1, 3)
    extent = _spread(centers)
    neighbours, _ = KDTree(centers).query(centers, k=[min(2, len(centers))])
    unit = max(_EXTENT_SHARE * extent, 2 * float(np.median(neighbours)))
    unit = unit if unit > 1e-9 else 1.0  # all at one location
    return np.hstack([centers / unit, _ROTATION_WEIGHT * rotations.reshape(-1, 9)]), unit


def _features(quats: Float64, positions: Float64, reading: Reading, unit: float) -> Float64:
    """(N, 12) features of lines: camera centre and rotation, each in units of a cost of 1."""
    xyzw = quats[:, [1, 2, 3, 0]] if reading.is_wxyz else quats
    rotations = Rotation.from_quat(xyzw).as_matrix()
    if not reading.is_cam_from_world:
        rotations = np.swapaxes(rotations, 1, 2)
    centers = np.clip(positions, -_FAR, _FAR)
    if not reading.is_center:
        centers = -np.einsum("nij,ni->nj", rotations, centers)
    if reading.has_opengl_axes:
        rotations = rotations * np.array([1.0, -1.0, -1.0])[:, None]
    scaled = np.clip(centers * (reading.unit / unit), -_FAR, _FAR)
    features: Float64 = np.hstack([scaled, _ROTATION_WEIGHT * rotations.reshape(-1, 9)])
    return features


def _guarded(distances: Float64, found: Float64, reading: Reading) -> Float64:
    """Distances, at most ``MAX_COST``; no fit where another unit moves all to one location."""
    if reading.unit != 1 and _spread(found[:, :3]) < _MIN_SPREAD:
        return np.full(len(distances), MAX_COST)
    return np.minimum(distances, MAX_COST)


def _spread(points: Float64) -> float:
    """Median distance from the median."""
    if len(points) == 0:
        return 0.0
    return float(np.median(np.linalg.norm(points - np.median(points, axis=0), axis=1)))
