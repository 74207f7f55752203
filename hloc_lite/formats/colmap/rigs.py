"""Rigs and frames of COLMAP (since 3.12), checked: cameras on a rig, and their images of one time.

Model files and databases store the same values. Of the sensors of a rig, only cameras are used.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from hloc_lite.errors import FormatError, counted
from hloc_lite.formats.colmap.raw import MAX_IMAGE_ID
from hloc_lite.geometry.rotations import (
    check_unit_quaternion,
    rotation_from_quat_wxyz,
    rotations_from_unit_quats,
)
from hloc_lite.types import Float64, Rigid3

CAMERA_SENSOR = 0
"""COLMAP's number of the sensor type of cameras."""
MAX_ID = 2**32 - 2
"""Largest id of a rig, frame or camera; COLMAP uses the next number for "none"."""
MAX_LENGTH = 1e15
"""Longer translations are refused: their squares would not be finite enough to calculate with."""


class RawSensor(NamedTuple):
    """Sensor on a rig, as stored."""

    is_camera: bool
    sensor_id: int
    pose: Float64 | None
    """(7,) qw qx qy qz tx ty tz of sensor_from_rig; None if it is unknown."""


class RawRig(NamedTuple):
    """Rig, as stored."""

    rig_id: int
    reference: RawSensor | None
    """Sensor whose frame is that of the rig; None if the rig has no sensors."""
    others: tuple[RawSensor, ...]


class RawData(NamedTuple):
    """Measurement of a sensor, as stored; for cameras an image."""

    is_camera: bool
    sensor_id: int
    data_id: int


class RawFrame(NamedTuple):
    """Measurements of a rig at one time, as stored."""

    frame_id: int
    rig_id: int
    pose: Float64 | None
    """(7,) qw qx qy qz tx ty tz of rig_from_world; None if it is not stored."""
    data: tuple[RawData, ...]


@dataclass(frozen=True, eq=False)
class ColmapFrame:
    """Images that the cameras of a rig took at one time."""

    rig_id: int
    rig_from_world: Rigid3 | None
    """None in databases, which have no poses."""
    image_ids: Mapping[int, int]
    """Camera id -> image id."""


@dataclass(frozen=True, eq=False, kw_only=True)
class ColmapRigs:
    """Rigs and frames of a model or a database."""

    rigs: Mapping[int, Mapping[int, Rigid3 | None]]
    """Rig id -> camera id -> cam_from_rig, None where it is unknown. The reference camera has the
    identity and comes first; there is none if another sensor is the reference."""
    frames: Mapping[int, ColmapFrame]
    """Frame id -> its images."""
    notes: tuple[str, ...] = ()
    """Sentences for the user on what was left out."""


def check_rigs(
    rigs: Iterable[RawRig], frames: Iterable[RawFrame], rigs_file: Path, frames_file: Path
) -> ColmapRigs:
    """Rigs and frames whose ids fit each other.

    Args:
        rigs_file, frames_file: where they are from, for errors.

    Raises:
        FormatError: an id twice or out of range, a camera on two rigs, a frame of a rig or camera
            that is missing, an image in two frames, or a pose that is none.
    """
    by_id: dict[int, dict[int, Rigid3 | None]] = {}
    rig_of: dict[int, int] = {}
    num_others = 0
    for raw in rigs:
        where = f"{rigs_file}: rig {raw.rig_id}"
        _check_id(raw.rig_id, MAX_ID, where)
        if raw.rig_id in by_id:
            raise FormatError(f"{where} is listed twice")
        by_id[raw.rig_id], num_found = _cameras_on(raw, where)
        num_others += num_found
        for camera_id in by_id[raw.rig_id]:
            if camera_id in rig_of:
                raise FormatError(
                    f"{where} has camera {camera_id}, which is on rig {rig_of[camera_id]}, too: "
                    f"COLMAP mounts a camera on one rig only"
                )
            rig_of[camera_id] = raw.rig_id
    notes = (
        (f"{counted(num_others, 'sensor')} of rigs that are no cameras: ignored",)
        if num_others
        else ()
    )
    found = _check_frames(list(frames), by_id, rigs_file, frames_file)
    return ColmapRigs(rigs=by_id, frames=found, notes=notes)


