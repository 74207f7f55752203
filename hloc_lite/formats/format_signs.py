"""Signs by which files and folders of images are told apart: names of files and first lines."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from hloc_lite.errors import FormatError
from hloc_lite.formats.colmap.model import has_model
from hloc_lite.formats.pose_lists import (
    SILDA_FILE,
    count_pose_columns,
    is_rio10_list,
    is_trajectory,
)
from hloc_lite.formats.recognized_readers import transforms_file
from hloc_lite.formats.recording_folders import EUROC_TRAJECTORY, kitti_sequence, rio10_recordings
from hloc_lite.geometry.cameras import CAMERA_MODELS
from hloc_lite.io.files import read_json_object
from hloc_lite.io.regular_files import is_special

HEAD_BYTES = 4096
"""Bytes of a file by whose content its kind is told."""
_TEXT_HEAD = 64


def head(path: Path) -> bytes:
    """First bytes of a file; none of a folder or a file that cannot be read."""
    if is_special(path):
        return b""
    try:
        with path.open("rb") as file:
            return file.read(HEAD_BYTES)
    except OSError:
        return b""


def head_lines(path: Path) -> list[str]:
    """First whole lines of a text file, without empty ones and comments; none of other files."""
    start = head(path)
    if b"\0" in start:
        return []
    lines = start.decode("utf-8-sig", "replace").splitlines()
    if len(start) == HEAD_BYTES and len(lines) > 1:
        lines = lines[:-1]
    stripped = (line.strip() for line in lines)
    return [line for line in stripped if line and not line.startswith("#")]


def has(*names: str) -> Callable[[Path], bool]:
    """Test whether a folder has files of these names."""
    return lambda path: all((path / name).is_file() for name in names)


def starts_with(*heads: bytes) -> Callable[[Path], bool]:
    """Test whether a file starts with one of some bytes, after a byte-order mark."""
    return lambda path: head(path).removeprefix(b"\xef\xbb\xbf").startswith(heads)


def is_rig_config(path: Path) -> bool:
    """Return True for COLMAP's rig_config.json, which has no image names."""
    start = head(path).removeprefix(b"\xef\xbb\xbf").lstrip()
    return path.suffix.lower() == ".json" and start.startswith(b"[") and b'"cameras"' in start


def is_sqlite(path: Path) -> bool:
    """Return True for a SQLite file, such as a COLMAP database."""
    return head(path).startswith(b"SQLite format 3\0")


def is_kapture(path: Path) -> bool:
    """Return True for a kapture, and for its folder ``sensors``, which looks like a session."""
    inner = path / "sensors.txt"
    return (path / "sensors" / "sensors.txt").is_file() or (
        path.absolute().name == "sensors"
        and inner.is_file()
        and (_is_kapture_table(inner) or (path / "records_camera.txt").is_file())
    )


def is_capture(path: Path) -> bool:
    """Return True for a LaMAR capture session; a kapture's tables have poses the other way."""
    return (
        (path / "sensors.txt").is_file()
        and ((path / "trajectories.txt").is_file() or (path / "images.txt").is_file())
        and not (path / "records_camera.txt").exists()
        and not _is_kapture_table(path / "sensors.txt")
    )


def is_transforms(path: Path) -> bool:
    """Return True for a JSON object with frames, or a folder with such a transforms.json."""
    file = transforms_file(path)
    if file.suffix.lower() != ".json" or not file.is_file():
        return False
    # of a folder, so that the error of a damaged file names it
    return path.is_dir() or "frames" in read_json_object(file)


def is_seven_scenes(path: Path) -> bool:
    """Return True for a scene of 7-Scenes."""
    lines = head_lines(path / "TrainSplit.txt")
    return bool(lines) and lines[0].startswith("sequence")


def is_twelve_scenes(path: Path) -> bool:
    """Return True for a room of 12-Scenes."""
    info = head_lines(path / "info.txt")
    return (path / "split.txt").is_file() and any(line.startswith("m_") for line in info)


def is_cambridge(path: Path) -> bool:
    """Return True for a list of Cambridge Landmarks, or a folder with the training list."""
    file = path / "dataset_train.txt" if path.is_dir() else path
    return head(file).removeprefix(b"\xef\xbb\xbf").startswith(b"Visual Landmark Dataset")


def is_scanner_app(path: Path) -> bool:
    """Return True for a recording of 3D Scanner App."""
    first = next(iter(sorted(path.glob("frame_*.json"))), None)
    return first is not None and "cameraPoseARFrame" in read_json_object(first)


def is_euroc(path: Path) -> bool:
    """Return True for a recording of EuRoC with a trajectory."""
    roots = (path, path / "mav0")
    return any(
        (root / EUROC_TRAJECTORY).is_file() and (root / "cam0" / "data.csv").is_file()
        for root in roots
    )


def is_kitti(path: Path) -> bool:
    """Return True for a sequence of KITTI odometry, or its file of poses."""
    return kitti_sequence(path) is not None


def is_four_seasons(path: Path) -> bool:
    """Return True for a recording of 4Seasons."""
    from hloc_lite.formats.four_seasons import calibration_folder

    try:
        calibration_folder(path)
    except FormatError:
        return False
    return (path / "poses.txt").is_file()


def is_rio10(path: Path) -> bool:
    """Return True for a recording of RIO10, or a folder of recordings."""
    return rio10_recordings(path) is not None


def is_rio10_poses(path: Path) -> bool:
    """Return True for a list of poses of RIO10."""
    return is_rio10_list(head_lines(path))


def is_silda(path: Path) -> bool:
    """Return True for SILDa's list of poses, or a folder with it."""
    return path.name == SILDA_FILE or (path / SILDA_FILE).is_file()


def is_colmap(path: Path) -> bool:
    """Return True for a folder with a COLMAP model, in it or up to three folders below it."""
    return has_model(path)


def is_query_list(path: Path) -> bool:
    """Return True for lines with a camera model of COLMAP."""
    lines = head_lines(path)
    return any(word in CAMERA_MODELS for line in lines for word in line.split()[1:])


def has_pose_columns(count: int) -> Callable[[Path], bool]:
    """Test whether the lines of a file are names with poses of this number of columns."""
    return lambda path: count_pose_columns(head_lines(path)) == count


def has_times(path: Path) -> bool:
    """Return True for a trajectory, poses by time."""
    return is_trajectory(head_lines(path))


def _is_kapture_table(path: Path) -> bool:
    return head(path)[:_TEXT_HEAD].lstrip(b"\xef\xbb\xbf").startswith(b"# kapture format")
