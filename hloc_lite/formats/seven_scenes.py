"""7-Scenes: RGB-D sequences of Microsoft Research (Shotton et al., CVPR 2013).

A scene is a folder with ``TrainSplit.txt``, ``TestSplit.txt`` (lines ``sequence3``) and folders
``seq-03/frame-000000.{color.png,depth.png,pose.txt}``. A pose file is a 4 x 4 matrix
world_from_cam in metres, of the DEPTH camera. Depth is in millimetres, 65535 is unknown. Colour and
depth images are not registered. Sources: the data set's page, and for the transform between the
cameras ``datasets/setup_7scenes.py`` of nianticlabs/ace.

The principal points are the image centre (320, 240). Which pixel corner that counts from is not
stated; it is taken as COLMAP's image centre. No original folder was available to test this module.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np

from hloc_lite.config import DepthConfig
from hloc_lite.errors import FormatError, counted
from hloc_lite.formats.depth_images import read_depth
from hloc_lite.formats.pose_rows import poses_from_matrices
from hloc_lite.formats.pose_text import (
    content_lines,
    finite_numbers,
    matrix_text,
    pose_from_matrix,
)
from hloc_lite.formats.posed_images import PosedImages, posed_model
from hloc_lite.io.files import write_text_atomic
from hloc_lite.io.regular_files import is_file
from hloc_lite.types import Camera, DepthMap, Rigid3

Split = Literal["train", "test"]
PoseOf = Literal["color", "depth"]

IMAGE_SIZE = (640, 480)
"""(width, height) of colour and depth images, pixels."""
COLOR_FOCAL_PX = 525.0
DEPTH_FOCAL_PX = 585.0
MAX_DEPTH = 65.0
"""Depths above it, metres, are the mark 65535 of unknown depths: the sensor sees 8 metres."""
_COLOR_SUFFIXES = (".color.png", ".color.jpg")
_SPLIT_LINE = re.compile(r"sequence(\d{1,4})")
_NAME = re.compile(r"seq-(\d{2,4})/frame-\d{6}\.color\.(?:png|jpg)")


def color_camera(focal_px: float = COLOR_FOCAL_PX) -> Camera:
    """Intrinsics of the colour images; nobody calibrated them, 525 px is the sensor's default."""
    return Camera("SIMPLE_PINHOLE", *IMAGE_SIZE, np.array([focal_px, 320.0, 240.0]))


def depth_camera() -> Camera:
    """Intrinsics of the depth images."""
    return Camera("SIMPLE_PINHOLE", *IMAGE_SIZE, np.array([DEPTH_FOCAL_PX, 320.0, 240.0]))


def color_from_depth() -> Rigid3:
    """Transform from the depth camera's frame to the colour camera's, metres."""
    rows = [
        [0.99996518012567637, 0.0026765126468950343, -0.0079041012313000904, -0.025558943178152542],
        [-0.00274093112813167, 0.99996302803027592, -0.0081504520778013286, 0.00010109636268061706],
        [0.0078819942130445332, 0.0081718328771890631, 0.99993554558014031, 0.0020318321729487039],
    ]
    return pose_from_matrix(rows, "7-Scenes depth to colour")


def read_seven_scenes(
    scene: Path,
    split: Split,
    *,
    pose_of: PoseOf = "color",
    camera: Camera | None = None,
) -> PosedImages:
    """Read the images and poses of a part of a scene, names ``seq-03/frame-000000.color.png``.

    Args:
        scene: folder with the sequences and the split files.
        split: part of the scene.
        pose_of: ``color`` for poses of the colour images, corrected by ``color_from_depth``;
            ``depth`` for the poses as they are in the files, which many publications use.
        camera: intrinsics of the colour images; ``color_camera()`` if None.

    Returns:
        Posed images; those without a pose file have only intrinsics, and a note counts them.

    Raises:
        FormatError: no such folder or split, a sequence without images, or a bad pose file.
    """
    if pose_of not in ("color", "depth"):
        raise FormatError(f"pose_of: expected color or depth, got {pose_of!r}")
    correction = color_from_depth() if pose_of == "color" else Rigid3.identity()
    cameras: dict[str, Camera] = {}
    pose_paths: dict[str, Path] = {}
    for sequence in read_split(_split_path(scene, split)):
        for image in _color_images(scene / sequence):
            name = f"{sequence}/{image.name}"
            cameras[name] = camera or color_camera()
            pose_path = image.with_name(f"{frame_stem(image.name)}.pose.txt")
            if is_file(pose_path):
                pose_paths[name] = pose_path
    poses = {
        name: correction.compose(world_from_cam.inverse())
        for name, world_from_cam in zip(
            pose_paths, _read_frame_poses(list(pose_paths.values())), strict=True
        )
    }
    return PosedImages(
        model=posed_model(cameras, poses),
        cameras=cameras,
        image_folder=scene,
        is_metric=True,
        notes=_notes(pose_of, len(cameras) - len(poses)),
    )


