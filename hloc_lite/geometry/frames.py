"""Poses and points in the axes of other programs: OpenCV, OpenGL, ARKit, Unity, ROS.

A frame has axes for the camera and axes for the world: signed permutations of COLMAP's.
``position`` is always the camera centre. Poses and points of one frame are consistent: points
project to the same pixels as in the map.

World axes depend on the kind of world (``world``):

* ``map``: the axes of a map. Their up direction is unknown, so they are converted like a camera's
  (x right, y down, z forward): the identity stays the identity, and "up" is the map's -y, which
  need not be the sky.
* ``enu``: x east, y north, z up, metres, as in georeferenced poses. Up is up in every frame.

Camera axes are those of the upright photo. ARKit's own camera transform refers to the photo as the
sensor stores it: rotate both photos and poses, or neither.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from hloc_lite.errors import ConfigError, FormatError, UnknownNameError
from hloc_lite.geometry.rotations import quat_wxyz_from_rotation, rotation_from_quat_wxyz
from hloc_lite.types import Float64, Rigid3, frozen_array

World = Literal["map", "enu"]


def _axes(*rows: tuple[int, int, int]) -> Float64:
    return np.asarray(frozen_array(rows, np.float64, (3, 3), "axes"), np.float64)


_SAME = _axes((1, 0, 0), (0, 1, 0), (0, 0, 1))
_RIGHT_UP_BACK = _axes((1, 0, 0), (0, -1, 0), (0, 0, -1))
_RIGHT_UP_FORWARD = _axes((1, 0, 0), (0, -1, 0), (0, 0, 1))
_FORWARD_LEFT_UP = _axes((0, 0, 1), (-1, 0, 0), (0, -1, 0))
_EAST_UP_SOUTH = _axes((1, 0, 0), (0, 0, 1), (0, -1, 0))
_EAST_UP_NORTH = _axes((1, 0, 0), (0, 0, 1), (0, 1, 0))


@dataclass(frozen=True, eq=False)
class _Frame:
    meaning: str
    camera_axes: Float64
    """(3, 3) its camera coordinates from COLMAP's."""
    map_axes: Float64
    """(3, 3) its world coordinates from a map's."""
    enu_axes: Float64
    """(3, 3) its world coordinates from east, north, up."""
    map_text: str
    """World axes of a map, in words."""
    enu_text: str
    """World axes of an ENU world, in words."""
    is_cam_from_world: bool = False
    """True if the rotation is cam_from_world, else world_from_cam."""


_FRAMES: Mapping[str, _Frame] = {
    "colmap": _Frame(
        "cam_from_world as in COLMAP's images.txt (x_cam = R x_world + t), camera x right, y down, "
        "z forward; position is the camera centre, translation is t",
        _SAME, _SAME, _SAME, "unchanged", "unchanged", is_cam_from_world=True,
    ),
    "opencv": _Frame(
        "world_from_cam, camera x right, y down, z forward",
        _SAME, _SAME, _SAME, "unchanged", "unchanged",
    ),
    "opengl": _Frame(
        "world_from_cam as in OpenGL, ARKit and ARCore, camera x right, y up, z backward",
        _RIGHT_UP_BACK, _RIGHT_UP_BACK, _EAST_UP_SOUTH, "(x, -y, -z), y up", "east, up, south",
    ),
    "unity": _Frame(
        "left-handed world_from_cam as in Unity, camera x right, y up, z forward",
        _RIGHT_UP_FORWARD, _RIGHT_UP_FORWARD, _EAST_UP_NORTH, "(x, -y, z), y up", "east, up, north",
    ),
    "ros": _Frame(
        "world_from_cam of a ROS body (REP-103), x forward, y left, z up",
        _FORWARD_LEFT_UP, _FORWARD_LEFT_UP, _SAME, "(z, -x, -y), z up", "unchanged",
    ),
    "ros_optical": _Frame(
        "world_from_cam of a ROS optical frame (REP-103), camera x right, y down, z forward",
        _SAME, _FORWARD_LEFT_UP, _SAME, "(z, -x, -y), z up", "unchanged",
    ),
}  # fmt: skip

FRAMES: Mapping[str, str] = {
    name: f"{each.meaning}; world axes of a map (x, y, z): {each.map_text}; of east, north, up: "
    f"{each.enu_text}."
    for name, each in _FRAMES.items()
}
"""Description of each frame, in one sentence, by name."""


