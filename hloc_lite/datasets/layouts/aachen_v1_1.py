"""Aachen Day-Night v1.1: COLMAP model (or its NVM file), and the query lists of v1.0.

Two archives hold the images: their folders ``images_upright/`` must be put together, at either of
two places. 25 images below ``query/`` are no queries: the lists are the truth.
"""

from __future__ import annotations

import os
from pathlib import Path

from hloc_lite.datasets.cards import Card
from hloc_lite.datasets.dataset import Dataset
from hloc_lite.datasets.layouts.aachen import make_dataset, write_queries_layout
from hloc_lite.datasets.layouts.map_reading import find_path, read_posed_nvm
from hloc_lite.datasets.layouts.map_writing import Placed, placed_model, write_photos
from hloc_lite.datasets.layouts.photo_writing import map_photos
from hloc_lite.errors import FormatError
from hloc_lite.formats.colmap import read_model, write_model
from hloc_lite.formats.hloc_lists import read_queries
from hloc_lite.scene import SfmModel

IMAGE_FOLDERS = ("images_upright", "images/images_upright")
MODEL = "3D-models/aachen_v_1_1"
NVM = f"{MODEL}/aachen_v_1_1.nvm"
INTRINSICS = (
    f"{MODEL}/database_intrinsics_v1_1.txt",
    "3D-models/database_intrinsics_v1_1.txt",
    "database_intrinsics_v1_1.txt",
)
_SEQUENCES = 4
"""Every fourth map image is written as one of a sequence."""


def read(root: Path, card: Card) -> tuple[Dataset, ...]:
    """Read the data set.

    Raises:
        FormatError: a file is missing or damaged, or names what another one lacks.
    """
    find_path(root, IMAGE_FOLDERS, "images", card)
    model, notes = _read_model(root, card)
    images = _find_images(root, [image.name for image in model.images])
    return (make_dataset(root, card, images, model, notes),)


def write(dataset: Dataset, root: Path) -> dict[str, str]:
    """Write a data set in this layout, with a COLMAP model.

    Raises:
        FormatError: no metric poses of the map images, or no queries by day or night.
    """
    placed = [
        Placed(photo, _map_name(number), photo.camera)
        for number, photo in enumerate(map_photos(dataset))
    ]
    queries = write_queries_layout(dataset, root)
    write_model(root / MODEL, placed_model(dataset, placed))
    return write_photos(dataset, [*placed, *queries], root / IMAGE_FOLDERS[0])


def _read_model(root: Path, card: Card) -> tuple[SfmModel, tuple[str, ...]]:
    folder = root / MODEL
    if any((folder / f"images{suffix}").is_file() for suffix in (".bin", ".txt")):
        return read_model(folder), ()
    if (root / NVM).is_file():
        path = find_path(root, INTRINSICS, "intrinsics of the map images", card)
        return read_posed_nvm(root / NVM, read_queries(path), str(path))
    raise FormatError(
        f"{root} has neither {MODEL}/images.bin nor {NVM}: expected the 3D model of "
        f"{card.title or card.name}. Unpack aachen_v1_1.zip there"
    )


def _find_images(root: Path, names: list[str]) -> Path:
    """The place of the images; the one with more of them if there are two.

    Raises:
        FormatError: each of the two places has some of the images only.
    """
    places = [root / each for each in IMAGE_FOLDERS if (root / each).is_dir()]
    if len(places) < 2:
        return places[0] if places else root / IMAGE_FOLDERS[0]
    present = [sum(os.path.isfile(place / name) for name in names) for place in places]
    best = present.index(max(present))
    if present[best] < len(names) and min(present):
        raise FormatError(
            f"the images are divided: {places[0]} has {present[0]} and {places[1]} has "
            f"{present[1]} of {len(names)} map images. Copy the second folder into the first"
        )
    return places[best]


def _map_name(number: int) -> str:
    if number % _SEQUENCES == _SEQUENCES - 1:
        return f"sequences/nexus4_sequences/sequence_1/aachen_{number:04d}.png"
    return f"db/{number + 1}.jpg"
