"""12-Scenes: ``APT/ROOM/{info.txt, split.txt, data/}``; a data set per room.

The first sequence is the test. Frames whose pose file holds INF are left out. The focal length is
the mean of both in ``info.txt``, as in published work. The truth is the original poses, or the
pseudo truth if its files lie below the root (``pseudo_truths``). Depth images are not offered as
depths of photos: nothing says how well both cameras are registered.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hloc_lite.datasets.cards import Card
from hloc_lite.datasets.dataset import Dataset
from hloc_lite.datasets.layouts.photo_writing import (
    common_pinhole,
    map_photos,
    query_photos,
    write_depth,
    write_photo,
)
from hloc_lite.datasets.layouts.pseudo_truths import read_pseudo_truths
from hloc_lite.datasets.layouts.scene_parts import make_part
from hloc_lite.errors import FormatError
from hloc_lite.formats.pose_text import number_text
from hloc_lite.formats.posed_images import PosedImages, posed_model
from hloc_lite.formats.twelve_scenes import read_info, read_twelve_scenes
from hloc_lite.io.files import write_text_atomic
from hloc_lite.types import Camera

APARTMENTS = ("apt1", "apt2", "office1", "office2")
CONDITION = "all"
_INF_POSE = "INF INF INF INF\n" * 4


def read(root: Path, card: Card) -> tuple[Dataset, ...]:
    """Read the rooms that are there, named ``apt1_kitchen``.

    Raises:
        FormatError: no room, or a missing or damaged file.
    """
    rooms = [path.parent for name in APARTMENTS for path in sorted((root / name).glob("*/data"))]
    if not rooms:
        raise FormatError(
            f"{root} has no room of 12-Scenes: expected APT/ROOM/data, where APT is one of "
            f"{', '.join(APARTMENTS)}. Unpack the archives there"
        )
    return tuple(_read_room(root, room, card) for room in rooms)


def write(dataset: Dataset, root: Path) -> dict[str, str]:
    """Write a data set as the room apt1/kitchen; all conditions become its test sequence.

    Photos are resampled if they have several cameras or distortion. Queries without a pose get a
    pose file of INF.

    Raises:
        FormatError: no metric poses.
    """
    room = root / "apt1" / "kitchen"
    mapped = map_photos(dataset)
    queries = [photo for photos in query_photos(dataset).values() for photo in photos]
    camera = common_pinhole([*mapped, *queries], square=True)
    names: dict[str, str] = {}
    for frame, photo in enumerate([*queries, *mapped]):
        stem = f"data/frame-{frame:06d}"
        names[photo.name] = f"{stem}.color.jpg"
        write_photo(dataset, photo, camera, room / names[photo.name])
        write_depth(dataset, photo, camera, room / f"{stem}.depth.png")
        pose = photo.cam_from_world
        text = _INF_POSE
        if pose is not None:
            rows = np.column_stack([pose.rotation.T, -pose.rotation.T @ pose.translation])
            text = "".join(f"{number_text(row)}\n" for row in [*rows, np.eye(4)[3]])
        write_text_atomic(room / f"{stem}.pose.txt", text)
    _write_info(room / "info.txt", camera, len(names))
    num_test, num_all = len(queries), len(names)
    write_text_atomic(
        room / "split.txt",
        f"sequence0 [frames={num_test}] [start=0 ; end={num_test - 1}]\n"
        f"sequence1 [frames={len(mapped)}] [start={num_test} ; end={num_all - 1}]\n",
    )
    return names


def _read_room(root: Path, room: Path, card: Card) -> Dataset:
    name = f"{room.parent.name}_{room.name}"
    info = read_info(room / "info.txt")
    pseudo = read_pseudo_truths(root, "12scenes", name, (info.width, info.height))
    if pseudo is None:
        mean = _mean_focal(info)
        train, test = (
            _with_camera(read_twelve_scenes(room, split), mean) for split in ("train", "test")
        )
        note = (
            "poses are the original ones, from depth tracking, and the focal length is the mean of "
            "both in info.txt; put the files of the pseudo ground truth at pgt/sfm/12scenes/ or "
            "pgt/dslam/12scenes/ to use those instead"
        )
    else:
        train, test, note = pseudo
    truth = {image.name: image.cam_from_world for image in test.model.images}
    queries = {key: camera for key, camera in test.cameras.items() if key in truth}
    notes = [f"map: {each}" for each in train.notes] + [f"queries: {each}" for each in test.notes]
    return make_part(
        card, name, room, train.model, {CONDITION: queries}, {CONDITION: truth},
        notes=(note, *notes),
    )  # fmt: skip


def _mean_focal(camera: Camera) -> Camera:
    fx, fy, cx, cy = camera.params
    params = np.array([(fx + fy) / 2, cx, cy])
    return Camera("SIMPLE_PINHOLE", camera.width, camera.height, params)


def _with_camera(posed: PosedImages, camera: Camera) -> PosedImages:
    poses = {image.name: image.cam_from_world for image in posed.model.images}
    cameras = dict.fromkeys(posed.cameras, camera)
    return PosedImages(
        model=posed_model(cameras, poses), cameras=cameras, image_folder=posed.image_folder,
        is_metric=True, notes=posed.notes,
    )  # fmt: skip


def _write_info(path: Path, camera: Camera, num_frames: int) -> None:
    """Lines in the order of the data set: scripts of others find them by their numbers."""
    fx, fy, cx, cy = camera.params
    intrinsics = number_text([fx, 0, cx, 0, 0, fy, cy, 0, 0, 0, 1, 0, 0, 0, 0, 1])
    identity = number_text([*map(float, np.eye(4).ravel())])
    write_text_atomic(
        path,
        f"m_versionNumber = 4\nm_sensorName = StructureSensor\nm_colorWidth = {camera.width}\n"
        f"m_colorHeight = {camera.height}\nm_depthWidth = {camera.width}\n"
        f"m_depthHeight = {camera.height}\nm_depthShift = 1000\n"
        f"m_calibrationColorIntrinsic = {intrinsics}\nm_calibrationColorExtrinsic = {identity}\n"
        f"m_calibrationDepthIntrinsic = {intrinsics}\nm_calibrationDepthExtrinsic = {identity}\n"
        f"m_frames.size = {num_frames}\n",
    )