def pose_in_frame(
    cam_from_world: Rigid3, frame: str, world: World = "map"
) -> dict[str, list[float] | str]:
    """Convert a pose to the axes of another program, as plain JSON values.

    Args:
        cam_from_world: in the ENU world for ``world="enu"`` (``Georeference.in_enu``).
        frame: a name of ``FRAMES``.
        world: kind of the pose's world, see the module docstring.

    Returns:
        ``position`` (3,) of the camera centre, ``rotation_xyzw`` a unit quaternion with w >= 0, and
        ``convention`` in words; for colmap also ``translation``.

    Raises:
        ConfigError: an unknown frame or world.
    """
    axes = _frame(frame)
    world_axes = _world_axes(axes, world)
    rotation = world_axes @ cam_from_world.rotation.T @ axes.camera_axes.T
    if axes.is_cam_from_world:
        rotation = rotation.T
    w, x, y, z = _plain(quat_wxyz_from_rotation(rotation))
    given = (
        f"a map's (x, y, z): {axes.map_text}"
        if world == "map"
        else f"east, north, up: {axes.enu_text}"
    )
    value: dict[str, list[float] | str] = {
        "position": _plain(world_axes @ cam_from_world.center),
        "rotation_xyzw": [x, y, z, w],
        "convention": f"{axes.meaning}; world axes of {given}",
    }
    if axes.is_cam_from_world:
        value["translation"] = _plain(cam_from_world.translation)
    return value


def pose_from_frame(
    position: npt.ArrayLike, rotation_xyzw: npt.ArrayLike, frame: str, world: World = "map"
) -> Rigid3:
    """Convert a pose in the axes of another program to cam_from_world.

    Inverse of ``pose_in_frame``.

    Args:
        position: (3,) camera centre, for every frame.
        rotation_xyzw: (4,) quaternion of any length.

    Raises:
        ConfigError: an unknown frame or world.
        ShapeError: not three and four numbers.
        FormatError: numbers that are not finite, or a zero quaternion.
    """
    axes = _frame(frame)
    world_axes = _world_axes(axes, world)
    x, y, z, w = frozen_array(rotation_xyzw, np.float64, (4,), "rotation_xyzw")
    given = np.asarray(frozen_array(position, np.float64, (3,), "position"), np.float64)
    if not np.isfinite(given).all():
        raise FormatError(f"position: expected three finite numbers, got {given}")
    center = given @ world_axes
    rotation = rotation_from_quat_wxyz([w, x, y, z])
    world_from_cam = rotation.T if axes.is_cam_from_world else rotation
    cam_from_world = axes.camera_axes.T @ world_from_cam.T @ world_axes
    return Rigid3(cam_from_world, -cam_from_world @ center)


def covariance_in_frame(
    cam_from_world: Rigid3, covariance: Float64, frame: str, world: World = "map"
) -> Float64:
    """Covariance of a pose of ``pose_in_frame``, along and about the world axes of its frame.

    Args:
        covariance: (6, 6) as in ``types.PoseEstimate``.

    Returns:
        (6, 6) of (position, rotation vector in rad about fixed axes), in the order of ROS's
        PoseWithCovariance; for colmap, too, of the camera centre and orientation.

    Raises:
        ConfigError: an unknown frame or world.
        ShapeError: another shape.
    """
    given = np.asarray(frozen_array(covariance, np.float64, (6, 6), "covariance"), np.float64)
    axes = _world_axes(_frame(frame), world)
    # exp(d) cam_from_world moves the centre by -R^T v and rotates the camera by -R^T w
    rotation = -axes @ cam_from_world.rotation.T
    jacobian = np.zeros((6, 6))
    jacobian[:3, 3:] = rotation
    # mirrored axes reverse the sense of rotations
    jacobian[3:, :3] = np.sign(np.linalg.det(axes)) * rotation
    return jacobian @ given @ jacobian.T


def points_in_frame(xyz: npt.ArrayLike, frame: str, world: World = "map") -> Float64:
    """(..., 3) points or directions of the world in the world axes of a frame.

    Raises:
        ConfigError: an unknown frame or world.
    """
    return np.asarray(xyz, np.float64) @ _world_axes(_frame(frame), world).T


def points_from_frame(xyz: npt.ArrayLike, frame: str, world: World = "map") -> Float64:
    """Inverse of ``points_in_frame``, for example for the position or gravity of a prior.

    Raises:
        ConfigError: an unknown frame or world.
    """
    return np.asarray(xyz, np.float64) @ _world_axes(_frame(frame), world)


def camera_vectors_from_frame(xyz: npt.ArrayLike, frame: str) -> Float64:
    """(..., 3) points or directions from the camera axes of a frame to COLMAP's (x right, y down, z
    forward), for example the gravity measured by a phone.

    Raises:
        ConfigError: an unknown frame.
    """
    return np.asarray(xyz, np.float64) @ _frame(frame).camera_axes


def camera_axes(frame: str) -> Float64:
    """(3, 3) camera coordinates of a frame from COLMAP's.

    Raises:
        ConfigError: an unknown frame.
    """
    return _frame(frame).camera_axes


def _frame(name: str) -> _Frame:
    try:
        return _FRAMES[name]
    except KeyError:
        raise UnknownNameError(f"unknown frame {name!r}; known are {', '.join(FRAMES)}") from None


def _world_axes(frame: _Frame, world: str) -> Float64:
    if world not in ("map", "enu"):
        raise ConfigError(f"world: expected map or enu, got {world!r}")
    return frame.map_axes if world == "map" else frame.enu_axes


def _plain(vector: Float64) -> list[float]:
    """List of floats, without the -0.0 from mirrored axes."""
    return (vector + 0.0).tolist()
