"""Queries of devices: one pose for each image, or for each rig at a time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from hloc_lite.formats.kapture.records import Record
from hloc_lite.formats.kapture.trajectories import carriers, device_from_world
from hloc_lite.types import Camera, Rigid3


@dataclass
class DeviceQueries:
    """Fields of a data set that queries of sensors and rigs are collected in."""

    cameras: dict[str, Camera] = field(default_factory=dict)
    """Query -> intrinsics."""
    truth: dict[str, Rigid3] = field(default_factory=dict)
    """Query -> cam_from_world."""
    rigs: dict[str, dict[str, Rigid3]] = field(default_factory=dict)
    """Rig at a time -> query -> cam_from_rig."""
    submission_names: dict[str, str] = field(default_factory=dict)

    def add(
        self,
        key: str,
        cam_from_device: Mapping[str, Rigid3],
        cameras: Mapping[str, Camera],
        *,
        is_rig: bool,
        submission_name: str | None,
    ) -> None:
        """Add an image, or the images of a rig at one time.

        Args:
            key: name of the rig at that time.
            cam_from_device: query -> pose on the rig.
            cameras: query -> intrinsics.
            is_rig: True if the pose of a rig is asked for.
            submission_name: name of the pose; None if none is submitted.
        """
        self.cameras |= cameras
        if is_rig:
            self.rigs[key] = dict(cam_from_device)
        if submission_name is not None:
            for name in [key] if is_rig else cameras:
                self.submission_names[name] = submission_name


def outermost(
    records: Iterable[Record], device_from_rig: Mapping[str, Mapping[str, Rigid3]]
) -> dict[tuple[int, str], dict[str, Rigid3]]:
    """Group images by time and the rig that carries their cameras, or the camera itself.

    Args:
        records: images.
        device_from_rig: rig -> device on it -> pose; of a device on several rigs the first counts.

    Returns:
        (timestamp, rig or camera) -> image name -> cam_from_device.
    """
    rigs_of = carriers(device_from_rig)
    groups: dict[tuple[int, str], dict[str, Rigid3]] = {}
    for record in records:
        device = record.device_id
        for _ in range(len(device_from_rig)):  # rigs on rigs; circles end, too
            device = rigs_of[device][0][0] if device in rigs_of else device
        origin = {(record.timestamp, device): Rigid3.identity()}
        pose = device_from_world(record.timestamp, record.device_id, origin, rigs_of)
        if pose is not None:
            groups.setdefault((record.timestamp, device), {})[record.file_name] = pose
    return groups
