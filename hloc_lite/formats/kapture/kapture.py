"""Sensor data of a kapture: the tables of its ``sensors`` folder in one value.

Features and points are read on demand (``features``, ``matches``, ``points``): they are large.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hloc_lite.errors import FormatError, counted
from hloc_lite.formats.kapture.records import Record, is_record_type, read_records, write_records
from hloc_lite.formats.kapture.sensors import (
    Rigs,
    Sensor,
    read_rigs,
    read_sensors,
    write_rigs,
    write_sensors,
)
from hloc_lite.formats.kapture.tables import VERSION_LINE, format_version
from hloc_lite.formats.kapture.trajectories import (
    Trajectories,
    read_trajectories,
    write_trajectories,
)

_RECORDS = "records_"


@dataclass(frozen=True, eq=False, kw_only=True)
class Kapture:
    """Tables of a kapture's ``sensors`` folder."""

    folder: Path
    """Root, with the folders ``sensors`` and ``reconstruction``."""
    sensors: Mapping[str, Sensor]
    """Device id -> sensor."""
    rigs: Rigs = field(default_factory=dict)
    """Rig -> device on it -> device_from_rig."""
    trajectories: Trajectories = field(default_factory=dict)
    """(timestamp, device) -> device_from_world, where either part may be unknown."""
    records: Mapping[str, tuple[Record, ...]] = field(default_factory=dict)
    """Type (``camera``, ``depth``, ``gnss``, ...) -> records in the order of the file."""
    notes: tuple[str, ...] = ()
    """Sentences for the user on what is unknown or unusual."""

    @property
    def image_folder(self) -> Path:
        """Folder that the names of images, depth maps and point clouds are relative to."""
        return self.folder / "sensors" / "records_data"


def read_kapture(folder: Path) -> Kapture:
    """Read the sensor data of a kapture; only ``sensors/sensors.txt`` must exist.

    Raises:
        FormatError: missing, another version than 1.x, or a damaged table.
    """
    root = folder / "sensors"
    version = format_version(root / "sensors.txt")
    if version is not None and version.split(".")[0] != "1":
        raise FormatError(
            f"{root / 'sensors.txt'}: expected kapture format 1.1, got {version[:20]}"
        )
    sensors = read_sensors(root / "sensors.txt")
    rigs_path, trajectory_path = root / "rigs.txt", root / "trajectories.txt"
    rigs = read_rigs(rigs_path, sensors) if rigs_path.is_file() else {}
    trajectories = read_trajectories(trajectory_path) if trajectory_path.is_file() else {}
    records = {
        path.stem.removeprefix(_RECORDS): read_records(path, path.stem.removeprefix(_RECORDS))
        for path in sorted(root.glob(f"{_RECORDS}*.txt"))
        if is_record_type(path.stem.removeprefix(_RECORDS))
    }
    _check_image_sensors(root / "records_camera.txt", records.get("camera", ()), sensors)
    notes = [] if version else [f"sensors.txt does not begin with '{VERSION_LINE}'; 1.1 is assumed"]
    notes += _notes(sensors, rigs, trajectories, records)
    return Kapture(
        folder=folder, sensors=sensors, rigs=rigs, trajectories=trajectories, records=records,
        notes=tuple(notes),
    )  # fmt: skip


def write_tables(folder: Path, kapture: Kapture) -> None:
    """Write the sensor data of a kapture into a new folder; images are not copied.

    Args:
        folder: root of the new kapture.
        kapture: tables; its own folder does not matter.

    Raises:
        FormatError: the folder holds a kapture, or a value that a table cannot hold.
    """
    root = folder / "sensors"
    if root.exists() or (folder / "reconstruction").exists():
        raise FormatError(f"{folder} already holds a kapture: choose a new folder")
    if kapture.rigs:
        write_rigs(root / "rigs.txt", kapture.rigs)
    if kapture.trajectories:
        write_trajectories(root / "trajectories.txt", kapture.trajectories)
    for kind, records in kapture.records.items():
        if not is_record_type(kind):
            raise FormatError(f"{kind[:80]!r} is no record type")
        write_records(root / f"{_RECORDS}{kind}.txt", kind, records)
    # last: without it there is no kapture, so that an interrupted one is not read
    write_sensors(root / "sensors.txt", kapture.sensors)


def _check_image_sensors(
    path: Path, images: Iterable[Record], sensors: Mapping[str, Sensor]
) -> None:
    for record in images:
        sensor = sensors.get(record.device_id)
        if sensor is None or sensor.sensor_type != "camera":
            raise FormatError(
                f"{path}: {record.file_name!r} was taken by {record.device_id[:80]!r}, which "
                f"sensors.txt does not list as a camera"
            )


def _notes(
    sensors: Mapping[str, Sensor],
    rigs: Rigs,
    trajectories: Trajectories,
    records: Mapping[str, tuple[Record, ...]],
) -> list[str]:
    notes = []
    partial = sum(not pose.is_complete for pose in trajectories.values())
    if partial:
        notes.append(
            f"{counted(partial, 'pose')} of trajectories.txt without rotation or translation: "
            f"unknown"
        )
    partial = sum(not pose.is_complete for members in rigs.values() for pose in members.values())
    if partial:
        notes.append(
            f"{counted(partial, 'pose')} of rigs.txt without rotation or translation: unknown"
        )
    devices = {device for _, device in trajectories} - set(sensors) - set(rigs)
    if devices:
        notes.append(
            f"trajectories.txt has poses of {counted(len(devices), 'device')} that no other table "
            f"knows, first {min(devices)!r}"
        )
    for kind, each in records.items():
        unknown = {record.device_id for record in each} - set(sensors)
        if unknown:
            notes.append(
                f"records_{kind}.txt has records of {counted(len(unknown), 'device')} that "
                f"sensors.txt does not list, first {min(unknown)!r}"
            )
    return notes
