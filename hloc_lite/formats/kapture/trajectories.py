"""Trajectories of kapture, and the poses of cameras that are mounted on rigs.

In kapture all poses are device_from_world, and rigs give sensor_from_rig.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

import numpy as np

from hloc_lite.errors import FormatError
from hloc_lite.formats.kapture.poses import POSE_COLUMNS, DevicePose, parse_pose
from hloc_lite.formats.kapture.tables import read_rows, whole_number, write_rows
from hloc_lite.geometry.rotations import rotations_from_unit_quats
from hloc_lite.types import Rigid3

Key = TypeVar("Key")
Trajectories = Mapping[tuple[int, str], DevicePose]
"""(timestamp, device) -> pose; the format decides in which direction."""
TRAJECTORY_COLUMNS = f"timestamp, device_id, {POSE_COLUMNS}"


def read_trajectories(
    path: Path, *, covariances: bool = False
) -> dict[tuple[int, str], DevicePose]:
    """Poses by timestamp and device, in the order of the file.

    Args:
        path: ``trajectories.txt``.
        covariances: True if a pose may be followed by 36 numbers of its covariance.

    Raises:
        FormatError: a bad line (with its number), or two poses of a device at one time.
    """
    poses: dict[tuple[int, str], DevicePose] = {}
    columns = TRAJECTORY_COLUMNS + ("[, covariance x 36]" if covariances else "")
    most = 45 if covariances else 9
    for (time, device, *pose), where in read_rows(path, columns, 9, most):
        key = whole_number(time, "timestamp", where), device
        if not device or key in poses:
            problem = "has two poses" if device else "a pose without a device"
            raise FormatError(f"{where}: {device[:80]!r} at {time}: {problem}")
        poses[key] = parse_pose(pose, where)
    return poses


def write_trajectories(
    path: Path, trajectories: Trajectories, *, version_line: bool = True
) -> None:
    """Write poses by timestamp and device; raises as ``write_rows``."""
    rows = ((time, device, *pose.cells()) for (time, device), pose in trajectories.items())
    write_rows(path, TRAJECTORY_COLUMNS, rows, version_line=version_line)


def known_poses(poses: Mapping[Key, DevicePose]) -> dict[Key, Rigid3]:
    """Poses whose rotation and translation are known, by the same keys."""
    known = {
        key: (pose.quat_wxyz, pose.translation)
        for key, pose in poses.items()
        if pose.quat_wxyz is not None and pose.translation is not None
    }
    quats = np.array([quat for quat, _ in known.values()], np.float64).reshape(-1, 4)
    translations = np.array([each for _, each in known.values()], np.float64).reshape(-1, 3)
    rotations = rotations_from_unit_quats(quats)  # at once: 20 times as fast as one by one
    return {
        key: Rigid3(rotation, translation)
        for key, rotation, translation in zip(known, rotations, translations, strict=True)
    }


def carriers(rigs: Mapping[str, Mapping[str, Rigid3]]) -> dict[str, list[tuple[str, Rigid3]]]:
    """Device -> the rigs that carry it, with device_from_rig.

    Args:
        rigs: rig -> device on it -> device_from_rig; not circular (``sensors.read_rigs``).
    """
    found: dict[str, list[tuple[str, Rigid3]]] = {}
    for rig, members in rigs.items():
        for device, device_from_rig in members.items():
            found.setdefault(device, []).append((rig, device_from_rig))
    return found


def device_from_world(
    timestamp: int,
    device: str,
    poses: Mapping[tuple[int, str], Rigid3],
    rigs_of: Mapping[str, list[tuple[str, Rigid3]]],
) -> Rigid3 | None:
    """Pose of a device: its own, or else by the nearest rig with a pose that carries it.

    Args:
        timestamp: time of the record.
        device: sensor or rig.
        poses: device_from_world by timestamp and device.
        rigs_of: result of ``carriers``.
    """
    # each rig once: a damaged file may describe millions of ways through rigs on rigs
    known = {device}
    pending = [(device, Rigid3.identity())]
    for carried, device_from_carried in pending:
        carried_from_world = poses.get((timestamp, carried))
        if carried_from_world is not None:
            is_own = carried == device
            return carried_from_world if is_own else device_from_carried.compose(carried_from_world)
        for rig, carried_from_rig in rigs_of.get(carried, ()):
            if rig not in known:
                known.add(rig)
                pending.append((rig, device_from_carried.compose(carried_from_rig)))
    return None
