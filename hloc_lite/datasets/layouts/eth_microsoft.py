"""ETH-Microsoft, preview of ICCV 2021: kapture folders ``mapping`` and ``query``.

Poses are asked for the rig that carries the cameras of an image, where there is one, under the name
``TIMESTAMP/DEVICE``.
"""

from __future__ import annotations

from pathlib import Path

from hloc_lite.datasets.cards import Card
from hloc_lite.datasets.dataset import Dataset
from hloc_lite.datasets.layouts.device_queries import DeviceQueries, outermost
from hloc_lite.datasets.layouts.kapture_trees import (
    KaptureImages,
    find_kapture,
    write_kapture_folder,
)
from hloc_lite.datasets.layouts.photo_writing import map_photos, query_photos
from hloc_lite.datasets.layouts.scene_parts import make_part
from hloc_lite.errors import FormatError
from hloc_lite.formats.kapture.trajectories import known_poses

TREE = "ETH-Microsoft_ICCV2021_preview"
CONDITION = "all"


def read(root: Path, card: Card) -> tuple[Dataset, ...]:
    """Read the data set; poses of queries are hidden.

    Raises:
        FormatError: map or queries are missing, or a damaged kapture.
    """
    folders = {}
    for part in ("mapping", "query"):
        patterns = [f"{TREE}/{part}", part, f"*/{part}", f"*/*/{part}", f"{TREE}_{part}"]
        folder = find_kapture(root, patterns)
        if folder is None:
            raise FormatError(
                f"{root} has no {TREE}/{part}/sensors/sensors.txt: unpack the archive of {part} "
                f"there"
            )
        folders[part] = folder
    mapped, images = (KaptureImages(root, folders[part]) for part in ("mapping", "query"))
    queries = _queries(images)
    whole = make_part(
        card, card.name, root, mapped.model, {CONDITION: queries.cameras},
        {CONDITION: images.poses}, rigs=queries.rigs, submission_names=queries.submission_names,
        notes=tuple([*mapped.notes("map"), *(f"queries: {note}" for note in images.posed.notes)]),
    )  # fmt: skip
    return (whole,)


def write(dataset: Dataset, root: Path) -> dict[str, str]:
    """Write a data set; queries of all conditions are photos of a rig, one at a time.

    Raises:
        FormatError: no metric poses.
    """
    queries = [photo for photos in query_photos(dataset).values() for photo in photos]
    names: dict[str, str] = {}
    for part, photos in (("mapping", map_photos(dataset)), ("query", queries)):
        folder = f"{TREE}/{part}"
        written = write_kapture_folder(
            dataset, root / folder, photos,
            with_poses=part == "mapping", on_rig=part == "query", first_timestamp=1_000,
        )  # fmt: skip
        prefix = f"{folder}/sensors/records_data"
        names |= {photo: f"{prefix}/{name}" for photo, name in written.items()}
    return names


def _queries(images: KaptureImages) -> DeviceQueries:
    rigs = {rig: known_poses(members) for rig, members in images.kapture.rigs.items()}
    found = DeviceQueries()
    groups = outermost(images.kapture.records.get("camera", ()), rigs)
    for (timestamp, device), members in groups.items():
        poses = {images.full_name(name): pose for name, pose in members.items()}
        poses = {name: pose for name, pose in poses.items() if name in images.cameras}
        if poses:
            key = f"{timestamp}/{device}"
            found.add(
                key,
                poses,
                {name: images.cameras[name] for name in poses},
                is_rig=device in rigs,
                submission_name=key,
            )
    return found
