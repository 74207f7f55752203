"""Capture sessions of LaMAR and CroCoDL: kapture's tables with REVERSED poses.

A session is a folder with ``sensors.txt``, ``rigs.txt``, ``trajectories.txt``, ``images.txt`` and
others. Rigs give rig_from_sensor, trajectories world_from_device, where kapture has the inverses of
both. Timestamps are microseconds, lengths metres. Depth maps are 16-bit images in millimetres.

Source: CAPTURE.md of github.com/microsoft/lamar-benchmark.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hloc_lite.errors import FormatError, counted
from hloc_lite.formats.kapture.records import Record, read_records, write_records
from hloc_lite.formats.kapture.sensors import (
    Rigs,
    Sensor,
    read_rigs,
    read_sensors,
    sensor_camera,
    write_rigs,
    write_sensors,
)
from hloc_lite.formats.kapture.tables import format_version, read_rows, whole_number, write_rows
from hloc_lite.formats.kapture.trajectories import (
    Trajectories,
    carriers,
    device_from_world,
    known_poses,
    read_trajectories,
    write_trajectories,
)
from hloc_lite.formats.posed_images import PosedImages, posed_model
from hloc_lite.types import Camera, Rigid3

RECORD_FILES: Mapping[str, str] = {
    "camera": "images.txt", "depth": "depths.txt", "lidar": "pointclouds.txt", "wifi": "wifi.txt",
    "bluetooth": "bt.txt",
}  # fmt: skip
"""Record type of kapture -> file of a session with the same columns."""
ALIGNED_FILE = "proc/alignment_trajectories.txt"
"""Poses in the common frame of all sessions: the truth of validation queries."""
QUERY_COLUMNS = "timestamp, sensor_or_rig_id"


@dataclass(frozen=True, eq=False, kw_only=True)
class CaptureSession:
    """Tables of a session; poses as stored, with covariances where they have them."""

    folder: Path
    sensors: Mapping[str, Sensor]
    """Device id -> sensor."""
    rigs: Rigs = field(default_factory=dict)
    """Rig -> device on it -> rig_from_device."""
    trajectories: Trajectories = field(default_factory=dict)
    """(timestamp in us, sensor or rig) -> world_from_device."""
    aligned: Trajectories = field(default_factory=dict)
    """Same in the common frame of all sessions, if the session has ``ALIGNED_FILE``."""
    records: Mapping[str, tuple[Record, ...]] = field(default_factory=dict)
    """Type of ``RECORD_FILES`` -> records in the order of the file."""
    queries: tuple[tuple[int, str], ...] = ()
    """Timestamps in us and sensors or rigs that are to be localized."""

    @property
    def image_folder(self) -> Path:
        """Folder that the names of images, depth maps and point clouds are relative to."""
        return self.folder / "raw_data"


@dataclass(frozen=True, eq=False, kw_only=True)
class SessionQuery:
    """Query of a session: one image, or the images of a rig at one time."""

    timestamp_us: int
    device_id: str
    """Sensor or rig whose pose is asked for."""
    images: Mapping[str, str]
    """Sensor -> image name."""
    cameras: Mapping[str, Camera]
    """Sensor -> intrinsics."""
    cam_from_device: Mapping[str, Rigid3]
    """Sensor -> pose on the rig; the identity for a single image."""


def list_sessions(folder: Path) -> list[str]:
    """Names of the sessions of a scene, sorted."""
    return sorted(path.parent.name for path in (folder / "sessions").glob("*/sensors.txt"))


def read_session(folder: Path) -> CaptureSession:
    """Read the tables of a session; only ``sensors.txt`` must exist.

    Args:
        folder: such as ``SCENE/sessions/map``.

    Raises:
        FormatError: missing, a kapture, or a damaged table.
    """
    if format_version(folder / "sensors.txt") is not None:
        raise FormatError(
            f"{folder / 'sensors.txt'} is kapture's, whose poses are the inverses of a capture "
            f"session's: read it as a kapture"
        )
    sensors = read_sensors(folder / "sensors.txt")
    rigs = read_rigs(folder / "rigs.txt", sensors) if (folder / "rigs.txt").is_file() else {}
    records = {
        kind: read_records(folder / file, kind)
        for kind, file in RECORD_FILES.items()
        if (folder / file).is_file()
    }
    for record in records.get("camera", ()):
        if record.device_id not in sensors:
            raise FormatError(
                f"{folder / 'images.txt'}: {record.file_name!r} was taken by "
                f"{record.device_id[:80]!r}, which sensors.txt does not list"
            )
    devices = {*sensors, *rigs}
    queries_path = folder / "queries.txt"
    return CaptureSession(
        folder=folder,
        sensors=sensors,
        rigs=rigs,
        trajectories=_read_poses(folder / "trajectories.txt"),
        aligned=_read_poses(folder / ALIGNED_FILE),
        records=records,
        queries=_read_queries(queries_path, devices) if queries_path.is_file() else (),
    )


def write_session(folder: Path, session: CaptureSession) -> None:
    """Write the tables of a session; images are not copied.

    Raises:
        FormatError: the folder holds a session, or a value that a table cannot hold.
    """
    if (folder / "sensors.txt").exists():
        raise FormatError(f"{folder} already holds a session: choose a new folder")
    if session.rigs:
        write_rigs(folder / "rigs.txt", session.rigs, version_line=False)
    for file, poses in (
        ("trajectories.txt", session.trajectories),
        (ALIGNED_FILE, session.aligned),
    ):
        if poses:
            write_trajectories(folder / file, poses, version_line=False)
    for kind, records in session.records.items():
        if kind not in RECORD_FILES:
            raise FormatError(f"a session has no records of type {kind[:80]!r}")
        write_records(folder / RECORD_FILES[kind], kind, records, version_line=False)
    if session.queries:
        write_rows(folder / "queries.txt", QUERY_COLUMNS, session.queries, version_line=False)
    # last: without it there is no session, so that an interrupted one is not read
    write_sensors(folder / "sensors.txt", session.sensors, version_line=False)


def session_images(session: CaptureSession, *, aligned: bool = False) -> PosedImages:
    """Images of a session with cam_from_world poses; those of rigs are expanded to their cameras.

    Args:
        session: result of ``read_session``.
        aligned: True for the poses of ``ALIGNED_FILE``.

    Raises:
        FormatError: aligned poses are asked for and there are none.
    """
    if aligned and not session.aligned:
        raise FormatError(f"{session.folder / ALIGNED_FILE} does not exist or is empty")
    stored = known_poses(session.aligned if aligned else session.trajectories)
    poses_of = {key: world_from_device.inverse() for key, world_from_device in stored.items()}
    rigs_of = carriers(_device_from_rig(session.rigs))
    by_sensor = {
        key: sensor_camera(session.sensors[key], key)
        for key in {record.device_id for record in session.records.get("camera", ())}
    }
    cameras: dict[str, Camera] = {}
    poses: dict[str, Rigid3] = {}
    num_unknown = 0
    for record in session.records.get("camera", ()):
        camera = by_sensor[record.device_id]
        pose = device_from_world(record.timestamp, record.device_id, poses_of, rigs_of)
        if camera is None:
            num_unknown += 1
            continue
        cameras[record.file_name] = camera
        if pose is not None:
            poses[record.file_name] = pose
    notes = [f"{counted(num_unknown, 'image')} without intrinsics: left out"] if num_unknown else []
    return PosedImages(
        model=posed_model(cameras, poses), cameras=cameras, image_folder=session.image_folder,
        is_metric=True, notes=tuple(notes),
    )  # fmt: skip


def session_queries(session: CaptureSession) -> tuple[SessionQuery, ...]:
    """Queries of a session with their images; those of a rig have several.

    Raises:
        FormatError: a query without images, or whose cameras have no intrinsics or pose on the rig.
    """
    rigs_of = carriers(_device_from_rig(session.rigs))
    images: dict[int, dict[str, str]] = {}
    for record in session.records.get("camera", ()):
        images.setdefault(record.timestamp, {})[record.device_id] = record.file_name
    queries = []
    for timestamp, device in session.queries:
        origin = {(timestamp, device): Rigid3.identity()}
        on_it = {
            sensor: device_from_world(timestamp, sensor, origin, rigs_of)
            for sensor in images.get(timestamp, {})
        }
        poses = {sensor: pose for sensor, pose in on_it.items() if pose is not None}
        cameras = {sensor: sensor_camera(session.sensors[sensor], sensor) for sensor in poses}
        known = {sensor: camera for sensor, camera in cameras.items() if camera is not None}
        if not poses or len(known) < len(poses):
            problem = "an image without intrinsics" if poses else "no image"
            raise FormatError(f"{session.folder}: query {timestamp}, {device!r} has {problem}")
        queries.append(
            SessionQuery(
                timestamp_us=timestamp,
                device_id=device,
                images={sensor: images[timestamp][sensor] for sensor in poses},
                cameras=known,
                cam_from_device=poses,
            )
        )
    return tuple(queries)


def _read_poses(path: Path) -> Trajectories:
    return read_trajectories(path, covariances=True) if path.is_file() else {}


def _read_queries(path: Path, devices: set[str]) -> tuple[tuple[int, str], ...]:
    queries: dict[tuple[int, str], None] = {}
    for (time, device), where in read_rows(path, QUERY_COLUMNS, 2, 2):
        key = whole_number(time, "timestamp", where), device
        if device not in devices or key in queries:
            problem = "is listed twice" if key in queries else "is no known sensor or rig"
            raise FormatError(f"{where}: {device[:80]!r} at {time} {problem}")
        queries[key] = None
    return tuple(queries)


def _device_from_rig(rigs: Rigs) -> dict[str, dict[str, Rigid3]]:
    return {
        rig: {device: pose.inverse() for device, pose in known_poses(members).items()}
        for rig, members in rigs.items()
    }
