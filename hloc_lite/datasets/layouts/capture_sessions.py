"""Capture sessions of LaMAR and CroCoDL: map and queries in, and sessions of any data set out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from hloc_lite.datasets.dataset import Dataset
from hloc_lite.datasets.layouts.device_queries import DeviceQueries, outermost
from hloc_lite.datasets.layouts.photo_writing import PosedPhoto, write_photo
from hloc_lite.errors import FormatError, counted
from hloc_lite.formats.capture import (
    CaptureSession,
    read_session,
    session_images,
    session_queries,
)
from hloc_lite.formats.kapture import Sensor
from hloc_lite.formats.kapture.trajectories import known_poses, read_trajectories
from hloc_lite.formats.pose_text import pose_numbers
from hloc_lite.geometry.rotations import exp_so3
from hloc_lite.io.files import write_text_atomic
from hloc_lite.types import Camera, Rigid3

AUGMENTED_FILE = "trajectories_augumented.txt"
"""Map poses of CroCoDL that were moved for the challenge; its authors spell it so."""
_START_US, _STEP_US = 1_630_000_000_000_000, 100_000
_RIG = "hl_rig"


@dataclass
class MapImages:
    """Posed images of the map sessions of a location."""

    cameras: dict[str, Camera] = field(default_factory=dict)
    poses: dict[str, Rigid3] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def add(self, folder: Path) -> None:
        """Add a session; names begin with its folder.

        Raises:
            FormatError: a damaged session, or one without poses.
        """
        session = read_session(folder)
        path = folder / AUGMENTED_FILE
        if path.is_file():
            moved = read_trajectories(path, covariances=True)
            session = replace(session, trajectories=moved)
            self.notes.append(f"{folder.name}: poses are those of {AUGMENTED_FILE}")
        posed = session_images(session)
        if not posed.model.images:
            raise FormatError(
                f"{folder}: no image has a pose in trajectories.txt: the map needs poses, unpack "
                f"the whole session"
            )
        for image in posed.model.images:
            name = _full_name(folder, image.name)
            self.cameras[name] = posed.cameras[image.name]
            self.poses[name] = image.cam_from_world
        without = len(posed.cameras) - len(posed.model.images)
        if without:
            self.notes.append(f"{folder.name}: {counted(without, 'image')} without a pose left out")
        self.notes += [f"{folder.name}: {note}" for note in posed.notes]


def add_queries(found: DeviceQueries, folder: Path, group: str | None) -> list[str]:
    """Add the queries of a session, and their poses if it has aligned ones.

    Args:
        found: what is extended.
        folder: session, whose ``queries.txt`` lists its queries; without it all images are
            queries, those of rigs together.
        group: start of names in a submission; None if poses of the session are not submitted.

    Returns:
        Notes.

    Raises:
        FormatError: a damaged session, or one without queries.
    """
    session = read_session(folder)
    notes = []
    if not (folder / "queries.txt").is_file():
        session = _with_all_queries(session)
        notes.append(f"{folder.name} has no queries.txt: all its images are queries")
    queries = session_queries(session)
    if not queries:
        raise FormatError(f"{folder}: no queries: expected lines in queries.txt or images.txt")
    poses = {}
    if session.aligned:
        aligned = session_images(session, aligned=True).model
        poses = {image.name: image.cam_from_world for image in aligned.images}
    without = 0
    for query in queries:
        names = {sensor: _full_name(folder, name) for sensor, name in query.images.items()}
        key = f"{query.timestamp_us}/{query.device_id}"
        found.add(
            f"{folder.name}/{key}",
            {names[sensor]: pose for sensor, pose in query.cam_from_device.items()},
            {names[sensor]: camera for sensor, camera in query.cameras.items()},
            is_rig=query.device_id in session.rigs,
            submission_name=None if group is None else f"{group}/{key}",
        )
        for sensor, image in query.images.items():
            if image in poses:
                found.truth[names[sensor]] = poses[image]
            elif poses:
                without += 1
    if without:
        notes.append(f"{folder.name}: {counted(without, 'query image')} without a true pose")
    return notes


def write_session(
    dataset: Dataset,
    folder: Path,
    photos: Sequence[PosedPhoto],
    *,
    poses_file: str | None,
    on_rig: bool = False,
    lists_queries: bool = False,
) -> dict[str, str]:
    """Write a session with one photo at a time.

    Args:
        dataset: where the photos are from.
        folder: session.
        photos: photos in order.
        poses_file: file of the poses in the session; None to write none.
        on_rig: all cameras are mounted on a rig beside its origin, and poses are the rig's.
        lists_queries: write ``queries.txt``.

    Returns:
        Photo -> name relative to the folder that holds the sessions.
    """
    sensors: dict[str, str] = {}
    images, poses, queries, names = [], [], [], {}
    cam_from_rig = Rigid3(exp_so3([0.1, -0.2, 0.3]), np.array([0.05, -0.02, 0.01]))
    for row, photo in enumerate(photos):
        params = ", ".join(Sensor.from_camera(photo.camera).params)
        sensor = sensors.setdefault(params, f"cam_{len(sensors):03d}")
        time = _START_US + row * _STEP_US
        image = f"images/{sensor}/{time}.jpg"
        names[photo.name] = f"{folder.name}/raw_data/{image}"
        write_photo(dataset, photo, photo.camera, folder / "raw_data" / image)
        images.append(f"{time}, {sensor}, {image}\n")
        queries.append(f"{time}, {_RIG if on_rig else sensor}\n")
        pose = photo.cam_from_world
        if pose is not None:
            device = cam_from_rig.inverse().compose(pose) if on_rig else pose
            poses.append(f"{time}, {_RIG if on_rig else sensor}, {_world_text(device)}\n")
    _write_table(
        folder / "sensors.txt", "sensor_id, name, sensor_type, [sensor_params]+",
        [f"{sensor}, {sensor}, camera, {text}\n" for text, sensor in sensors.items()],
    )  # fmt: skip
    _write_table(folder / "images.txt", "timestamp, sensor_id, image_path", images)
    if on_rig:
        rows = [f"{_RIG}, {sensor}, {_world_text(cam_from_rig)}\n" for sensor in sensors.values()]
        columns = "rig_id, sensor_id, qw, qx, qy, qz, tx, ty, tz"
        _write_table(folder / "rigs.txt", columns, rows)
    if lists_queries:
        _write_table(folder / "queries.txt", "timestamp, sensor_or_rig_id", queries)
    if poses_file is not None:
        columns = "timestamp, device_id, qw, qx, qy, qz, tx, ty, tz, *covar"
        _write_table(folder / poses_file, columns, poses)
    return names


def _with_all_queries(session: CaptureSession) -> CaptureSession:
    device_from_rig = {
        rig: {device: pose.inverse() for device, pose in known_poses(members).items()}
        for rig, members in session.rigs.items()
    }
    groups = outermost(session.records.get("camera", ()), device_from_rig)
    return replace(session, queries=tuple(groups))


def _full_name(folder: Path, name: str) -> str:
    return f"{folder.name}/raw_data/{name}"


def _write_table(path: Path, columns: str, lines: Sequence[str]) -> None:
    write_text_atomic(path, "".join([f"# {columns}\n", *lines]))


def _world_text(device_from_parent: Rigid3) -> str:
    """Inverse of a pose as ``qw, qx, qy, qz, tx, ty, tz``: sessions store parent_from_device."""
    return pose_numbers(device_from_parent.inverse(), ", ")