def write_seven_scenes(
    scene: Path, split: Split, posed: PosedImages, *, pose_of: PoseOf = "color"
) -> None:
    """Write the pose files and the split file of posed images; the images are not written.

    Args:
        scene: folder of the scene, made if it is missing.
        split: part of the scene; its split file lists the sequences of the names.
        posed: images named ``seq-03/frame-000000.color.png``, in metres.
        pose_of: camera that the poses belong to; pose files hold those of the depth camera.

    Raises:
        FormatError: another form of name.
    """
    correction = color_from_depth().inverse() if pose_of == "color" else Rigid3.identity()
    numbers = set()
    for image in posed.model.images:
        match = _NAME.fullmatch(image.name)
        if match is None:
            raise FormatError(
                f"7-Scenes names images seq-03/frame-000000.color.png, not {image.name!r}"
            )
        numbers.add(int(match[1]))
    write_split(_split_path(scene, split), (f"seq-{number:02d}" for number in sorted(numbers)))
    for image in posed.model.images:
        path = scene / f"{frame_stem(image.name)}.pose.txt"
        world_from_cam = correction.compose(image.cam_from_world).inverse()
        write_text_atomic(path, matrix_text(world_from_cam))


def read_split(path: Path) -> tuple[str, ...]:
    """Read a split file: lines ``sequence3`` name the folders ``seq-03``.

    Raises:
        FormatError: another line, a sequence listed twice, or none.
    """
    folders: list[str] = []
    for number, line in content_lines(path):
        match = _SPLIT_LINE.fullmatch(line)
        if match is None:
            raise FormatError(f"{path}, line {number}: expected 'sequence3', got {line[:80]!r}")
        folders.append(f"seq-{int(match[1]):02d}")
        if folders[-1] in folders[:-1]:
            raise FormatError(f"{path}, line {number}: {line!r} is listed twice")
    if not folders:
        raise FormatError(f"{path}: expected lines like 'sequence3', it is empty")
    return tuple(folders)


def write_split(path: Path, sequences: Iterable[str]) -> None:
    """Write the folders of sequences (``seq-03``) in the format of ``read_split``."""
    lines = (f"sequence{int(name.removeprefix('seq-'))}\n" for name in sequences)
    write_text_atomic(path, "".join(lines))


def read_frame_pose(path: Path) -> Rigid3:
    """Read the 4 x 4 matrix of a pose file as world_from_cam.

    Raises:
        FormatError: not four lines of four finite numbers, or no rigid transform.
    """
    return pose_from_matrix(matrix_numbers(path), str(path))


def _read_frame_poses(paths: Sequence[Path]) -> list[Rigid3]:
    """Poses of many files, as ``read_frame_pose`` reads each."""
    numbers = np.array([matrix_numbers(path) for path in paths], np.float64)
    return poses_from_matrices(numbers.reshape(-1, 4, 4), lambda row: str(paths[row]))


def matrix_numbers(path: Path) -> list[float]:
    """Sixteen finite numbers of a file with four lines of four.

    Raises:
        FormatError: another layout.
    """
    lines = list(content_lines(path))
    if len(lines) != 4:
        raise FormatError(f"{path}: expected 4 lines of 4 numbers, got {len(lines)} lines")
    values: list[float] = []
    for number, line in lines:
        words = line.split()
        if len(words) != 4:
            raise FormatError(f"{path}, line {number}: expected 4 numbers, got {line[:80]!r}")
        values += finite_numbers(words, f"{path}, line {number}")
    return values


def read_seven_scenes_depth(path: Path) -> DepthMap:
    """Read ``frame-*.depth.png`` in metres, as the depth camera sees it; unknown depths are NaN.

    Raises:
        FormatError: see ``depth_images.read_depth``.
    """
    depth = read_depth(path, IMAGE_SIZE, DepthConfig(values="metric", integer_step=0.001))
    known = np.where(depth.depths < MAX_DEPTH, depth.depths, np.float32(np.nan))
    return replace(depth, depths=known)


def frame_stem(name: str) -> str:
    """``seq-03/frame-000000`` for ``seq-03/frame-000000.color.png``."""
    for suffix in _COLOR_SUFFIXES:
        name = name.removesuffix(suffix)
    return name


def _color_images(folder: Path) -> list[Path]:
    images = sorted(
        path
        for suffix in _COLOR_SUFFIXES
        for path in folder.glob(f"frame-*{suffix}")
        if path.is_file()
    )
    if not images:
        archive = folder.with_name(f"{folder.name}.zip")
        hint = f": unpack {archive.name}" if archive.is_file() else ""
        raise FormatError(f"{folder}: expected files frame-000000.color.png, found none{hint}")
    doubled = _doubled_stems(images)
    if doubled:
        raise FormatError(f"{folder}: {doubled!r} has both a .png and a .jpg image")
    return images


def _doubled_stems(images: Iterable[Path]) -> str | None:
    seen: set[str] = set()
    for image in images:
        stem = frame_stem(image.name)
        if stem in seen:
            return stem
        seen.add(stem)
    return None


def _split_path(scene: Path, split: Split) -> Path:
    files: Mapping[str, str] = {"train": "TrainSplit.txt", "test": "TestSplit.txt"}
    if split not in files:
        raise FormatError(f"split: expected train or test, got {split!r}")
    return scene / files[split]


def _notes(pose_of: PoseOf, num_without: int) -> tuple[str, ...]:
    which = (
        "poses are of the colour camera: the files' depth camera moved by about 26 mm and 0.7 "
        "degrees"
        if pose_of == "color"
        else "poses are those of the files, which belong to the depth camera, about 26 mm and 0.7 "
        "degrees beside the colour images"
    )
    missing = f"{counted(num_without, 'image')} without a pose file have no pose"
    return (which, missing) if num_without else (which,)
