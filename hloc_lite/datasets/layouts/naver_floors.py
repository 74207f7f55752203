"""Floors of NAVER LABS' buildings, kapture folders for map, validation and test of each.

A folder is ``BUILDING/FLOOR/release/PART``, or ``BUILDING_FLOOR_release_PART`` where each archive
was unpacked into a folder of its own. Conditions are ``FLOOR`` for the hidden test queries and
``FLOOR_validation`` for those with public poses. Names in a submission are those of
``records_camera.txt``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hloc_lite.datasets.cards import Card
from hloc_lite.datasets.dataset import Dataset
from hloc_lite.datasets.layouts.kapture_trees import (
    KaptureImages,
    find_kapture,
    write_kapture_folder,
)
from hloc_lite.datasets.layouts.photo_writing import dealt_queries, map_photos
from hloc_lite.datasets.layouts.scene_parts import make_part
from hloc_lite.errors import FormatError
from hloc_lite.types import Camera, Rigid3


@dataclass(frozen=True)
class Building:
    """Layout of the floors of a building, a data set each."""

    name: str
    """Name in folders and archives."""
    floors: tuple[str, ...]

    def read(self, root: Path, card: Card) -> tuple[Dataset, ...]:
        """Read the floors that are there.

        Raises:
            FormatError: no map, or a damaged kapture.
        """
        maps = {floor: _find(root, self.name, floor, "mapping") for floor in self.floors}
        found = {floor: folder for floor, folder in maps.items() if folder is not None}
        if not found:
            raise FormatError(
                f"{root} has no map of {self.name}: expected {self.name}/FLOOR/release/mapping/"
                f"sensors/sensors.txt, where FLOOR is one of {', '.join(self.floors)}. Unpack the "
                f"archives there"
            )
        return tuple(
            _read_floor(root, card, self.name, floor, folder) for floor, folder in found.items()
        )

    def write(self, dataset: Dataset, root: Path) -> dict[str, str]:
        """Write a data set as the first floor.

        Raises:
            FormatError: no metric poses.
        """
        return _write_floor(dataset, root, self.name, self.floors[0])


GANGNAM_STATION = Building("GangnamStation", ("B1", "B2"))
HYUNDAI_DEPARTMENT_STORE = Building("HyundaiDepartmentStore", ("1F", "4F", "B1"))


def _write_floor(dataset: Dataset, root: Path, building: str, floor: str) -> dict[str, str]:
    """Write a data set as a floor: the first condition as validation, others as hidden tests."""
    release = f"{building}/{floor}/release"
    dealt = dealt_queries(dataset, ("validation", "test"), with_truth=["validation"])
    names: dict[str, str] = {}
    # times differ between the parts, as in one recording, so that names do, too
    for number, (part, photos) in enumerate({"mapping": map_photos(dataset), **dealt}.items()):
        if not photos:
            continue
        written = write_kapture_folder(
            dataset, root / release / part, photos,
            with_poses=part != "test", on_rig=part == "mapping", first_timestamp=100_000 * number,
        )  # fmt: skip
        prefix = f"{release}/{part}/sensors/records_data"
        names |= {photo: f"{prefix}/{name}" for photo, name in written.items()}
    return names


def _find(root: Path, building: str, floor: str, part: str) -> Path | None:
    archive = f"{building}_{floor}_release_{part}"
    return find_kapture(root, [f"{building}/{floor}/release/{part}", archive])


def _read_floor(root: Path, card: Card, building: str, floor: str, map_folder: Path) -> Dataset:
    mapped = KaptureImages(root, map_folder)
    notes = mapped.notes("map")
    queries: dict[str, dict[str, Camera]] = {}
    truth: dict[str, dict[str, Rigid3]] = {}
    submission_names = {}
    for part, condition in (("validation", f"{floor}_validation"), ("test", floor)):
        folder = _find(root, building, floor, part)
        if folder is None:
            notes.append(f"there is no {part} of {floor}: condition {condition} is left out")
            continue
        images = KaptureImages(root, folder)
        notes += images.notes(part)
        # images without a public pose are no queries where others have one
        kept = images.poses or images.cameras
        queries[condition] = {name: images.cameras[name] for name in images.cameras if name in kept}
        truth[condition] = images.poses
        for name in images.posed.cameras:
            if images.full_name(name) in kept:
                submission_names[images.full_name(name)] = name
    return make_part(
        card, floor, root, mapped.model, queries, truth,
        submission_names=submission_names, notes=tuple(notes),
    )  # fmt: skip
