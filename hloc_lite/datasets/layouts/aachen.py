"""Aachen Day-Night v1.0: NVM model, intrinsics of its images beside it, and two query lists.

The query lists are the truth: further images below ``query/`` are no queries, and images in
``db/`` that the model lacks are normal. The intrinsics in the NVM model are not used.
"""

from __future__ import annotations

from pathlib import Path

from hloc_lite.datasets.cards import Card
from hloc_lite.datasets.dataset import Dataset
from hloc_lite.datasets.layouts.map_reading import (
    find_path,
    numbered_as,
    read_posed_nvm,
    surplus_notes,
)
from hloc_lite.datasets.layouts.map_writing import (
    Placed,
    placed_model,
    queries_for,
    write_nvm_layout,
    write_photos,
)
from hloc_lite.datasets.layouts.photo_writing import map_photos
from hloc_lite.datasets.layouts.scene_parts import make_part
from hloc_lite.errors import FormatError
from hloc_lite.formats.colmap.database import read_database_images
from hloc_lite.formats.colmap.database_writing import number_images, write_database
from hloc_lite.formats.hloc_lists import read_queries
from hloc_lite.formats.pose_text import number_text
from hloc_lite.io.files import write_text_atomic
from hloc_lite.scene import SfmModel
from hloc_lite.types import Camera

IMAGE_FOLDERS = ("images/images_upright", "images_upright")
MODEL = "3D-models/aachen_cvpr2018_db.nvm"
INTRINSICS = "3D-models/database_intrinsics.txt"
DATABASE = "aachen.db"
CONDITIONS = {"day": "day", "night": "night", "all": "day"}
"""Condition of another data set -> the one that its queries are written as."""
QUERY_FOLDERS = {"day": "query/day/milestone", "night": "query/night/nexus5x"}


def read(root: Path, card: Card) -> tuple[Dataset, ...]:
    """Read the data set; the ids of ``aachen.db`` are used if it is there.

    Raises:
        FormatError: a file is missing or damaged, or names what another one lacks.
    """
    images = find_path(root, IMAGE_FOLDERS, "images", card)
    intrinsics = find_path(root, [INTRINSICS], "intrinsics of the map images", card)
    model_path = find_path(root, [MODEL], "3D model", card)
    model, notes = read_posed_nvm(model_path, read_queries(intrinsics), str(intrinsics))
    if (root / DATABASE).is_file():
        model = numbered_as(model, read_database_images(root / DATABASE).image_ids)
    return (make_dataset(root, card, images, model, notes),)


def make_dataset(
    root: Path, card: Card, images: Path, model: SfmModel, notes: tuple[str, ...]
) -> Dataset:
    """Data set of a model and the query lists, with notes on images that are neither.

    Raises:
        FormatError: a query list is missing or damaged, a basename is listed twice, or an image
            does not exist.
    """
    queries = {
        condition: read_queries(find_path(root, [query_list(condition)], "queries", card))
        for condition in card.conditions
    }
    listed = {name for cameras in queries.values() for name in cameras}
    _check_basenames(listed)
    posed = {image.name for image in model.images}
    notes = (
        *notes,
        *surplus_notes(images, "db", posed, "the 3D model does not have them, which is normal"),
        *surplus_notes(images, "query", listed, "the query lists do not name them"),
    )
    return make_part(card, card.name, images, model, queries, {}, notes=notes)


def write(dataset: Dataset, root: Path) -> dict[str, str]:
    """Write a data set in this layout, with ``aachen.db``; true poses of queries are not public.

    Raises:
        FormatError: no metric poses of the map images, or no queries by day or night.
    """
    images = root / IMAGE_FOLDERS[0]
    placed = [
        Placed(photo, f"db/{number}.jpg", photo.camera)
        for number, photo in enumerate(map_photos(dataset), start=1)
    ]
    queries = write_queries_layout(dataset, root)
    write_nvm_layout(root / MODEL, placed_model(dataset, placed))
    lines = [_intrinsics_line(each.name, each.camera) for each in placed]
    write_text_atomic(root / INTRINSICS, "".join(lines))
    cameras = {each.name: each.camera for each in (*placed, *queries)}
    write_database(root / DATABASE, number_images(cameras), {})
    return write_photos(dataset, [*placed, *queries], images)


def write_queries_layout(dataset: Dataset, root: Path) -> list[Placed]:
    """Write the query lists; returns the queries with their new names."""
    placed: list[Placed] = []
    by_condition = queries_for(dataset, CONDITIONS)
    for condition, folder in QUERY_FOLDERS.items():
        found = [
            Placed(photo, f"{folder}/IMG_{number:04d}.jpg", photo.camera)
            for number, photo in enumerate(by_condition.get(condition, []), start=len(placed))
        ]
        lines = [_intrinsics_line(each.name, each.camera) for each in found]
        write_text_atomic(root / query_list(condition), "".join(lines))
        placed += found
    return placed


def query_list(condition: str) -> str:
    """Path of the query list of a condition below the root."""
    return f"queries/{condition}_time_queries_with_intrinsics.txt"


def _intrinsics_line(name: str, camera: Camera) -> str:
    numbers = number_text(camera.params)
    return f"{name} {camera.model} {camera.width} {camera.height} {numbers}\n"


def _check_basenames(names: set[str]) -> None:
    """A submission has file names without folders, so they must differ."""
    owners: dict[str, str] = {}
    for name in sorted(names):
        other = owners.setdefault(name.rpartition("/")[2], name)
        if other != name:
            raise FormatError(
                f"the queries {other!r} and {name!r} have the same file name, which a submission "
                f"could not tell apart: remove the one that is no query from its list"
            )
