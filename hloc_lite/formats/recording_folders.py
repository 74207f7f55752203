"""Folders of recordings, read as posed images: trajectory, image times and calibration together.

TUM RGB-D, EuRoC MAV, KITTI odometry, RIO10 and Stray Scanner. The readers of their files are in
``trajectories``, ``euroc``, ``kitti``, ``rio10`` and ``phone_logs``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from hloc_lite.errors import FormatError, counted
from hloc_lite.formats.euroc import (
    read_euroc,
    read_euroc_camera,
    read_euroc_extrinsics,
    read_euroc_images,
)
from hloc_lite.formats.given_intrinsics import given_cameras
from hloc_lite.formats.image_lookup import upright_size
from hloc_lite.formats.kitti import read_kitti_calib, read_kitti_poses
from hloc_lite.formats.phone_logs import read_stray_odometry, read_stray_scanner, stray_name
from hloc_lite.formats.posed_images import PosedImages, posed_model
from hloc_lite.formats.rio10 import read_rio10_sequences
from hloc_lite.formats.trajectories import posed_by_time, read_tum, read_tum_images
from hloc_lite.formats.video import frame_name, video_size
from hloc_lite.io.regular_files import is_file
from hloc_lite.types import Camera, Rigid3

TUM_TOLERANCE_NS = 20_000_000
"""Largest difference of the times of image and pose, as in the data set's own tool."""
EUROC_TOLERANCE_NS = 5_000_000
"""Step of the trajectory, 200 poses a second; times of images are among its times."""
EUROC_TRAJECTORY = "state_groundtruth_estimate0/data.csv"
RIO10_SEQUENCE = re.compile(r"seq(\d{2})_(\d{2})")
_KITTI_FOLDERS = re.compile(r"image_([0-3])")
_NUMBER = re.compile(r"\d{1,10}", re.ASCII)


def read_tum_folder(folder: Path, cameras: Mapping[str, Camera] | None) -> PosedImages:
    """Read a sequence of TUM RGB-D, colour images only, with given intrinsics.

    Raises:
        FormatError: a missing or bad file, no intrinsics, or no image that has a pose.
    """
    times = read_tum_images(folder / "rgb.txt")
    known = given_cameras(times, cameras, str(folder))
    posed = posed_by_time(
        read_tum(folder / "groundtruth.txt"),
        {name: times[name] for name in known},
        known,
        tolerance=TUM_TOLERANCE_NS,
        image_folder=folder,
    )
    missing = len(times) - len(known)
    note = f"{counted(missing, 'image')} without intrinsics: left out"
    return replace(posed, notes=(*posed.notes, note)) if missing else posed


def read_euroc_folder(folder: Path) -> PosedImages:
    """Read the images of all cameras of a recording, named ``cam0/data/TIME.png``.

    Args:
        folder: recording with a folder ``mav0``, or that folder itself.

    Raises:
        FormatError: a missing or bad file, or no image that has a pose.
    """
    root = folder / "mav0" if (folder / "mav0").is_dir() else folder
    trajectory = read_euroc(root / EUROC_TRAJECTORY)
    cameras: dict[str, Camera] = {}
    poses: dict[str, Rigid3] = {}
    notes: list[str] = []
    for path in sorted(root.glob("cam[0-9]/data.csv")):
        sensor = path.with_name("sensor.yaml")
        camera = read_euroc_camera(sensor)
        prefix = f"{path.parent.name}/data/"
        times = {prefix + name: time for name, time in read_euroc_images(path).items()}
        posed = posed_by_time(
            trajectory,
            times,
            dict.fromkeys(times, camera),
            tolerance=EUROC_TOLERANCE_NS,
            cam_from_body=read_euroc_extrinsics(sensor),
        )
        cameras |= posed.cameras
        poses |= {image.name: image.cam_from_world for image in posed.model.images}
        notes += [note for note in posed.notes if note not in notes]
    if not cameras:
        raise FormatError(f"{root}: expected cam0/data.csv with images, found none")
    return PosedImages(
        model=posed_model(cameras, poses), cameras=cameras, image_folder=root, is_metric=True,
        notes=tuple(notes),
    )  # fmt: skip


def kitti_sequence(path: Path) -> Path | None:
    """Folder of the sequence that a path of KITTI odometry belongs to; None for other paths.

    Args:
        path: ``sequences/00`` or ``poses/00.txt``.
    """
    if path.suffix == ".txt" and path.parent.name == "poses":
        folder = path.parent.parent / "sequences" / path.stem
    else:
        folder = path
    has_images = any(_KITTI_FOLDERS.fullmatch(each.name) for each in folder.glob("image_*"))
    return folder if has_images and (folder / "calib.txt").is_file() else None


