"""RobotCar Seasons v2: as v1, with public poses of training images, and queries of the rear camera.

The training images become map images with poses, beside those of the reference condition;
``read_train_poses`` gives their poses to those who prefer them as truth. The test list is the truth
on queries. Names in both lists end in ``.png``; the files are ``.jpg``.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from hloc_lite.datasets.cards import Card
from hloc_lite.datasets.dataset import Dataset
from hloc_lite.datasets.layouts.map_reading import find_path
from hloc_lite.datasets.layouts.map_writing import Placed, write_photos
from hloc_lite.datasets.layouts.robotcar import (
    by_condition,
    camera_of,
    jpg_name,
    read_cameras,
    read_names,
    read_reference,
)
from hloc_lite.datasets.layouts.robotcar_writing import (
    png_name,
    renamed_map,
    renamed_queries,
    write_shared_files,
)
from hloc_lite.datasets.layouts.scene_parts import make_part
from hloc_lite.errors import FormatError, counted
from hloc_lite.formats.pose_text import (
    content_lines,
    finite_numbers,
    image_name,
    number_text,
    pose_from_matrix,
)
from hloc_lite.io.files import write_text_atomic
from hloc_lite.scene import SfmImage, SfmModel
from hloc_lite.types import Camera, Rigid3

TRAIN = "robotcar_v2_train.txt"
TEST = "robotcar_v2_test.txt"
_TRAIN_SHARE = 4
"""Every fourth query of known pose is written as a training image."""


def read(root: Path, card: Card) -> tuple[Dataset, ...]:
    """Read the data set.

    Raises:
        FormatError: a file is missing or damaged, names what another one lacks, or a query is not
            of the rear camera.
    """
    images = find_path(root, ["images"], "images", card)
    model, notes = read_reference(root, card)
    train = read_train_poses(find_path(root, [TRAIN], "poses of training images", card))
    test = find_path(root, [TEST], "names of the queries", card)
    names = read_names(test)
    others = [name for name in names if camera_of(name) != "rear"]
    if others:
        raise FormatError(
            f"{test}: {counted(len(others), 'query')} not of the rear camera, first {others[0]!r}: "
            f"v2 has queries of the rear camera only; is it a list of v1?"
        )
    both = [name for name in names if name in train]
    if both:
        raise FormatError(
            f"{len(both)} of {len(names)} queries of {test} are training images of {TRAIN}, first "
            f"{both[0]!r}: the lists do not belong together, fetch both again"
        )
    cameras = read_cameras(root, [*names, *train], card)
    notes += (
        f"{counted(len(train), 'training image')} of query conditions added to the map images, "
        f"with their public poses",
    )
    model = _with_posed(model, train, cameras)
    queries = by_condition(names, cameras, card)
    return (make_part(card, card.name, images, model, queries, {}, notes=notes),)


def read_train_poses(path: Path) -> dict[str, Rigid3]:
    """Public cam_from_world by image name, of lines ``NAME`` and 12 or 16 numbers.

    The numbers are a row-major camera-to-world matrix.

    Raises:
        FormatError: a bad line (with its number), or a name listed twice.
    """
    poses: dict[str, Rigid3] = {}
    for number, line in content_lines(path):
        where = f"{path}, line {number}"
        words = line.split()
        if len(words) not in (13, 17):
            raise FormatError(
                f"{where}: expected a name and 12 or 16 numbers of a matrix, got {line[:80]!r}"
            )
        name = jpg_name(image_name(words[0], where).removeprefix("images/"))
        if name in poses:
            raise FormatError(f"{where}: {name!r} is listed twice")
        camera_of(name)
        world_from_cam = pose_from_matrix(finite_numbers(words[1:], where), where)
        poses[name] = world_from_cam.inverse()
    return poses


def write(dataset: Dataset, root: Path) -> dict[str, str]:
    """Write a data set in this layout; every fourth query of known pose is a training image.

    All photos are of the rear camera. They are resampled where they have another one.

    Raises:
        FormatError: no metric poses of the map images, or no queries that have a condition here.
    """
    placed, cameras = renamed_map(dataset, only_rear=True)
    queries = renamed_queries(dataset, cameras, start=len(placed))
    write_shared_files(dataset, root, placed, cameras)
    posed = [each for each in queries if each.photo.cam_from_world is not None]
    train = {each.name: each for each in posed[_TRAIN_SHARE - 1 :: _TRAIN_SHARE]}
    write_text_atomic(root / TRAIN, "".join(_train_line(each) for each in train.values()))
    test = [png_name(each.name) for each in queries if each.name not in train]
    write_text_atomic(root / TEST, "\n".join([*test, ""]))
    return write_photos(dataset, [*placed, *queries], root / "images")


def _train_line(placed: Placed) -> str:
    """Name and the first three rows of the camera-to-world matrix."""
    pose = placed.photo.cam_from_world
    assert pose is not None
    matrix = np.linalg.inv(pose.matrix)[:3]
    return f"{png_name(placed.name)} {number_text(matrix.ravel())}\n"


def _with_posed(
    model: SfmModel, poses: Mapping[str, Rigid3], cameras: Mapping[str, Camera]
) -> SfmModel:
    """Model with further images that observe no points."""
    known = {image.name for image in model.images}
    doubled = next((name for name in poses if name in known), None)
    if doubled is not None:
        raise FormatError(f"the training image {doubled!r} is an image of the 3D model, too")
    ids = {side: max(model.cameras, default=0) + row for row, side in enumerate(cameras, start=1)}
    first = max((image.image_id for image in model.images), default=0) + 1
    none = np.zeros((0, 2)), np.zeros(0, np.int64)
    added = (
        SfmImage(first + row, name, ids[camera_of(name)], pose, *none)
        for row, (name, pose) in enumerate(poses.items())
    )
    return SfmModel(
        {**model.cameras, **{ids[side]: camera for side, camera in cameras.items()}},
        (*model.images, *added),
        model.point3D_ids, model.xyz, model.rgb, model.errors_px,
    )  # fmt: skip
