"""RobotCar Seasons: one NVM model of all locations, three cameras, queries of nine conditions.

Names in the model begin with ``./`` and end in ``.png``, as in its database; the files are
``.jpg``. Query lists per location are the truth; without them all photos of the nine folders are
queries. The extrinsics (camera to car) are not needed: each photo is localized alone.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path

import numpy as np

from hloc_lite.datasets.cards import Card
from hloc_lite.datasets.dataset import Dataset
from hloc_lite.datasets.layouts.map_reading import (
    find_path,
    image_files,
    numbered_as,
    read_posed_nvm,
)
from hloc_lite.datasets.layouts.map_writing import Placed, write_photos
from hloc_lite.datasets.layouts.robotcar_writing import (
    renamed_map,
    renamed_queries,
    write_shared_files,
)
from hloc_lite.datasets.layouts.scene_parts import make_part
from hloc_lite.errors import FormatError, counted
from hloc_lite.formats.colmap.database import read_database_images
from hloc_lite.formats.hloc_lists import read_image_list
from hloc_lite.formats.image_lookup import is_file, upright_size, without_suffix
from hloc_lite.formats.pose_text import content_lines, finite_numbers
from hloc_lite.geometry.plausible_intrinsics import check_given_camera
from hloc_lite.io.files import write_text_atomic
from hloc_lite.scene import SfmModel
from hloc_lite.types import Camera

CAMERAS = ("rear", "left", "right")
REFERENCE = "overcast-reference"
MODEL = "3D-models/all-merged/all.nvm"
DATABASE = "3D-models/overcast-reference.db"
QUERY_LISTS = "3D-models/individual/queries_per_location"
SIZE = (1024, 1024)
"""(width, height) of the photos as they are distributed."""


def read(root: Path, card: Card) -> tuple[Dataset, ...]:
    """Read the data set.

    Raises:
        FormatError: a file is missing or damaged, or names what another one lacks.
    """
    images = find_path(root, ["images"], "images", card)
    model, notes = read_reference(root, card)
    lists = sorted((root / QUERY_LISTS).glob("*.txt"))
    found = list(_folder_queries(images, card.conditions))
    if lists:
        names = list(dict.fromkeys(name for path in lists for name in read_names(path)))
        unnamed = set(found).difference(names)
        if unnamed:
            notes += (
                f"{counted(len(unnamed), 'image')} of query folders left out, such as "
                f"{min(unnamed)!r}: the query lists do not name them",
            )
    else:
        names = sorted(found)
        notes += (f"there are no lists in {QUERY_LISTS}: all photos of the conditions are queries",)
    cameras = read_cameras(root, names, card)
    queries = by_condition(names, cameras, card)
    return (make_part(card, card.name, images, model, queries, {}, notes=notes),)


def write(dataset: Dataset, root: Path) -> dict[str, str]:
    """Write a data set in this layout; its cameras become left, rear and right.

    Photos of further cameras, and of those with distortion, are resampled. The extrinsics are the
    identity, since a photo's place on the car is not known.

    Raises:
        FormatError: no metric poses of the map images, or no queries that have a condition here.
    """
    placed, cameras = renamed_map(dataset)
    queries = renamed_queries(dataset, cameras, start=len(placed))
    write_shared_files(dataset, root, placed, cameras)
    names = [each.name for each in queries]
    write_text_atomic(root / QUERY_LISTS / "queries_location_1.txt", "\n".join([*names, ""]))
    both: list[Placed] = [*placed, *queries]
    return write_photos(dataset, both, root / "images")


def read_reference(root: Path, card: Card) -> tuple[SfmModel, tuple[str, ...]]:
    """The model of the reference condition, with the cameras and image ids of its database.

    Raises:
        FormatError: a file is missing or damaged, or the database lacks an image.
    """
    path = find_path(root, [MODEL], "3D model", card)
    database = find_path(root, [DATABASE], "cameras of the 3D model", card)
    listed = read_database_images(database)
    cameras = {jpg_name(name): camera for name, camera in listed.cameras.items()}
    ids = {jpg_name(name): number for name, number in listed.image_ids.items()}
    model, notes = read_posed_nvm(path, cameras, str(database), suffixes={".png": ".jpg"})
    return numbered_as(model, ids), notes


def read_names(path: Path) -> list[str]:
    """Image names of a list as the files are called.

    Raises:
        FormatError: unreadable, or a name that leads out of the image folder.
    """
    return [jpg_name(name.removeprefix("images/")) for name in read_image_list(path)]


def jpg_name(name: str) -> str:
    """Name with the suffix of the files."""
    return f"{without_suffix(name)}.jpg" if name.lower().endswith(".png") else name


def read_cameras(root: Path, names: Collection[str], card: Card) -> dict[str, Camera]:
    """Intrinsics of left, rear and right, as far as images need them.

    The files have no image size: it is that of the first photo of each camera.

    Raises:
        FormatError: a file is missing or damaged, or an image is of none of the three cameras.
    """
    first: dict[str, str] = {}
    for name in names:
        first.setdefault(camera_of(name), name)
    cameras = {}
    for side, name in first.items():
        path = root / f"intrinsics/{side}_intrinsics.txt"
        find_path(root, [f"intrinsics/{side}_intrinsics.txt"], "intrinsics", card)
        photo = root / "images" / name
        size = upright_size(photo) if is_file(photo) else SIZE
        cameras[side] = _parse_intrinsics(path, size)
    return cameras


def camera_of(name: str) -> str:
    """Camera of an image, the folder that it lies in.

    Raises:
        FormatError: another folder than left, rear or right.
    """
    parts = name.split("/")
    if len(parts) < 3 or parts[-2] not in CAMERAS:
        raise FormatError(
            f"{name[:200]!r}: expected CONDITION/CAMERA/TIMESTAMP.jpg with one of the cameras "
            f"{', '.join(CAMERAS)}"
        )
    return parts[-2]


def by_condition(
    names: Iterable[str], cameras: dict[str, Camera], card: Card
) -> dict[str, dict[str, Camera]]:
    """Intrinsics of the images by condition, their first folder, in the order of the card.

    Raises:
        FormatError: an image of a condition that the card does not have.
    """
    found: dict[str, dict[str, Camera]] = {condition: {} for condition in card.conditions}
    for name in names:
        condition = name.partition("/")[0]
        if condition not in found:
            raise FormatError(
                f"the query {name[:200]!r} is of no condition of {card.title or card.name}: "
                f"expected one of {', '.join(card.conditions)} as first folder"
            )
        found[condition][name] = cameras[camera_of(name)]
    return found


def _folder_queries(images: Path, conditions: Iterable[str]) -> Iterable[str]:
    for condition in conditions:
        for camera in CAMERAS:
            yield from image_files(images, f"{condition}/{camera}")


def _parse_intrinsics(path: Path, size: tuple[int, int]) -> Camera:
    """Camera of lines ``fx V``, ``fy V``, ``cx V``, ``cy V``."""
    values: dict[str, float] = {}
    for number, line in content_lines(path):
        words = line.lower().replace(":", " ").replace("=", " ").split()
        where = f"{path}, line {number}"
        if len(words) != 2 or words[0] not in ("fx", "fy", "cx", "cy"):
            raise FormatError(f"{where}: expected 'fx', 'fy', 'cx' or 'cy' and its value, got "
                              f"{line[:80]!r}")  # fmt: skip
        values[words[0]] = finite_numbers(words[1:], where)[0]
    if len(values) != 4:
        raise FormatError(f"{path}: expected four lines, of fx, fy, cx and cy")
    fx, fy, cx, cy = (values[key] for key in ("fx", "fy", "cx", "cy"))
    try:
        if fx == fy:
            return check_given_camera(Camera("SIMPLE_RADIAL", *size, np.array([fx, cx, cy, 0.0])))
        return check_given_camera(Camera("PINHOLE", *size, np.array([fx, fy, cx, cy])))
    except FormatError as error:
        raise FormatError(f"{path}: {error}") from None