def read_kitti_folder(path: Path) -> PosedImages:
    """Read the images of all cameras of a sequence, named ``image_2/000000.png``.

    Args:
        path: folder of the sequence, or its file of poses. Sequences without poses have only
            intrinsics.

    Raises:
        FormatError: a missing or bad file, or another number of poses than of images.
    """
    folder = kitti_sequence(path)
    if folder is None:
        raise FormatError(f"{path}: expected a sequence with calib.txt and image_2")
    poses_path = folder.parent.parent / "poses" / f"{folder.name}.txt"
    trajectory = list(read_kitti_poses(poses_path).values()) if poses_path.is_file() else []
    cameras: dict[str, Camera] = {}
    poses: dict[str, Rigid3] = {}
    for images in sorted(each for each in folder.glob("image_*") if each.is_dir()):
        match = _KITTI_FOLDERS.fullmatch(images.name)
        files = sorted(each for each in images.glob("*.png") if _NUMBER.fullmatch(each.stem))
        if match is None or not files:
            continue
        if trajectory and int(files[-1].stem) >= len(trajectory):
            raise FormatError(
                f"{poses_path} has {len(trajectory)} poses, but {images} an image {files[-1].name}"
            )
        calibrated = read_kitti_calib(folder / "calib.txt", upright_size(files[0]))
        key = f"P{match[1]}"
        if key not in calibrated:
            raise FormatError(f"{folder / 'calib.txt'} has no line {key} for {images.name}")
        camera = calibrated[key]
        names = {f"{images.name}/{each.name}": int(each.stem) for each in files}
        cameras |= dict.fromkeys(names, camera.camera)
        if trajectory:
            poses |= {
                name: camera.cam_from_cam0.compose(trajectory[number].inverse())
                for name, number in names.items()
            }
    if not cameras:
        raise FormatError(f"{folder}: expected images such as image_2/000000.png, found none")
    return PosedImages(
        model=posed_model(cameras, poses), cameras=cameras, image_folder=folder, is_metric=True,
        notes=() if trajectory else (f"{poses_path} does not exist: images without poses",),
    )  # fmt: skip


def rio10_recordings(path: Path) -> tuple[Path, list[str]] | None:
    """Root and names of the recordings that a path of RIO10 stands for; None for other paths.

    Args:
        path: recording ``seq01_01``, or a folder of recordings.
    """
    if RIO10_SEQUENCE.fullmatch(path.name) and next(path.glob("frame-*.color.jpg"), None):
        return path.parent, [path.name]
    found = [each.name for each in path.glob("seq*_*") if RIO10_SEQUENCE.fullmatch(each.name)]
    names = [name for name in sorted(found) if next((path / name).glob("frame-*.color.jpg"), None)]
    return (path, names) if names else None


def read_rio10_folder(path: Path) -> PosedImages:
    """Read a recording of RIO10; of a folder with one scene its training recording, ``_01``.

    Intrinsics are those of ``intrinsics.txt`` in the recording or a folder above it.

    Raises:
        FormatError: several scenes, which have no common frame, no intrinsics, or a bad file.
    """
    recordings = rio10_recordings(path)
    if recordings is None:
        raise FormatError(f"{path}: expected recordings such as seq01_01")
    root, names = recordings
    chosen = names if len(names) == 1 else [name for name in names if name.endswith("_01")]
    if len(chosen) != 1:
        raise FormatError(
            f"{path} has {counted(len(names), 'recording')}, and scenes have no common frame: give "
            f"one of {', '.join(names[:8])}"
        )
    beside = [folder / "intrinsics.txt" for folder in (root / chosen[0], root, root.parent)]
    intrinsics = next((file for file in beside if file.is_file()), None)
    if intrinsics is None:
        raise FormatError(f"{beside[1]} with lines 'seq01_01 fx fy cx cy' is missing")
    posed = read_rio10_sequences(root, tuple(chosen), intrinsics)
    if len(names) == 1:
        return posed
    return replace(posed, notes=(*posed.notes, f"only the training recording {chosen[0]} is used"))


def read_stray_folder(folder: Path, image_folder: Path | None) -> PosedImages:
    """Read a recording of Stray Scanner, whose frames are extracted, or will be.

    Names are those of the frames in the image folder: ``frame_000000.jpg``, as our own extraction
    names them, or ``000000.jpg``. The image size is that of the frames, else that of the video.

    Raises:
        FormatError: a missing or bad file, or intrinsics that do not fit the image size.
    """
    photos = image_folder or folder
    numbers = [each.frame for each in read_stray_odometry(folder / "odometry.csv")]
    names = {stray_name(number): frame_name(number) for number in numbers}
    extracted = [name for pair in names.items() for name in pair if is_file(photos / name)]
    size = upright_size(photos / extracted[0]) if extracted else video_size(folder / "rgb.mp4")
    posed = read_stray_scanner(folder, size)
    if extracted and extracted[0] in names:
        return replace(posed, image_folder=photos)
    images = tuple(replace(image, name=names[image.name]) for image in posed.model.images)
    return replace(
        posed,
        model=replace(posed.model, images=images),
        cameras={names[name]: camera for name, camera in posed.cameras.items()},
        image_folder=photos,
    )
