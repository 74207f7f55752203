"""Parts of a benchmark as data sets: fields from the card, and checks of files that lists name."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from hloc_lite.datasets.cards import Card
from hloc_lite.datasets.dataset import Dataset
from hloc_lite.errors import FormatError
from hloc_lite.scene import SfmModel
from hloc_lite.types import Camera, Rigid3

_NUM_EXAMPLES = 3


def make_part(
    card: Card,
    name: str,
    image_folder: Path,
    reference: SfmModel,
    queries: Mapping[str, Mapping[str, Camera]],
    ground_truth: Mapping[str, Mapping[str, Rigid3]],
    **more: Any,
) -> Dataset:
    """Metric data set with the map images of a model; source and thresholds are the card's.

    Args:
        card: card of the benchmark.
        name: name of the part.
        image_folder: folder that all names are relative to.
        reference: cameras and poses of the map images.
        queries: condition -> query -> intrinsics; conditions without queries are left out.
        ground_truth: condition -> query -> cam_from_world; empty conditions are left out.
        more: other fields of ``Dataset``.

    Raises:
        FormatError: a map or query image that is no file.
    """
    map_names = tuple(image.name for image in reference.images)
    if not map_names:
        raise FormatError(f"{image_folder}: {card.name} {name}: no map image has a pose")
    check_files(map_names, image_folder, f"map images of {card.name} {name}")
    listed = {condition: dict(cameras) for condition, cameras in queries.items() if cameras}
    for condition, cameras in listed.items():
        check_files(cameras, image_folder, f"queries of {card.name} {name}, {condition},")
    return Dataset(
        name=name,
        image_folder=image_folder,
        map_image_names=map_names,
        reference=reference,
        queries=listed,
        ground_truth={key: dict(poses) for key, poses in ground_truth.items() if poses},
        thresholds=card.thresholds,
        source=card.source,
        licence=card.licence,
        citation=card.citation,
        is_metric=True,
        **more,
    )


def check_files(names: Collection[str], folder: Path, what: str) -> None:
    """Check that images are files of a folder.

    Raises:
        FormatError: some are not; counts them and quotes the first ones.
    """
    # os.path.isfile is False, not an error, for names too long for the file system
    missing = [name for name in names if not os.path.isfile(folder / name)]
    if missing:
        examples = ", ".join(repr(name[:200]) for name in missing[:_NUM_EXAMPLES])
        raise FormatError(
            f"{len(missing)} of {len(names)} {what} are not below {folder}, first: {examples}. "
            f"Unpack all archives of the data set, or fetch it again"
        )


def found_parts(root: Path, names: Collection[str], marker: str, card: Card) -> list[str]:
    """Parts whose folders exist below the root, in the given order.

    Args:
        root: folder of the benchmark.
        names: names of all its parts.
        marker: path below a part's folder that must exist.
        card: card of the benchmark, for the message.

    Raises:
        FormatError: there is none, or a folder lacks the marker.
    """
    found = [name for name in names if (root / name).is_dir()]
    for name in found:
        if not (root / name / marker).exists():
            raise FormatError(
                f"{root / name / marker} does not exist: unpack all of {name}, or move the folder "
                f"{name} away to leave it out"
            )
    if not found:
        raise FormatError(
            f"{root} has no part of {card.name}: expected PART/{marker}, where PART is one of "
            f"{', '.join(names)}. Give the folder that holds the parts, with archives unpacked"
        )
    return found
