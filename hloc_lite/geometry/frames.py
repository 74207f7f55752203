"""Poses and points in the axes of other programs: OpenCV, OpenGL, ARKit, Unity, ROS.

A frame has axes for the camera and axes for the world; both are our own, permuted and mirrored.
``position`` is always the camera centre. Poses and points of one frame belong together: what is
given out in a frame projects as it did in the map.

World axes depend on what the world is (``world``):

* ``map``: a map's axes as they are. Nothing says which way is up there, so they are read like a
  camera's (x right, y down, z forward): the identity stays the identity, and "up" is the map's -y,
  which is the sky only if the map happens to lie so.
* ``enu``: x east, y north, z up, metres, as georeferenced poses are. Up is up in every frame.

The camera's axes are those of the upright photo. ARKit's own camera transform is of the photo as
the sensor stores it: turn photos and poses alike, or neither.
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
    camera: Float64
    """(3, 3) its camera coordinates from ours."""
    of_map: Float64
    """(3, 3) its world coordinates from a map's."""
    of_enu: Float64
    """(3, 3) its world coordinates from east, north, up."""
    map_becomes: str
    enu_becomes: str
    is_cam_from_world: bool = False
    """The rotation turns world to camera; else camera to world."""


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
    name: f"{each.meaning}; world axes of a map (x, y, z): {each.map_becomes}; of east, north, up: "
    f"{each.enu_becomes}."
    for name, each in _FRAMES.items()
}
"""Name -> what it is, in one sentence."""


def pose_in_frame(
    cam_from_world: Rigid3, frame: str, world: World = "map"
) -> dict[str, list[float] | str]:
    """A pose as another program wants it, in plain JSON values.

    Args:
        cam_from_world: with ``world="enu"`` of the ENU world (``Georeference.in_enu``).
        frame: a name of ``FRAMES``.
        world: what the pose's world axes are, see the module.

    Returns:
        ``position`` (3,) of the camera centre, ``rotation_xyzw`` a unit quaternion with w >= 0,
        ``convention`` what these are; colmap has its ``translation``, too.

    Raises:
        ConfigError: an unknown frame or world.
    """
    axes = _frame(frame)
    world_axes = _world_axes(axes, world)
    rotation = world_axes @ cam_from_world.rotation.T @ axes.camera.T
    if axes.is_cam_from_world:
        rotation = rotation.T
    w, x, y, z = _plain(quat_wxyz_from_rotation(rotation))
    given = (
        f"a map's (x, y, z): {axes.map_becomes}"
        if world == "map"
        else f"east, north, up: {axes.enu_becomes}"
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
    """The cam_from_world of what ``pose_in_frame`` gives out.

    Args:
        position: (3,) of the camera centre, for every frame.
        rotation_xyzw: (4,) its length is normalized away.

    Raises:
        ConfigError: an unknown frame or world.
        ShapeError: not three and four numbers.
        FormatError: numbers that are not finite, or a quaternion without length.
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
    cam_from_world = axes.camera.T @ world_from_cam.T @ world_axes
    return Rigid3(cam_from_world, -cam_from_world @ center)


def covariance_in_frame(
    cam_from_world: Rigid3, covariance: Float64, frame: str, world: World = "map"
) -> Float64:
    """How uncertain a pose of ``pose_in_frame`` is, along and about the world axes of its frame.

    Args:
        covariance: (6, 6) as ``types.PoseEstimate`` has it.

    Returns:
        (6, 6) of (position, rotation vector in rad about fixed axes), in the order of ROS's
        PoseWithCovariance; also for colmap of where the camera is and how it is turned there.

    Raises:
        ConfigError: an unknown frame or world.
        ShapeError: another shape.
    """
    given = np.asarray(frozen_array(covariance, np.float64, (6, 6), "covariance"), np.float64)
    axes = _world_axes(_frame(frame), world)
    # exp(d) cam_from_world moves the centre by -R^T v and turns the camera by -R^T w
    turned = -axes @ cam_from_world.rotation.T
    change = np.zeros((6, 6))
    change[:3, 3:] = turned
    change[3:, :3] = np.sign(np.linalg.det(axes)) * turned  # mirrored, turns go the other way
    return change @ given @ change.T


def points_in_frame(xyz: npt.ArrayLike, frame: str, world: World = "map") -> Float64:
    """(..., 3) points or directions of the world, in the world axes of a frame.

    Raises:
        ConfigError: an unknown frame or world.
    """
    return np.asarray(xyz, np.float64) @ _world_axes(_frame(frame), world).T


def points_from_frame(xyz: npt.ArrayLike, frame: str, world: World = "map") -> Float64:
    """The inverse of ``points_in_frame``: e.g. a prior's position, or which way is down.

    Raises:
        ConfigError: an unknown frame or world.
    """
    return np.asarray(xyz, np.float64) @ _world_axes(_frame(frame), world)


def camera_vectors_from_frame(xyz: npt.ArrayLike, frame: str) -> Float64:
    """(..., 3) points or directions in the camera axes of a frame, in ours (x right, y down, z
    forward): e.g. the gravity that a phone measures.

    Raises:
        ConfigError: an unknown frame.
    """
    return np.asarray(xyz, np.float64) @ _frame(frame).camera


def camera_axes(frame: str) -> Float64:
    """(3, 3) camera coordinates of a frame from ours.

    Raises:
        ConfigError: an unknown frame.
    """
    return _frame(frame).camera


def _frame(name: str) -> _Frame:
    try:
        return _FRAMES[name]
    except KeyError:
        raise UnknownNameError(f"unknown frame {name!r}; known are {', '.join(FRAMES)}") from None


def _world_axes(frame: _Frame, world: str) -> Float64:
    if world not in ("map", "enu"):
        raise ConfigError(f"world: expected map or enu, got {world!r}")
    return frame.of_map if world == "map" else frame.of_enu


def _plain(vector: Float64) -> list[float]:
    """Without the -0.0 that mirrored axes leave."""
    return (vector + 0.0).tolist()
