"""Files that both versions of RobotCar Seasons share, written from another data set."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hloc_lite.datasets.dataset import Dataset
from hloc_lite.datasets.layouts.map_writing import (
    Placed,
    placed_model,
    queries_for,
    shared_cameras,
    slot_of,
    write_nvm_layout,
)
from hloc_lite.datasets.layouts.photo_writing import as_pinhole, map_photos, query_photos
from hloc_lite.formats.colmap.database_writing import number_images, write_database
from hloc_lite.formats.pose_text import number_text
from hloc_lite.io.files import write_text_atomic
from hloc_lite.types import Camera

SIDES = ("rear", "left", "right")
CONDITIONS = {
    "day": "overcast-summer",
    "all": "overcast-summer",
    "changed": "overcast-winter",
    **{
        each: each
        for each in (
            "dawn", "dusk", "night", "night-rain", "overcast-summer", "overcast-winter", "rain",
            "snow", "sun",
        )
    },
}  # fmt: skip
"""Condition of another data set -> the one that its queries are written as."""
_FIRST_TIME_US = 1_400_000_000_000_000
_STEP_US = 100_000


def renamed_map(dataset: Dataset, *, only_rear: bool = False) -> tuple[list[Placed], list[Camera]]:
    """Map images with their new names, and the cameras of ``SIDES``, as many as there are.

    Args:
        dataset: data set with poses of the map images.
        only_rear: True if queries must be of the rear camera, so that one camera serves for all.
    """
    mapped = map_photos(dataset)
    photos = [*mapped, *(each for listed in query_photos(dataset).values() for each in listed)]
    cameras = shared_cameras(photos, 1 if only_rear else len(SIDES), as_pinhole)
    placed = []
    for number, photo in enumerate(mapped):
        row = slot_of(photo.camera, cameras)
        name = image_name("overcast-reference", row, number)
        placed.append(Placed(photo, name, cameras[row]))
    return placed, cameras


def renamed_queries(dataset: Dataset, cameras: Sequence[Camera], *, start: int) -> list[Placed]:
    """Queries with their new names, numbered from ``start``."""
    placed: list[Placed] = []
    for condition, photos in queries_for(dataset, CONDITIONS).items():
        for photo in photos:
            row = slot_of(photo.camera, cameras)
            name = image_name(condition, row, start + len(placed))
            placed.append(Placed(photo, name, cameras[row]))
    return placed


def image_name(condition: str, row: int, number: int) -> str:
    """``CONDITION/CAMERA/TIMESTAMP.jpg``; timestamps are microseconds."""
    return f"{condition}/{SIDES[row]}/{_FIRST_TIME_US + _STEP_US * number}.jpg"


def write_shared_files(
    dataset: Dataset, root: Path, placed: Sequence[Placed], cameras: Sequence[Camera]
) -> None:
    """Write intrinsics, extrinsics, the NVM model and its database.

    Raises:
        HlocLiteError: a file cannot be written.
    """
    for row, side in enumerate(SIDES):
        camera = cameras[row] if row < len(cameras) else cameras[0]
        pairs = zip(("fx", "fy", "cx", "cy"), camera.params.tolist(), strict=True)
        text = "".join(f"{key} {value!r}\n" for key, value in pairs)
        write_text_atomic(root / f"intrinsics/{side}_intrinsics.txt", text)
        rows = ([float(column == line) for column in range(4)] for line in range(4))
        text = "".join(f"{number_text(values, ',')}\n" for values in rows)
        write_text_atomic(root / f"extrinsics/{side}_extrinsics.txt", text)
    model = placed_model(dataset, placed)
    nvm = root / "3D-models/all-merged/all.nvm"
    write_nvm_layout(nvm, model, lambda name: f"./{png_name(name)}")
    listed = number_images({png_name(each.name): each.camera for each in placed})
    write_database(root / "3D-models/overcast-reference.db", listed, {})


def png_name(name: str) -> str:
    """Name of a photo in the 3D model and the lists, which end in ``.png``."""
    return f"{name.removesuffix('.jpg')}.png"
