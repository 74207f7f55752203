"""Readers of recognized files and folders, all of one form: from ``Source`` to posed images."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from hloc_lite.errors import FormatError, counted
from hloc_lite.formats.given_intrinsics import given_cameras
from hloc_lite.formats.posed_images import PosedImages, posed_model
from hloc_lite.types import Camera


@dataclass(frozen=True, eq=False)
class Source:
    """File or folder to read, and what else the user gives."""

    path: Path
    image_folder: Path | None = None
    """Folder of the photos, for formats that do not tell their sizes."""
    cameras: Mapping[str, Camera] | None = None
    """Image name -> intrinsics, for formats without them or without image sizes."""


Reader = Callable[[Source], PosedImages]


def read_kapture_images(source: Source) -> PosedImages:
    """Read a kapture; of a path to its folder ``sensors`` the kapture above."""
    from hloc_lite.formats.kapture.kapture import read_kapture
    from hloc_lite.formats.kapture.posed import posed_images

    is_root = (source.path / "sensors" / "sensors.txt").is_file()
    return posed_images(read_kapture(source.path if is_root else source.path.absolute().parent))


def read_capture(source: Source) -> PosedImages:
    """Read a LaMAR capture session."""
    from hloc_lite.formats.capture import read_session, session_images

    return session_images(read_session(source.path))


def transforms_file(path: Path) -> Path:
    """File of nerfstudio, instant-ngp or NeRF in a folder; a path to a file stays as it is."""
    if not path.is_dir():
        return path
    names = ("transforms.json", "transforms_train.json")
    return next((path / name for name in names if (path / name).is_file()), path / names[0])


def read_transforms_images(source: Source) -> PosedImages:
    """Read a transforms.json."""
    from hloc_lite.formats.nerfstudio import read_transforms

    return read_transforms(transforms_file(source.path), image_folder=source.image_folder).posed


def read_nvm_images(source: Source) -> PosedImages:
    """Read an NVM file; given intrinsics replace its own."""
    from hloc_lite.formats.nvm import read_nvm

    folder = source.image_folder or source.path.parent
    return _with_given(read_nvm(source.path, cameras=source.cameras, image_folder=folder), source)


def read_bundler_images(source: Source) -> PosedImages:
    """Read a Bundler file with the list of images beside it."""
    from hloc_lite.formats.bundler import read_bundler

    path = source.path
    lists = [path.with_name(name) for name in ("list.txt", f"{path.name}.list.txt")]
    lists += [path.with_suffix(".list.txt"), path.absolute().parent.parent / "list.txt"]
    found = next((each for each in lists if each.is_file()), None)
    if found is None:
        raise FormatError(f"{path} needs its list of images: expected {lists[0]}")
    return read_bundler(path, found, image_folder=source.image_folder or found.parent)


def read_seven_scenes_images(source: Source) -> PosedImages:
    """Read the training part of a scene of 7-Scenes."""
    from hloc_lite.formats.seven_scenes import read_seven_scenes

    return read_seven_scenes(source.path, "train")


def read_twelve_scenes_images(source: Source) -> PosedImages:
    """Read the training part of a room of 12-Scenes."""
    from hloc_lite.formats.twelve_scenes import read_twelve_scenes

    return read_twelve_scenes(source.path, "train")


def read_cambridge_images(source: Source) -> PosedImages:
    """Read a list of Cambridge Landmarks, of a folder the training list.

    Given intrinsics replace those of its reconstruction.
    """
    from hloc_lite.formats.cambridge import read_cambridge

    file = source.path / "dataset_train.txt" if source.path.is_dir() else source.path
    return _with_given(
        read_cambridge(file, cameras=source.cameras, image_folder=source.image_folder), source
    )


def read_scanner_app_images(source: Source) -> PosedImages:
    """Read a recording of 3D Scanner App."""
    from hloc_lite.formats.phone_logs import read_scanner_app

    return read_scanner_app(source.path)


def read_stray_images(source: Source) -> PosedImages:
    """Read a recording of Stray Scanner."""
    from hloc_lite.formats.recording_folders import read_stray_folder

    return read_stray_folder(source.path, source.image_folder)


def read_tum_recording(source: Source) -> PosedImages:
    """Read a sequence of TUM RGB-D."""
    from hloc_lite.formats.recording_folders import read_tum_folder

    return read_tum_folder(source.path, source.cameras)


def read_euroc_recording(source: Source) -> PosedImages:
    """Read a recording of EuRoC MAV."""
    from hloc_lite.formats.recording_folders import read_euroc_folder

    return read_euroc_folder(source.path)


def read_kitti_recording(source: Source) -> PosedImages:
    """Read a sequence of KITTI odometry."""
    from hloc_lite.formats.recording_folders import read_kitti_folder

    return read_kitti_folder(source.path)


def read_four_seasons_recording(source: Source) -> PosedImages:
    """Read a recording of 4Seasons, of both cameras if both are calibrated."""
    from hloc_lite.formats.four_seasons import calibration_folder, read_four_seasons

    stereo = calibration_folder(source.path) / "undistorted_calib_stereo.txt"
    return read_four_seasons(source.path, stereo=stereo.is_file())


def read_rio10_recording(source: Source) -> PosedImages:
    """Read a recording of RIO10."""
    from hloc_lite.formats.recording_folders import read_rio10_folder

    return read_rio10_folder(source.path)


def read_poses_of_images(source: Source) -> PosedImages:
    """Read a list of poses of hloc."""
    from hloc_lite.formats.pose_lists import read_pose_list

    return read_pose_list(source.path, source.cameras)


def read_rio10_poses_of_images(source: Source) -> PosedImages:
    """Read a list of poses of RIO10."""
    from hloc_lite.formats.pose_lists import read_rio10_list

    return read_rio10_list(source.path, source.cameras)


def read_silda_poses_of_images(source: Source) -> PosedImages:
    """Read the list of poses of SILDa."""
    from hloc_lite.formats.pose_lists import read_silda_list

    return read_silda_list(source.path, source.cameras)


def read_pseudo_truth_images(source: Source) -> PosedImages:
    """Read a list of poses and focal lengths."""
    from hloc_lite.formats.pose_lists import read_pseudo_truth_list

    return read_pseudo_truth_list(source.path, source.image_folder)


def refuse_trajectory(source: Source) -> PosedImages:
    """Say that poses by time need image times.

    Raises:
        FormatError: always.
    """
    raise FormatError(
        f"{source.path} is taken for a trajectory, 'timestamp tx ty tz qx qy qz qw', and has poses "
        f"by time, not by image: give a folder with it as groundtruth.txt, and with rgb.txt, lines "
        f"'timestamp filename'. If its first column holds names of images, state the kind, such as "
        f"--reference-kind 'list of poses'"
    )


def refuse_rig_config(source: Source) -> PosedImages:
    """Say that rigs are given apart from names.

    Raises:
        FormatError: always.
    """
    raise FormatError(
        f"{source.path} defines rigs and names no images: give it as --rig of `hloc-lite localize`"
    )


def read_database(source: Source) -> PosedImages:
    """Read the intrinsics of a COLMAP database."""
    from hloc_lite.formats.colmap.database import read_database_images

    cameras = read_database_images(source.path).cameras
    return PosedImages(model=posed_model({}, {}), cameras=cameras)


def read_colmap(source: Source) -> PosedImages:
    """Read a COLMAP model."""
    from hloc_lite.formats.colmap import read_model

    model = read_model(source.path)
    cameras = {image.name: model.cameras[image.camera_id] for image in model.images}
    return PosedImages(model=model, cameras=cameras)


def _with_given(posed: PosedImages, source: Source) -> PosedImages:
    """Posed images whose intrinsics the user could replace, with a note on those that are not."""
    if source.cameras is None:
        return posed
    own = {image.name: posed.model.cameras[image.camera_id] for image in posed.model.images}
    missing = len(own) - len(given_cameras(own, source.cameras, str(source.path)))
    note = f"{counted(missing, 'image')} without given intrinsics: those of the file are used"
    return replace(posed, cameras=own, notes=(*posed.notes, *([note] if missing else [])))


def read_query_list(source: Source) -> PosedImages:
    """Read a list of intrinsics."""
    from hloc_lite.formats.hloc_lists import read_queries

    return PosedImages(model=posed_model({}, {}), cameras=read_queries(source.path))
