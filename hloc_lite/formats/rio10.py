"""RIO10: scans of changing rooms (Wald et al., ECCV 2020), 10 scenes of several recordings.

A recording is a folder ``seq01_02`` with ``frame-000000.{color.jpg,pose.txt,rendered.depth.png}``;
``_01`` is for training, ``_02`` for validation, later ones are hidden tests. Images are upright,
540 x 960 pixels; depth is in millimetres, 0 is unknown. Intrinsics stand in one text file, lines
``seq01_01 fx fy cx cy``. Pose lists, the validation truth and submissions alike, have lines
``seq01_02/frame-000000 qw qx qy qz tx ty tz`` with world_from_cam in metres. Sources: the data
set's page and WaldJohannaU/RIO10.

From where the principal point counts is not stated: it is taken as it is. Folders of images were
not available to test this module; the two lists were.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from hloc_lite.errors import FormatError, counted
from hloc_lite.formats.pose_directions import direction_notes
from hloc_lite.formats.pose_text import (
    content_lines,
    finite_numbers,
    matrix_text,
    number_text,
    pose_from_matrix,
    pose_from_quat,
    pose_numbers,
)
from hloc_lite.formats.posed_images import PosedImages, posed_model
from hloc_lite.formats.seven_scenes import matrix_numbers
from hloc_lite.geometry.plausible_intrinsics import check_given_camera
from hloc_lite.io.files import write_text_atomic
from hloc_lite.io.regular_files import is_file
from hloc_lite.types import Camera, Rigid3

IMAGE_SIZE = (540, 960)
"""(width, height) of the upright images, pixels."""
IMAGE_SUFFIX = ".color.jpg"
_SEQUENCE = re.compile(r"seq\d{2}_\d{2}")
_FRAME = re.compile(r"(seq\d{2}_\d{2})/frame-\d{6}")


def read_rio10_poses(path: Path) -> dict[str, Rigid3]:
    """Read a list of poses: the validation truth, or a submission.

    Returns:
        Image name with ``.color.jpg`` -> cam_from_world, the inverse of the file's, in its order.

    Raises:
        FormatError: a bad line (with its number), or a frame listed twice.
    """
    poses: dict[str, Rigid3] = {}
    for number, line in content_lines(path):
        where, words = f"{path}, line {number}", line.split()
        if len(words) != 8 or _FRAME.fullmatch(words[0]) is None:
            raise FormatError(
                f"{where}: expected 'seq01_02/frame-000000 qw qx qy qz tx ty tz', got {line[:80]!r}"
            )
        name, values = words[0] + IMAGE_SUFFIX, finite_numbers(words[1:], where)
        if name in poses:
            raise FormatError(f"{where}: {words[0]!r} is listed twice")
        poses[name] = pose_from_quat(values[:4], values[4:], where).inverse()
    return poses


def write_rio10_poses(path: Path, cam_from_world: Mapping[str, Rigid3]) -> None:
    """Write a list of poses as world_from_cam, without the suffix of the names: a submission.

    Raises:
        FormatError: a name of another form than ``seq01_02/frame-000000.color.jpg``.
    """
    lines = [
        f"{_frame(name)} {pose_numbers(pose.inverse())}\n" for name, pose in cam_from_world.items()
    ]
    write_text_atomic(path, "".join(lines))


def read_rio10_intrinsics(path: Path) -> dict[str, Camera]:
    """Read the intrinsics of recordings, lines ``seq01_01 fx fy cx cy`` in pixels.

    Returns:
        Recording -> PINHOLE camera of 540 x 960 pixels, in the order of the file.

    Raises:
        FormatError: a bad line (with its number), or a recording listed twice.
    """
    cameras: dict[str, Camera] = {}
    for number, line in content_lines(path):
        where, words = f"{path}, line {number}", line.split()
        if len(words) != 5 or _SEQUENCE.fullmatch(words[0]) is None:
            raise FormatError(f"{where}: expected 'seq01_01 fx fy cx cy', got {line[:80]!r}")
        if words[0] in cameras:
            raise FormatError(f"{where}: {words[0]!r} is listed twice")
        params = np.array(finite_numbers(words[1:], where))
        try:
            cameras[words[0]] = check_given_camera(Camera("PINHOLE", *IMAGE_SIZE, params))
        except FormatError as error:
            raise FormatError(f"{where}: {error}") from None
    return cameras


def write_rio10_intrinsics(path: Path, cameras: Mapping[str, Camera]) -> None:
    """Write intrinsics in the format of ``read_rio10_intrinsics``.

    Raises:
        FormatError: another name, camera model or image size.
    """
    for sequence, camera in cameras.items():
        if _SEQUENCE.fullmatch(sequence) is None:
            raise FormatError(f"RIO10 names recordings seq01_02, not {sequence!r}")
        if camera.model != "PINHOLE" or (camera.width, camera.height) != IMAGE_SIZE:
            raise FormatError(f"RIO10 has PINHOLE cameras of 540 x 960 pixels, not {camera}")
    lines = (f"{name} {number_text(camera.params)}\n" for name, camera in cameras.items())
    write_text_atomic(path, "".join(lines))


def rio10_truth(poses_path: Path, intrinsics_path: Path) -> PosedImages:
    """Read the validation truth with its intrinsics, without the images.

    Raises:
        FormatError: see ``read_rio10_poses`` and ``read_rio10_intrinsics``; a recording without
            intrinsics.
    """
    poses = read_rio10_poses(poses_path)
    by_sequence = read_rio10_intrinsics(intrinsics_path)
    cameras = {name: _camera_of(name, by_sequence, intrinsics_path) for name in poses}
    by_recording: dict[str, list[Rigid3]] = {}
    for name in sorted(poses):
        by_recording.setdefault(name.split("/")[0], []).append(poses[name].inverse())
    notes = [
        note
        for recording, in_order in by_recording.items()
        for note in direction_notes(in_order, f"{poses_path}, {recording}")
    ]
    return PosedImages(
        model=posed_model(cameras, poses), cameras=cameras, is_metric=True, notes=tuple(notes)
    )


def read_rio10_sequences(
    root: Path, sequences: tuple[str, ...], intrinsics_path: Path
) -> PosedImages:
    """Read the images of recordings with their intrinsics, and the poses where they are public.

    Args:
        root: folder of the recordings.
        sequences: recordings, such as ``seq01_01``.
        intrinsics_path: see ``read_rio10_intrinsics``.

    Returns:
        Posed images; those without a pose file have only intrinsics, and a note counts them.

    Raises:
        FormatError: a recording without images or intrinsics, or a bad pose file.
    """
    by_sequence = read_rio10_intrinsics(intrinsics_path)
    cameras: dict[str, Camera] = {}
    poses: dict[str, Rigid3] = {}
    for sequence in sequences:
        if _SEQUENCE.fullmatch(sequence) is None:
            raise FormatError(f"RIO10 names recordings seq01_02, not {sequence!r}")
        files = sorted((root / sequence).glob(f"frame-*{IMAGE_SUFFIX}"))
        names = [f"{sequence}/{path.name}" for path in files]
        names = [name for name in names if _FRAME.fullmatch(name.removesuffix(IMAGE_SUFFIX))]
        if not names:
            raise FormatError(f"{root / sequence}: expected files frame-000000{IMAGE_SUFFIX}")
        for name in names:
            cameras[name] = _camera_of(name, by_sequence, intrinsics_path)
            path = root / f"{_frame(name)}.pose.txt"
            if is_file(path):
                poses[name] = pose_from_matrix(matrix_numbers(path), str(path)).inverse()
    missing = len(cameras) - len(poses)
    note = f"{counted(missing, 'image')} without a pose file have no pose"
    return PosedImages(
        model=posed_model(cameras, poses), cameras=cameras, image_folder=root, is_metric=True,
        notes=(note,) if missing else (),
    )  # fmt: skip


def write_rio10_frames(root: Path, cam_from_world: Mapping[str, Rigid3]) -> None:
    """Write the pose files of images named ``seq01_02/frame-000000.color.jpg``.

    Raises:
        FormatError: another form of name.
    """
    frames = {_frame(name): pose for name, pose in cam_from_world.items()}
    for frame, pose in frames.items():
        write_text_atomic(root / f"{frame}.pose.txt", matrix_text(pose.inverse()))


def _frame(name: str) -> str:
    frame = name.removesuffix(IMAGE_SUFFIX)
    if frame == name or _FRAME.fullmatch(frame) is None:
        raise FormatError(f"RIO10 names images seq01_02/frame-000000.color.jpg, not {name!r}")
    return frame


def _camera_of(name: str, by_sequence: Mapping[str, Camera], path: Path) -> Camera:
    sequence = name.split("/")[0]
    if sequence not in by_sequence:
        raise FormatError(f"{path}: no intrinsics of {sequence!r}")
    return by_sequence[sequence]
