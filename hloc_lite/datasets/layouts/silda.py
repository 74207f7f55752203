"""SILDa: ``silda-images/NNNN_C.png``, ``silda-train-poses.txt``, ``{train,query}_imgs.txt``.

Poses are camera to world. The two cameras C are fisheyes that look to the left and to the right.
``camera-intrinsics/NNNN_C.intrinsics`` has parameters of a fisheye model that few programs know;
its first two numbers are the principal point relative to the image size. Focal lengths and
distortion are the OPENCV_FISHEYE fit that kapture's importer gives. A file
``camera-intrinsics/C.txt`` with ``MODEL W H params...``, made by the user, replaces all of it.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from hloc_lite.datasets.cards import Card
from hloc_lite.datasets.dataset import Dataset
from hloc_lite.datasets.layouts.photo_writing import (
    PosedPhoto,
    map_photos,
    query_photos,
    write_photo,
)
from hloc_lite.datasets.layouts.scene_parts import make_part
from hloc_lite.errors import FormatError, ShapeError, counted
from hloc_lite.formats.hloc_lists import parse_camera, read_image_list
from hloc_lite.formats.pose_text import (
    content_lines,
    finite_numbers,
    image_name,
    pose_from_quat,
    pose_numbers,
)
from hloc_lite.formats.posed_images import posed_model
from hloc_lite.geometry.plausible_intrinsics import check_given_camera
from hloc_lite.io.files import read_text, write_text_atomic
from hloc_lite.types import Camera, Rigid3

IMAGE_FOLDER = "silda-images"
SIZE_PX = 1024
FOCALS_PX = (393.299, 394.815)
DISTORTION = (-0.223483, 0.117325, -0.0326138, 0.00361082)
CONDITION = "all"
_NAME = re.compile(r"(\d+)_(\d)\.png")


def read(root: Path, card: Card) -> tuple[Dataset, ...]:
    """Read the data set; the two lists say which images belong to it.

    Raises:
        FormatError: a missing or damaged file, or an image in both lists.
    """
    train, query = (_read_list(root / f"{part}_imgs.txt") for part in ("train", "query"))
    both = [name for name in query if name in set(train)]
    if both:
        raise FormatError(
            f"{root}: {counted(len(both), 'image')} of query_imgs.txt also in train_imgs.txt, "
            f"first {both[0]!r}: fetch the lists again"
        )
    poses = _read_poses(root / "silda-train-poses.txt")
    by_camera = _cameras(root, [*train, *query])
    posed = {name: poses[name] for name in train if name in poses}
    notes = [
        "intrinsics: OPENCV_FISHEYE with the focal lengths and distortion of kapture's importer, "
        "the authors' fisheye model is another; camera-intrinsics/0.txt and 1.txt with "
        "'MODEL W H params' replace it",
        "images NNNN_0 and NNNN_1 were taken together by a rig, whose cameras look to opposite "
        "sides; a submission has a pose for each image",
    ]
    if len(posed) < len(train):
        notes.append(f"{counted(len(train) - len(posed), 'map image')} without a pose: left out")
    part = make_part(
        card,
        card.name,
        root / IMAGE_FOLDER,
        posed_model({name: by_camera[_camera_id(name)] for name in posed}, posed),
        {CONDITION: {name: by_camera[_camera_id(name)] for name in query}},
        {},
        notes=tuple(notes),
    )
    return (part,)


def write(dataset: Dataset, root: Path) -> dict[str, str]:
    """Write a data set; photos are resampled to the fisheye, with black where they end.

    Photos are numbered in order, and their cameras are 0 and 1 in turn. Conditions are joined, and
    poses of queries are not written: the benchmark hides them.

    Raises:
        FormatError: no metric poses.
    """
    camera = _fisheye((0.5, 0.5), "stand-in")
    mapped = map_photos(dataset)
    queries = [photo for photos in query_photos(dataset).values() for photo in photos]
    names: dict[str, str] = {}
    for number, photo in enumerate([*mapped, *queries]):
        names[photo.name] = f"{number // 2:04d}_{number % 2}.png"
        write_photo(dataset, photo, camera, root / IMAGE_FOLDER / names[photo.name])
        intrinsics = root / "camera-intrinsics" / f"{number // 2:04d}_{number % 2}.intrinsics"
        write_text_atomic(intrinsics, "0.5\n0.5\n")
    poses = "".join(f"{names[photo.name]} {_world_text(photo)}\n" for photo in mapped)
    write_text_atomic(root / "silda-train-poses.txt", poses)
    for part, photos in (("train", mapped), ("query", queries)):
        listed = "".join(f"{names[photo.name]}\n" for photo in photos)
        write_text_atomic(root / f"{part}_imgs.txt", listed)
    return names


def _read_list(path: Path) -> list[str]:
    """Names relative to the image folder, whose name some lists may prepend."""
    names = [name.removeprefix(f"{IMAGE_FOLDER}/") for name in read_image_list(path)]
    for name in names:
        if _NAME.fullmatch(name) is None:
            raise FormatError(f"{path}: expected names like 1445_0.png, got {name[:80]!r}")
    if not names:
        raise FormatError(f"{path} is empty: fetch it again")
    return names


def _read_poses(path: Path) -> dict[str, Rigid3]:
    """Read lines ``NAME qw qx qy qz tx ty tz``, world_from_cam.

    Returns:
        Image name -> cam_from_world.
    """
    poses: dict[str, Rigid3] = {}
    for number, line in content_lines(path):
        where, words = f"{path}, line {number}", line.split()
        if len(words) != 8:
            raise FormatError(f"{where}: expected 'NAME qw qx qy qz tx ty tz', got {line[:80]!r}")
        name, values = image_name(words[0], where), finite_numbers(words[1:], where)
        if name in poses:
            raise FormatError(f"{where}: {name!r} is listed twice")
        poses[name] = pose_from_quat(values[:4], values[4:], where).inverse()
    return poses


def _cameras(root: Path, names: list[str]) -> dict[str, Camera]:
    """Intrinsics by camera id."""
    folder = root / "camera-intrinsics"
    found = {}
    for camera_id in sorted({_camera_id(name) for name in names}):
        own = folder / f"{camera_id}.txt"
        if own.is_file():
            found[camera_id] = parse_camera(read_text(own), str(own))
            continue
        paths = sorted(folder.glob(f"*_{camera_id}.intrinsics"))
        if not paths:
            raise FormatError(
                f"{folder} has no NNNN_{camera_id}.intrinsics of any image: unpack the intrinsics "
                f"there, or write camera-intrinsics/{camera_id}.txt with 'MODEL W H params'"
            )
        # those of all images of a camera are equal
        found[camera_id] = _fisheye(_principal_point(paths[0]), str(paths[0]))
    return found


def _principal_point(path: Path) -> tuple[float, float]:
    """Principal point of a file, relative to the image size."""
    words = [word for _, line in content_lines(path) for word in line.split()][:2]
    values = finite_numbers(words, str(path))
    if len(values) != 2 or not all(0.25 < value < 0.75 for value in values):
        raise FormatError(
            f"{path}: expected the principal point relative to the image size in the first two "
            f"numbers, got {' '.join(words)[:80]!r}"
        )
    return values[0], values[1]


def _fisheye(center: tuple[float, float], where: str) -> Camera:
    params = np.array([*FOCALS_PX, SIZE_PX * center[0], SIZE_PX * center[1], *DISTORTION])
    try:
        return check_given_camera(Camera("OPENCV_FISHEYE", SIZE_PX, SIZE_PX, params))
    except (FormatError, ShapeError) as error:
        raise FormatError(f"{where}: {error}") from None


def _camera_id(name: str) -> str:
    return name.removesuffix(".png").rpartition("_")[2]


def _world_text(photo: PosedPhoto) -> str:
    """``qw qx qy qz tx ty tz`` of world_from_cam."""
    assert photo.cam_from_world is not None
    return pose_numbers(photo.cam_from_world.inverse())