def _check_frames(
    frames: Sequence[RawFrame],
    rigs: Mapping[int, Mapping[int, Rigid3 | None]],
    rigs_file: Path,
    frames_file: Path,
) -> dict[int, ColmapFrame]:
    """Frame id -> frame."""
    found: dict[int, ColmapFrame] = {}
    frame_of: dict[int, int] = {}
    for frame, pose in zip(frames, _frame_poses(frames, frames_file), strict=True):
        where = f"{frames_file}: frame {frame.frame_id}"
        _check_id(frame.frame_id, MAX_ID, where)
        if frame.frame_id in found:
            raise FormatError(f"{where} is listed twice")
        if frame.rig_id not in rigs:
            raise FormatError(f"{where} is of rig {frame.rig_id}, which {rigs_file} does not have")
        images = _images_of(frame, rigs[frame.rig_id], where)
        for image_id in images.values():
            if image_id in frame_of:
                raise FormatError(
                    f"{where} has image {image_id}, which is in frame {frame_of[image_id]}, too"
                )
            frame_of[image_id] = frame.frame_id
        found[frame.frame_id] = ColmapFrame(frame.rig_id, pose, images)
    return found


def _frame_poses(frames: Sequence[RawFrame], frames_file: Path) -> list[Rigid3 | None]:
    """rig_from_world of each frame; their rotations are made all at once, which is faster."""
    for frame in frames:
        if frame.pose is not None:
            _check_pose(frame.pose, f"{frames_file}: frame {frame.frame_id}")
    quats = np.array([f.pose[:4] for f in frames if f.pose is not None]).reshape(-1, 4)
    rotations = iter(rotations_from_unit_quats(quats))
    return [None if f.pose is None else Rigid3(next(rotations), f.pose[4:]) for f in frames]


def rigid_from_numbers(numbers: Float64, where: str) -> Rigid3:
    """Transform of (7,) qw qx qy qz tx ty tz.

    Raises:
        FormatError: no unit quaternion, or a number that is not finite; names ``where``.
    """
    _check_pose(numbers, where)
    return Rigid3(rotation_from_quat_wxyz(numbers[:4]), numbers[4:])


def _cameras_on(raw: RawRig, where: str) -> tuple[dict[int, Rigid3 | None], int]:
    """Camera id -> cam_from_rig of a rig, and the number of its other sensors."""
    cameras: dict[int, Rigid3 | None] = {}
    reference = [] if raw.reference is None else [raw.reference]
    for sensor in (*reference, *raw.others):
        if not sensor.is_camera:
            continue
        _check_id(sensor.sensor_id, MAX_ID, f"{where}: camera {sensor.sensor_id}")
        if sensor.sensor_id in cameras:
            raise FormatError(f"{where} has camera {sensor.sensor_id} twice")
        pose = None
        if sensor is raw.reference:
            pose = Rigid3.identity()
        elif sensor.pose is not None:
            pose = rigid_from_numbers(sensor.pose, f"{where}: camera {sensor.sensor_id}")
        cameras[sensor.sensor_id] = pose
    return cameras, len(reference) + len(raw.others) - len(cameras)


def _images_of(frame: RawFrame, on_rig: Mapping[int, Rigid3 | None], where: str) -> dict[int, int]:
    """Camera id -> image id of a frame."""
    images: dict[int, int] = {}
    for data in frame.data:
        if not data.is_camera:
            continue
        if data.sensor_id not in on_rig:
            raise FormatError(
                f"{where} has an image of camera {data.sensor_id}, which is not on rig "
                f"{frame.rig_id}"
            )
        if data.sensor_id in images:
            raise FormatError(f"{where} has two images of camera {data.sensor_id}")
        _check_id(data.data_id, MAX_IMAGE_ID, f"{where}: image {data.data_id}")
        images[data.sensor_id] = data.data_id
    return images


def _check_id(value: int, most: int, where: str) -> None:
    if not 0 <= value <= most:
        raise FormatError(f"{where}: expected an id from 0 to {most}, got {value}")


def _check_pose(pose: Float64, where: str) -> None:
    """Refuse (7,) numbers that are no unit quaternion and translation."""
    if not np.isfinite(pose).all() or np.abs(pose).max() > MAX_LENGTH:
        raise FormatError(f"{where} has a pose that is not finite")
    try:
        check_unit_quaternion(pose[:4])
    except FormatError as error:
        raise FormatError(f"{where}: {error}") from None
