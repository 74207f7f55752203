"""Sensors and rigs of kapture: ``sensors/sensors.txt`` and ``sensors/rigs.txt``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hloc_lite.errors import FormatError, ShapeError
from hloc_lite.formats.kapture.poses import POSE_COLUMNS, DevicePose, parse_pose
from hloc_lite.formats.kapture.tables import finite_number, read_rows, write_rows
from hloc_lite.geometry.cameras import CAMERA_MODELS
from hloc_lite.geometry.plausible_intrinsics import check_given_camera
from hloc_lite.types import Camera

Rigs = Mapping[str, Mapping[str, DevicePose]]
"""Rig -> device on it -> pose between them; the format decides in which direction."""
SENSOR_COLUMNS = "sensor_device_id, name, sensor_type, [sensor_params]+"
RIG_COLUMNS = f"rig_device_id, sensor_device_id, {POSE_COLUMNS}"
UNKNOWN_CAMERA = "UNKNOWN_CAMERA"
"""Camera model of a camera without intrinsics; its parameters are the image size, if any."""
MAX_RIG_DEPTH = 10
"""Rigs may be mounted on rigs, no deeper than this."""
IMAGE_SENSORS = ("camera", "depth")
"""Types of sensors whose parameters are a camera model; depth maps are images, too."""


@dataclass(frozen=True)
class Sensor:
    """Line of ``sensors.txt``."""

    name: str
    """Name for people; may be empty."""
    sensor_type: str
    """``camera``, ``depth``, ``gnss``, ``lidar``, ``wifi`` or any other."""
    params: tuple[str, ...] = ()
    """Parameters as text: camera model, size and intrinsics, or the EPSG code of a GNSS sensor."""

    @classmethod
    def from_camera(cls, camera: Camera, name: str = "") -> Sensor:
        """Camera with intrinsics."""
        numbers = [repr(value) for value in camera.params.tolist()]
        params = (camera.model, str(camera.width), str(camera.height), *numbers)
        return cls(name, "camera", params)


def sensor_camera(sensor: Sensor, where: str) -> Camera | None:
    """Intrinsics of a camera or depth sensor; None if it has none.

    Raises:
        FormatError: an unknown camera model, or intrinsics that no photo has.
    """
    if sensor.sensor_type not in IMAGE_SENSORS or not sensor.params:
        return None
    model, *rest = sensor.params
    if model == UNKNOWN_CAMERA:
        return None
    if model not in CAMERA_MODELS:
        raise FormatError(
            f"{where}: {model[:40]!r} is no camera model; known are {', '.join(CAMERA_MODELS)} and "
            f"{UNKNOWN_CAMERA}"
        )
    names = ["w", "h", *CAMERA_MODELS[model].param_names]
    if len(rest) != len(names):
        raise FormatError(
            f"{where}: {model} needs the parameters '{', '.join(names)}', got {len(rest)} values"
        )
    numbers = [
        finite_number(text, f"{model} {each}", where)
        for text, each in zip(rest, names, strict=True)
    ]
    if not (numbers[0].is_integer() and numbers[1].is_integer()):
        raise FormatError(f"{where}: width and height are whole pixels, got {rest[0]}, {rest[1]}")
    try:
        camera = Camera(model, int(numbers[0]), int(numbers[1]), np.array(numbers[2:]))
        return check_given_camera(camera)
    except (FormatError, ShapeError) as error:
        raise FormatError(f"{where}: {error}") from None


def sensor_size(sensor: Sensor) -> tuple[int, int] | None:
    """Width and height of a camera or depth sensor in pixels; None if they are not given.

    Raises:
        FormatError: not two positive whole numbers.
    """
    if sensor.sensor_type not in IMAGE_SENSORS or len(sensor.params) < 3:
        return None
    where = f"sensor {sensor.name or sensor.params[0]!r}"
    width, height = (finite_number(text, "an image side", where) for text in sensor.params[1:3])
    if not (width.is_integer() and height.is_integer() and min(width, height) > 0):
        raise FormatError(f"{where}: width and height are whole pixels, got {sensor.params[1:3]}")
    return int(width), int(height)


def read_sensors(path: Path) -> dict[str, Sensor]:
    """Sensors by device id, in the order of the file.

    Raises:
        FormatError: a bad line (with its number), an id listed twice, or impossible intrinsics.
    """
    sensors: dict[str, Sensor] = {}
    for (device, name, kind, *params), where in read_rows(path, SENSOR_COLUMNS, 3):
        if not device or not kind or device in sensors:
            problem = "is listed twice" if device in sensors else "needs an id and a type"
            raise FormatError(f"{where}: sensor {device[:80]!r} {problem}")
        while params and not params[-1]:  # 'gps1, , gnss, ' has no parameter
            params.pop()
        sensors[device] = Sensor(name, kind, tuple(params))
        sensor_camera(sensors[device], where)
    return sensors


def write_sensors(path: Path, sensors: Mapping[str, Sensor], *, version_line: bool = True) -> None:
    """Write sensors by device id; raises as ``write_rows``."""
    rows = ((key, each.name, each.sensor_type, *each.params) for key, each in sensors.items())
    write_rows(path, SENSOR_COLUMNS, rows, version_line=version_line)


def read_rigs(path: Path, sensors: Mapping[str, Sensor]) -> dict[str, dict[str, DevicePose]]:
    """Rigs: poses of their sensors, and of rigs that are mounted on them.

    Raises:
        FormatError: a bad line (with its number), a sensor twice on a rig, an unknown sensor, a
            rig with the id of a sensor, or rigs that carry each other.
    """
    rigs: dict[str, dict[str, DevicePose]] = {}
    lines: dict[str, str] = {}
    for (rig, device, *pose), where in read_rows(path, RIG_COLUMNS, 9, 9):
        if not rig or rig in sensors:
            raise FormatError(f"{where}: a rig needs an id that no sensor has, got {rig[:80]!r}")
        members = rigs.setdefault(rig, {})
        if device in members:
            raise FormatError(f"{where}: {device[:80]!r} is listed twice on rig {rig[:80]!r}")
        members[device] = parse_pose(pose, where)
        lines.setdefault(device, where)
    for device, where in lines.items():
        if device not in sensors and device not in rigs:
            raise FormatError(f"{where}: {device[:80]!r} is not listed in sensors.txt")
    if not _are_nested(rigs):
        raise FormatError(f"{path}: rigs carry each other, or more than {MAX_RIG_DEPTH} deep")
    return rigs


def write_rigs(path: Path, rigs: Rigs, *, version_line: bool = True) -> None:
    """Write rigs; raises as ``write_rows``."""
    rows = (
        (rig, device, *pose.cells())
        for rig, members in rigs.items()
        for device, pose in members.items()
    )
    write_rows(path, RIG_COLUMNS, rows, version_line=version_line)


def _are_nested(rigs: Rigs) -> bool:
    """True if no chain of rigs on rigs is circular or too long."""
    inner = {rig: [device for device in members if device in rigs] for rig, members in rigs.items()}
    for _ in range(MAX_RIG_DEPTH):  # each round takes away the rigs that carry no other
        inner = {rig: [each for each in on_it if each in inner] for rig, on_it in inner.items()}
        inner = {rig: on_it for rig, on_it in inner.items() if on_it}
    return not inner
