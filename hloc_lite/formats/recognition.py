"""Recognizes which program wrote a file or folder of images with intrinsics or poses, and reads it.

Whatever gives images with poses can be the reference of a map, and whatever gives names with
intrinsics can be a list of queries. A kind is told by the names of its files and by their first
lines, never by a suffix alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from hloc_lite.errors import FormatError
from hloc_lite.formats import format_signs as signs
from hloc_lite.formats import recognized_readers as readers
from hloc_lite.formats.intrinsics_notes import size_notes
from hloc_lite.formats.pose_directions import model_direction_notes
from hloc_lite.formats.posed_images import PosedImages
from hloc_lite.formats.recognized_readers import Reader, Source
from hloc_lite.types import Camera

INTRINSICS_LIST = "list with intrinsics"
COLMAP_MODEL = "COLMAP model"
_MAX_SHOWN = 6


class KnownFormat(NamedTuple):
    """Kind of file or folder that is recognized."""

    kind: str
    """Name of the format, for people."""
    sign: str
    """Files or first line that it is known by, for people."""
    is_kind: Callable[[Path], bool]
    read: Reader
    needs_cameras: bool = False
    """True if the format has poses without intrinsics."""
    takes_cameras: bool = False
    """True if given intrinsics replace those of the format, which has no image sizes."""
    is_direction_checked: bool = False
    """True if the reader itself looks whether poses are inverses."""


@dataclass(frozen=True, eq=False)
class RecognizedImages:
    """Images of a file or folder whose kind was recognized."""

    kind: str
    """Name of the format, for people."""
    posed: PosedImages


def recognize(path: Path, kind: str | None = None) -> KnownFormat:
    """Kind of a file or folder.

    Args:
        path: file or folder.
        kind: name of the kind, or its beginning, in capitals or not, if the user states it; None to
            tell it by the content.

    Raises:
        FormatError: nothing there, or no known kind; names the known ones.
    """
    if not path.exists():
        raise FormatError(f"{path} does not exist")
    known = FOLDERS if path.is_dir() else FILES
    if kind is not None:
        return _stated(kind, known, path)
    found = next((each for each in known if each.is_kind(path)), None)
    if found is not None:
        return found
    kinds = "; ".join(f"{each.kind} ({each.sign})" for each in known)
    raise FormatError(f"{path} is of no known kind: {_found_there(path)}. Known are {kinds}")


def read_posed_images(
    path: Path,
    image_folder: Path | None = None,
    cameras: Mapping[str, Camera] | None = None,
    kind: str | None = None,
) -> RecognizedImages:
    """Read images with intrinsics or poses from a file or folder of any known kind.

    Args:
        path: file or folder.
        image_folder: folder of the photos, for formats that do not tell the sizes of the photos.
        cameras: image name -> intrinsics, for formats without them or without image sizes; see
            ``given_cameras``.
        kind: see ``recognize``.

    Raises:
        FormatError: nothing there, no known kind, a damaged file, or intrinsics that are missing
            or given twice.
    """
    found = recognize(path, kind)
    if cameras is not None and not (found.needs_cameras or found.takes_cameras):
        raise FormatError(f"{path} ({found.kind}) has intrinsics of its own: give no others")
    posed = found.read(Source(path, image_folder, cameras))
    notes = size_notes(posed.cameras)
    if not found.is_direction_checked:
        notes += model_direction_notes(posed.model)
    return RecognizedImages(found.kind, replace(posed, notes=(*posed.notes, *notes)))


def _stated(kind: str, known: Sequence[KnownFormat], path: Path) -> KnownFormat:
    """Kind that the user states by its name or the beginning of it."""
    wanted = kind.casefold()
    exact = [each for each in known if each.kind.casefold() == wanted]
    found = exact or [each for each in known if each.kind.casefold().startswith(wanted)]
    if len(found) == 1:
        return found[0]
    what = "folder" if path.is_dir() else "file"
    names = ", ".join(repr(each.kind) for each in known)
    raise FormatError(f"{kind!r} is no kind of a {what}, or several: expected one of {names}")


def _found_there(path: Path) -> str:
    """First names in a folder, or the first line of a file, for errors."""
    if path.is_dir():
        try:
            names = sorted(each.name for each in path.iterdir())
        except OSError as error:
            return f"it cannot be read: {error.strerror or error}"
        shown = ", ".join(names[:_MAX_SHOWN]) + (", ..." if len(names) > _MAX_SHOWN else "")
        return f"it has {shown}" if names else "it is empty"
    lines = signs.head_lines(path)
    return f"its first line is {lines[0][:80]!r}" if lines else "it is empty or no text"


FOLDERS = (
    KnownFormat(
        "kapture", "sensors/sensors.txt", signs.is_kapture, readers.read_kapture_images
    ),
    KnownFormat(
        "LaMAR capture session", "sensors.txt with trajectories.txt or images.txt",
        signs.is_capture, readers.read_capture,
    ),
    KnownFormat(
        "transforms.json (nerfstudio, instant-ngp)", "transforms.json with frames",
        signs.is_transforms, readers.read_transforms_images,
    ),
    KnownFormat(
        "7-Scenes", "TrainSplit.txt", signs.is_seven_scenes, readers.read_seven_scenes_images
    ),
    KnownFormat(
        "12-Scenes", "info.txt, split.txt", signs.is_twelve_scenes,
        readers.read_twelve_scenes_images,
    ),
    KnownFormat(
        "Cambridge Landmarks", "dataset_train.txt", signs.is_cambridge,
        readers.read_cambridge_images, takes_cameras=True,
    ),
    KnownFormat(
        "3D Scanner App", "frame_00000.json", signs.is_scanner_app, readers.read_scanner_app_images
    ),
    KnownFormat(
        "Stray Scanner", "odometry.csv, camera_matrix.csv",
        signs.has("odometry.csv", "camera_matrix.csv"), readers.read_stray_images,
    ),
    KnownFormat(
        "TUM RGB-D", "groundtruth.txt, rgb.txt", signs.has("groundtruth.txt", "rgb.txt"),
        readers.read_tum_recording, needs_cameras=True, is_direction_checked=True,
    ),
    KnownFormat(
        "EuRoC MAV", "mav0/cam0", signs.is_euroc, readers.read_euroc_recording,
        is_direction_checked=True,
    ),
    KnownFormat(
        "KITTI odometry", "calib.txt, image_2", signs.is_kitti, readers.read_kitti_recording
    ),
    KnownFormat(
        "4Seasons", "poses.txt, Calibration", signs.is_four_seasons,
        readers.read_four_seasons_recording, is_direction_checked=True,
    ),
    KnownFormat(
        "RIO10", "seq01_01/frame-000000.color.jpg", signs.is_rio10, readers.read_rio10_recording
    ),
    KnownFormat(
        "SILDa", signs.SILDA_FILE, signs.is_silda, readers.read_silda_poses_of_images,
        needs_cameras=True, is_direction_checked=True,
    ),
    KnownFormat(
        COLMAP_MODEL, "cameras and images, as .bin or .txt", signs.is_colmap, readers.read_colmap
    ),
)  # fmt: skip
"""Known kinds of folders, in the order in which they are tried."""
FILES = (
    KnownFormat(
        "COLMAP database", "SQLite", signs.is_sqlite, readers.read_database
    ),
    KnownFormat(
        "NVM", "NVM_V3", signs.starts_with(b"NVM_V3"), readers.read_nvm_images, takes_cameras=True
    ),
    KnownFormat(
        "Bundler", "# Bundle file", signs.starts_with(b"# Bundle file"),
        readers.read_bundler_images,
    ),
    KnownFormat(
        "transforms.json (nerfstudio, instant-ngp)", "JSON with frames", signs.is_transforms,
        readers.read_transforms_images,
    ),
    KnownFormat(
        "rig_config.json", "JSON list with cameras", signs.is_rig_config, readers.refuse_rig_config
    ),
    KnownFormat(
        "Cambridge Landmarks", "Visual Landmark Dataset", signs.is_cambridge,
        readers.read_cambridge_images, takes_cameras=True,
    ),
    KnownFormat(
        "KITTI odometry", "poses/00.txt", signs.is_kitti, readers.read_kitti_recording
    ),
    KnownFormat(
        "SILDa", signs.SILDA_FILE, signs.is_silda, readers.read_silda_poses_of_images,
        needs_cameras=True, is_direction_checked=True,
    ),
    KnownFormat(
        "RIO10 poses", "seq01_02/frame-000000 qw qx qy qz tx ty tz", signs.is_rio10_poses,
        readers.read_rio10_poses_of_images, needs_cameras=True, is_direction_checked=True,
    ),
    KnownFormat(
        INTRINSICS_LIST, "NAME MODEL W H params...", signs.is_query_list, readers.read_query_list
    ),
    KnownFormat(
        "list of poses", "NAME qw qx qy qz tx ty tz", signs.has_pose_columns(7),
        readers.read_poses_of_images, needs_cameras=True, is_direction_checked=True,
    ),
    KnownFormat(
        "pseudo ground truth", "NAME qw qx qy qz tx ty tz f", signs.has_pose_columns(8),
        readers.read_pseudo_truth_images,
    ),
    KnownFormat(
        "trajectory", "timestamp tx ty tz qx qy qz qw", signs.has_times, readers.refuse_trajectory,
        needs_cameras=True,
    ),
)  # fmt: skip
"""Known kinds of files, in the order in which they are tried."""
