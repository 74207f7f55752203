"""Kapture folders of a benchmark, one each for the map and for queries: read and written."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from hloc_lite.datasets.dataset import Dataset
from hloc_lite.datasets.layouts.photo_writing import PosedPhoto, write_photo
from hloc_lite.errors import FormatError, counted
from hloc_lite.formats.kapture import Kapture, Sensor, posed_images, read_kapture
from hloc_lite.formats.pose_text import pose_numbers
from hloc_lite.formats.posed_images import PosedImages
from hloc_lite.geometry.rotations import exp_so3
from hloc_lite.io.files import write_text_atomic
from hloc_lite.scene import SfmImage, SfmModel
from hloc_lite.types import Camera, Rigid3

_MARKER = "sensors/sensors.txt"
_MAX_DEPTH = 4
"""Folders between the root and a kapture; records are not searched, they are large."""
RIG = "rig0"


def find_kapture(root: Path, patterns: Iterable[str]) -> Path | None:
    """Folder of a kapture: the first that fits a glob, or that lies below one that fits."""
    for pattern in patterns:
        for depth in range(_MAX_DEPTH + 1):
            found = sorted(root.glob(f"{pattern}/{'*/' * depth}{_MARKER}"))
            if found:
                return found[0].parent.parent
    return None


class KaptureImages:
    """Posed images of a kapture, with names relative to a folder above it."""

    def __init__(self, root: Path, folder: Path) -> None:
        """Read a kapture.

        Raises:
            FormatError: a damaged table, or no images.
        """
        self.kapture: Kapture = read_kapture(folder)
        self.posed: PosedImages = posed_images(self.kapture)
        if not self.posed.cameras:
            raise FormatError(
                f"{folder}: sensors/records_camera.txt lists no image with intrinsics: unpack all "
                f"of it"
            )
        self._prefix = self.kapture.image_folder.relative_to(root).as_posix()
        self.poses: dict[str, Rigid3] = {
            self.full_name(image.name): image.cam_from_world for image in self.posed.model.images
        }
        self.cameras: dict[str, Camera] = {
            self.full_name(name): camera for name, camera in self.posed.cameras.items()
        }

    def full_name(self, name: str) -> str:
        """Name relative to the root, of a name in the kapture."""
        return f"{self._prefix}/{name}"

    @property
    def model(self) -> SfmModel:
        """Model with full names."""
        model = self.posed.model
        images = tuple(_renamed(image, self.full_name(image.name)) for image in model.images)
        return SfmModel(
            model.cameras, images, model.point3D_ids, model.xyz, model.rgb, model.errors_px
        )

    def notes(self, what: str) -> list[str]:
        """Notes of the reader, and how many images have no pose."""
        notes = [f"{what}: {note}" for note in self.posed.notes]
        without = len(self.cameras) - len(self.poses)
        if without and self.poses:
            notes.append(f"{what}: {counted(without, 'image')} without a pose left out")
        return notes


def write_kapture_folder(
    dataset: Dataset,
    folder: Path,
    photos: Sequence[PosedPhoto],
    *,
    with_poses: bool,
    on_rig: bool = False,
    first_timestamp: int = 0,
) -> dict[str, str]:
    """Write a kapture of posed photos, without points.

    Args:
        dataset: where the photos are from.
        folder: root of the kapture.
        photos: photos in order; each has a time of its own.
        with_poses: write the poses.
        on_rig: all cameras are mounted on a rig beside its origin, and poses are the rig's.
        first_timestamp: time of the first photo.

    Returns:
        Photo -> name in ``records_camera.txt``.
    """
    sensors: dict[str, str] = {}
    records, poses, names = [], [], {}
    cam_from_rig = Rigid3(exp_so3([-0.2, 0.1, 0.3]), np.array([0.03, -0.06, 0.02]))
    for row, photo in enumerate(photos):
        params = ", ".join(Sensor.from_camera(photo.camera).params)
        sensor = sensors.setdefault(params, f"cam{len(sensors):02d}")
        time = first_timestamp + row
        names[photo.name] = f"images/{sensor}/{time:06d}.jpg"
        target = folder / "sensors" / "records_data" / names[photo.name]
        write_photo(dataset, photo, photo.camera, target)
        records.append(f"{time}, {sensor}, {names[photo.name]}\n")
        if with_poses and photo.cam_from_world is not None:
            pose = photo.cam_from_world
            device = cam_from_rig.inverse().compose(pose) if on_rig else pose
            numbers = pose_numbers(device, ", ")
            poses.append(f"{time}, {RIG if on_rig else sensor}, {numbers}\n")
    lines = [f"{sensor}, , camera, {text}\n" for text, sensor in sensors.items()]
    _write_table(
        folder / "sensors" / "sensors.txt", "sensor_id, name, sensor_type, [sensor_params]+", lines
    )
    _write_table(
        folder / "sensors" / "records_camera.txt", "timestamp, device_id, image_path", records
    )
    if on_rig:
        numbers = pose_numbers(cam_from_rig, ", ")
        rows = [f"{RIG}, {sensor}, {numbers}\n" for sensor in sensors.values()]
        columns = "rig_id, sensor_id, qw, qx, qy, qz, tx, ty, tz"
        _write_table(folder / "sensors" / "rigs.txt", columns, rows)
    if poses:
        columns = "timestamp, device_id, qw, qx, qy, qz, tx, ty, tz"
        _write_table(folder / "sensors" / "trajectories.txt", columns, poses)
    return names


def _renamed(image: SfmImage, name: str) -> SfmImage:
    return SfmImage(
        image.image_id, name, image.camera_id, image.cam_from_world, image.keypoints,
        image.point3D_idxs,
    )  # fmt: skip


def _write_table(path: Path, columns: str, lines: Sequence[str]) -> None:
    write_text_atomic(path, "".join(["# kapture format: 1.1\n", f"# {columns}\n", *lines]))
