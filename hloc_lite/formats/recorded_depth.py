"""Depth files of recordings that name them: transforms.json, kapture, capture, Stray Scanner, TUM.

Each gives image name -> ``DepthFile``. Depth of another sensor comes with the intrinsics and the
pose that the recording states. No real recording with depth was available to test these readers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePosixPath

from hloc_lite.errors import FormatError
from hloc_lite.formats import format_signs as signs
from hloc_lite.formats.capture import read_session
from hloc_lite.formats.depth_cameras import DepthCamera
from hloc_lite.formats.kapture import read_kapture
from hloc_lite.formats.kapture.records import Record
from hloc_lite.formats.kapture.sensors import Sensor, sensor_camera, sensor_size
from hloc_lite.formats.kapture.trajectories import carriers, device_from_world, known_poses
from hloc_lite.formats.map_depth import DepthFile, find_depth_files
from hloc_lite.formats.nerfstudio import read_transforms
from hloc_lite.formats.phone_logs import read_stray_odometry, stray_name
from hloc_lite.formats.trajectories import read_tum_images
from hloc_lite.formats.video import frame_name
from hloc_lite.io.regular_files import is_file
from hloc_lite.types import Rigid3

TRANSFORMS = "transforms.json"
TUM_TOLERANCE_NS = 20_000_000
"""Largest difference of the times of colour and depth image, as in the data set's own tool."""
Files = dict[str, DepthFile]


def depth_files(path: Path, names: Sequence[str]) -> Files:
    """Depth files of photos from a recording of a known kind, or from a folder of depth images.

    Args:
        path: ``transforms.json``, or a folder: with it, of a kapture, a capture session, Stray
            Scanner or TUM RGB-D, or with depth images named after the photos.
        names: photos, relative to their folder.

    Raises:
        FormatError: nothing there, or a damaged table.
    """
    for is_kind, read in _KINDS:
        if is_kind(path):
            found = _named(read(path), names)
            if found:
                return found
    return find_depth_files(path, names)


def _named(files: Mapping[str, DepthFile], names: Sequence[str]) -> Files:
    """The files of photos, whose names may lack or have folders before those of the recording."""
    by_base: dict[str, list[str]] = {}
    for written in files:
        by_base.setdefault(PurePosixPath(written).name, []).append(written)
    found: Files = {}
    for name in names:
        ends = [
            each
            for each in by_base.get(PurePosixPath(name).name, ())
            if each == name or each.endswith(f"/{name}") or name.endswith(f"/{each}")
        ]
        chosen = name if name in files else ends[0] if len(ends) == 1 else None
        if chosen is not None and is_file(files[chosen].path):
            found[name] = files[chosen]
    return found


def _read_transforms(path: Path) -> Files:
    file = path / TRANSFORMS if path.is_dir() else path
    scene = read_transforms(file, check_images=False)
    return {name: DepthFile(depth) for name, depth in scene.depths.items()}


def _read_kapture(path: Path) -> Files:
    kapture = read_kapture(path)
    rigs = {rig: known_poses(members) for rig, members in kapture.rigs.items()}
    return _of_records(kapture.image_folder, kapture.records, kapture.sensors, rigs)


def _read_capture(path: Path) -> Files:
    session = read_session(path)
    rigs = {
        rig: {device: pose.inverse() for device, pose in known_poses(members).items()}
        for rig, members in session.rigs.items()
    }
    return _of_records(session.image_folder, session.records, session.sensors, rigs)


def _of_records(
    folder: Path,
    records: Mapping[str, Sequence[Record]],
    sensors: Mapping[str, Sensor],
    rigs: Mapping[str, Mapping[str, Rigid3]],
) -> Files:
    """Depth of the same time as an image, by the same device or one on the same rig.

    Args:
        rigs: rig -> device on it -> device_from_rig.
    """
    at_time: dict[int, list[Record]] = {}
    for record in records.get("depth", ()):
        at_time.setdefault(record.timestamp, []).append(record)
    rigs_of = carriers(rigs)
    files: Files = {}
    for image in records.get("camera", ()):
        for depth in at_time.get(image.timestamp, ()):
            related, pose = _relation(image.device_id, depth.device_id, rigs, rigs_of)
            if not related:
                continue
            sensor = sensors.get(depth.device_id)
            size = None if sensor is None else sensor_size(sensor)
            camera = None if sensor is None else sensor_camera(sensor, depth.device_id)
            own = None if pose is None or camera is None else DepthCamera(camera, pose)
            files[image.file_name] = DepthFile(folder / depth.file_name, size, own)
            break
    return files


def _relation(
    camera: str,
    depth: str,
    rigs: Mapping[str, Mapping[str, Rigid3]],
    rigs_of: Mapping[str, list[tuple[str, Rigid3]]],
) -> tuple[bool, Rigid3 | None]:
    """True if a depth sensor belongs to a camera, and camera_from_depth; None if both are one."""
    if camera == depth:
        return True, None
    for rig in rigs:
        origin = {(0, rig): Rigid3.identity()}
        both = [device_from_world(0, device, origin, rigs_of) for device in (camera, depth)]
        if both[0] is not None and both[1] is not None:
            return True, both[0].compose(both[1].inverse())
    return False, None


def _read_stray(path: Path) -> Files:
    files: Files = {}
    for each in read_stray_odometry(path / "odometry.csv"):
        stem = f"{each.frame:06d}"
        confidence = path / "confidence" / f"{stem}.png"
        for ending in (".png", ".npy"):
            file = path / "depth" / f"{stem}{ending}"
            if is_file(file):
                found = DepthFile(file, confidence=confidence if is_file(confidence) else None)
                files |= {stray_name(each.frame): found, frame_name(each.frame): found}
                break
    return files


def _read_tum(path: Path) -> Files:
    """Depth image nearest in time; TUM's are registered to the colour images."""
    colors, depths = read_tum_images(path / "rgb.txt"), read_tum_images(path / "depth.txt")
    if not depths:
        raise FormatError(f"{path / 'depth.txt'} lists no depth image")
    files: Files = {}
    for name, time in colors.items():
        nearest = min(depths, key=lambda each: abs(depths[each] - time))
        if abs(depths[nearest] - time) <= TUM_TOLERANCE_NS:
            files[name] = DepthFile(path / nearest)
    return files


_KINDS: tuple[tuple[Callable[[Path], bool], Callable[[Path], Files]], ...] = (
    (signs.is_transforms, _read_transforms),
    (signs.is_kapture, _read_kapture),
    (signs.is_capture, _read_capture),
    (signs.has("odometry.csv", "camera_matrix.csv"), _read_stray),
    (signs.has("rgb.txt", "depth.txt"), _read_tum),
)
"""Test of a path, and reader of its depth files by image name."""
