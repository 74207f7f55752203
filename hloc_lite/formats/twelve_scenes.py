"""12-Scenes: RGB-D sequences of Stanford (Valentin et al., 3DV 2016).

A room is a folder with ``info.txt``, ``split.txt`` and ``data/frame-000000.{color.jpg,depth.png,
pose.txt}``. A pose file is a 4 x 4 matrix world_from_cam in metres; a frame that could not be
tracked holds INF instead. The first sequence of ``split.txt`` is the test part. Depth is in
millimetres, 0 is unknown. ``info.txt`` has lines ``m_colorWidth = 1296`` and 4 x 4 intrinsics.
Sources: the data set's page, and ``datasets/setup_12scenes.py`` of nianticlabs/ace.

The publishers did not calibrate the cameras, and do not say from where the principal point counts:
it is taken as it is. No original file of the data set was available to test this module.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from hloc_lite.errors import FormatError, ShapeError, counted
from hloc_lite.formats.pose_text import (
    content_lines,
    finite_numbers,
    matrix_text,
    number_text,
    pose_from_matrix,
    whole_number,
)
from hloc_lite.formats.posed_images import PosedImages, posed_model
from hloc_lite.geometry.cameras import calibration_matrix
from hloc_lite.geometry.plausible_intrinsics import check_given_camera
from hloc_lite.io.files import write_text_atomic
from hloc_lite.types import Camera, Rigid3

Split = Literal["train", "test"]

UNTRACKED_POSE = "INF INF INF INF\n" * 4
"""Pose file of a frame that could not be tracked, as this module writes it."""
_FRAME = re.compile(r"frame-(\d{6})\.color\.jpg")
_NAME = re.compile(rf"data/{_FRAME.pattern}")
_SEQUENCE = re.compile(r"(\S+)\s+\[frames=(\d{1,7})\](.*)")
_RANGE = re.compile(r"\[start=(\d{1,7})\s*;\s*end=(\d{1,7})\]")


@dataclass(frozen=True)
class Sequence:
    """Line of ``split.txt``: a recording and its frames."""

    name: str
    num_frames: int


def read_twelve_scenes(room: Path, split: Split) -> PosedImages:
    """Read the images and poses of one part of a room; names are ``data/frame-000000.color.jpg``.

    Args:
        room: folder with ``info.txt``, ``split.txt`` and ``data``.
        split: ``test`` for the frames of the first sequence, ``train`` for all others.

    Returns:
        Posed images. Untracked frames have only intrinsics, and a note counts them.

    Raises:
        FormatError: a missing file, no frames, or a bad line.
    """
    if split not in ("train", "test"):
        raise FormatError(f"split: expected train or test, got {split!r}")
    camera = read_info(room / "info.txt")
    num_test = read_sequences(room / "split.txt")[0].num_frames
    cameras: dict[str, Camera] = {}
    poses: dict[str, Rigid3] = {}
    for frame, name in _frames(room):
        if (frame < num_test) != (split == "test"):
            continue
        cameras[name] = camera
        pose = read_frame_pose(_pose_path(room, name))
        if pose is not None:
            poses[name] = pose.inverse()
    untracked = len(cameras) - len(poses)
    note = f"{counted(untracked, 'frame')} left out: the pose file holds INF, tracking was lost"
    return PosedImages(
        model=posed_model(cameras, poses),
        cameras=cameras,
        image_folder=room,
        is_metric=True,
        notes=(note,) if untracked else (),
    )


def write_twelve_scenes(room: Path, posed: PosedImages, sequences: tuple[Sequence, ...]) -> None:
    """Write ``info.txt``, ``split.txt`` and the pose files; the images are not written.

    Images with intrinsics but without a pose get a pose file of INF.

    Args:
        room: folder of the room, made if it is missing.
        posed: images of all parts, named ``data/frame-000000.color.jpg``, with one camera.
        sequences: lines of ``split.txt``, the test sequence first.

    Raises:
        FormatError: another form of name, several cameras, or one with distortion.
    """
    for name in posed.cameras:
        if _NAME.fullmatch(name) is None:
            raise FormatError(f"12-Scenes names images data/frame-000000.color.jpg, not {name!r}")
    write_info(room / "info.txt", _only_camera(posed))
    write_sequences(room / "split.txt", sequences)
    for name in posed.cameras:
        image = posed.model.image_named(name)
        text = UNTRACKED_POSE if image is None else matrix_text(image.cam_from_world.inverse())
        write_text_atomic(_pose_path(room, name), text)


def read_info(path: Path) -> Camera:
    """Read the intrinsics of the colour images from ``info.txt``, as PINHOLE.

    Lines are found by their keys, not by their numbers. Other keys are ignored.

    Raises:
        FormatError: a missing or bad line, or intrinsics that no camera has.
    """
    values: dict[str, tuple[str, str]] = {}
    for number, line in content_lines(path):
        key, equals, value = (part.strip() for part in line.partition("="))
        if equals and key in values:
            raise FormatError(f"{path}, line {number}: {key!r} is given twice")
        values[key] = value, f"{path}, line {number}"
    missing = {"m_colorWidth", "m_colorHeight", "m_calibrationColorIntrinsic"} - set(values)
    if missing:
        raise FormatError(f"{path}: expected lines 'KEY = VALUE' with {', '.join(sorted(missing))}")
    width, height = (
        whole_number(*values[key], least=1, most=10**6) for key in ("m_colorWidth", "m_colorHeight")
    )
    text, where = values["m_calibrationColorIntrinsic"]
    numbers = finite_numbers(text.split(), where)
    if len(numbers) != 16:
        raise FormatError(f"{where}: expected 16 numbers, got {len(numbers)}")
    matrix = np.reshape(numbers, (4, 4))
    fx, fy, cx, cy = matrix[0, 0], matrix[1, 1], matrix[0, 2], matrix[1, 2]
    wanted = np.array([[fx, 0, cx, 0], [0, fy, cy, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    if not np.array_equal(matrix, wanted):
        raise FormatError(
            f"{where}: expected fx 0 cx 0 0 fy cy 0 0 0 1 0 0 0 0 1, got {text[:200]}"
        )
    try:
        return check_given_camera(Camera("PINHOLE", width, height, np.array([fx, fy, cx, cy])))
    except (FormatError, ShapeError) as error:
        raise FormatError(f"{where}: {error}") from None


def write_info(path: Path, camera: Camera) -> None:
    """Write the lines of ``info.txt`` that ``read_info`` reads.

    Raises:
        FormatError: a camera with distortion.
    """
    if camera.model not in ("PINHOLE", "SIMPLE_PINHOLE"):
        raise FormatError(f"info.txt holds cameras without distortion, not {camera.model}")
    matrix = np.eye(4)
    matrix[:3, :3] = calibration_matrix(camera)
    write_text_atomic(
        path,
        f"m_colorWidth = {camera.width}\nm_colorHeight = {camera.height}\n"
        f"m_calibrationColorIntrinsic = {number_text(matrix.ravel())}\n",
    )


def read_sequences(path: Path) -> tuple[Sequence, ...]:
    """Read ``split.txt``: lines ``sequence0 [frames=357] [start=0 ; end=356]``.

    The range may be missing; where it is given, it must continue the sequence before.

    Raises:
        FormatError: another line, a range that contradicts the number of frames, or no line.
    """
    sequences: list[Sequence] = []
    start = 0
    for number, line in content_lines(path):
        where = f"{path}, line {number}"
        match = _SEQUENCE.fullmatch(line)
        if match is None:
            raise FormatError(
                f"{where}: expected 'sequence0 [frames=357] [start=0 ; end=356]', got {line[:80]!r}"
            )
        count = int(match[2])
        limits = _RANGE.fullmatch(match[3].strip())
        if limits is not None and (int(limits[1]), int(limits[2])) != (start, start + count - 1):
            raise FormatError(
                f"{where}: {count} frames after frame {start} do not end as {limits[0]} says"
            )
        start += count
        sequences.append(Sequence(match[1], count))
    if not sequences:
        raise FormatError(f"{path}: expected lines like 'sequence0 [frames=357]', it is empty")
    return tuple(sequences)


def write_sequences(path: Path, sequences: tuple[Sequence, ...]) -> None:
    """Write sequences in the format of ``read_sequences``."""
    lines, start = [], 0
    for each in sequences:
        end = start + each.num_frames - 1
        lines.append(f"{each.name} [frames={each.num_frames}] [start={start} ; end={end}]\n")
        start += each.num_frames
    write_text_atomic(path, "".join(lines))


def read_frame_pose(path: Path) -> Rigid3 | None:
    """Read a pose file as world_from_cam; None if it holds INF or NaN.

    Raises:
        FormatError: not four lines of four numbers, or no rigid transform.
    """
    lines = list(content_lines(path))
    rows = [line.split() for _, line in lines]
    if [len(row) for row in rows] != [4, 4, 4, 4]:
        raise FormatError(f"{path}: expected 4 lines of 4 numbers")
    words = [word for row in rows for word in row]
    if any(word.lstrip("+-").lower() in ("inf", "infinity", "nan", "1.#inf") for word in words):
        return None
    return pose_from_matrix(finite_numbers(words, str(path)), str(path))


def _frames(room: Path) -> list[tuple[int, str]]:
    """Frame number and name of all colour images, in order."""
    folder = room / "data"
    matches = (_FRAME.fullmatch(path.name) for path in folder.glob("frame-*.color.jpg"))
    frames = sorted((int(match[1]), f"data/{match[0]}") for match in matches if match)
    if not frames:
        raise FormatError(f"{folder}: expected files frame-000000.color.jpg, found none")
    return frames


def _pose_path(room: Path, name: str) -> Path:
    return room / f"{name.removesuffix('.color.jpg')}.pose.txt"


def _only_camera(posed: PosedImages) -> Camera:
    cameras = list(posed.cameras.values())
    if not cameras:
        raise FormatError("12-Scenes needs at least one image")
    first = cameras[0]
    key = first.model, first.width, first.height, first.params.tolist()
    if any((c.model, c.width, c.height, c.params.tolist()) != key for c in cameras):
        raise FormatError("info.txt holds one camera for all images, these have several")
    return first
