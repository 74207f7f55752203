"""Writer of a kapture from images with intrinsics, poses and points."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from hloc_lite.errors import FormatError
from hloc_lite.formats.kapture.features import FeatureHeader, keypoint_shift_px, write_features
from hloc_lite.formats.kapture.kapture import Kapture, write_tables
from hloc_lite.formats.kapture.matches import write_matches
from hloc_lite.formats.kapture.points import (
    Points3d,
    write_observations,
    write_points3d,
)
from hloc_lite.formats.kapture.poses import DevicePose
from hloc_lite.formats.kapture.records import Record
from hloc_lite.formats.kapture.sensors import UNKNOWN_CAMERA, Sensor
from hloc_lite.formats.posed_images import PosedImages
from hloc_lite.scene import SfmModel, keypoints_of
from hloc_lite.types import NO_POINT, Int64


def write_kapture(
    folder: Path,
    images: PosedImages,
    *,
    sizes: Mapping[str, tuple[int, int]] | None = None,
    keypoints_type: str = "keypoints",
    matches: Mapping[tuple[str, str], np.ndarray] | None = None,
    as_tar: bool = False,
) -> None:
    """Write images, poses, points, keypoints and matches as a kapture into a new folder.

    Images of equal intrinsics share a sensor; timestamps count the images in the order of their
    names. The photos themselves belong in ``sensors/records_data`` and are not copied.

    Args:
        folder: root of the new kapture.
        images: what is written; its points and keypoints, if it has any.
        sizes: width and height of images without intrinsics, which are written, too.
        keypoints_type: folder name of the keypoints; it decides about half a pixel
            (``features.keypoint_shift_px``).
        matches: of pairs of images, see ``matches.write_matches``.
        as_tar: True for tar files of keypoints and matches.

    Raises:
        FormatError: the folder holds a kapture, or names that its tables cannot hold.
    """
    sensors: dict[str, Sensor] = {}
    device_of: dict[str, str] = {}
    ids: dict[tuple[str, ...], str] = {}
    unknown = {
        name: Sensor("", "camera", (UNKNOWN_CAMERA, str(width), str(height)))
        for name, (width, height) in (sizes or {}).items()
    }
    known = {name: Sensor.from_camera(camera) for name, camera in images.cameras.items()}
    for image in images.model.images:
        camera = images.model.cameras[image.camera_id]
        known.setdefault(image.name, Sensor.from_camera(camera))
    by_name = dict(sorted({**unknown, **known}.items()))
    for name, sensor in by_name.items():
        device = ids.setdefault(sensor.params, f"cam_{len(ids) + 1:05d}")
        sensors[device] = sensor
        device_of[name] = device
    timestamps = {name: number for number, name in enumerate(by_name)}
    poses = {
        (timestamps[image.name], device_of[image.name]): DevicePose.from_rigid(image.cam_from_world)
        for image in images.model.images
    }
    records = tuple(Record(timestamps[name], device_of[name], (name,)) for name in by_name)
    tables = Kapture(
        folder=folder, sensors=sensors, trajectories=poses, records={"camera": records}
    )
    write_tables(folder, tables)
    _write_points(folder, images.model, keypoints_type, as_tar)
    if matches:
        write_matches(folder, keypoints_type, matches, as_tar=as_tar)


def _write_points(folder: Path, model: SfmModel, keypoints_type: str, as_tar: bool) -> None:
    keypoints: dict[str, np.ndarray] = {}
    observed: dict[str, Int64] = {}
    for image in model.images:
        xy = keypoints_of(model, image) - keypoint_shift_px(keypoints_type)
        rows = np.flatnonzero(image.point3D_idxs != NO_POINT)
        if len(xy):
            keypoints[image.name] = xy
        if len(rows):
            observed[image.name] = np.column_stack([rows, image.point3D_idxs[rows]])
    if keypoints:
        if not keypoints_type:
            raise FormatError("keypoints need a name of their type")
        # float64, so that nothing is lost; readers take the dtype from the header
        header = FeatureHeader(keypoints_type, "float64", 2)
        write_features(folder, "keypoints", keypoints_type, header, keypoints, as_tar=as_tar)
    if model.num_points:
        write_points3d(folder / "reconstruction" / "points3d.txt", Points3d(model.xyz, model.rgb))
        write_observations(
            folder / "reconstruction" / "observations.txt", {keypoints_type: observed}
        )
