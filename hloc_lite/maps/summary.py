"""What is in the folder of a map, and how many bytes each part takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hloc_lite.consistency.labels import is_class
from hloc_lite.io.files import read_json
from hloc_lite.maps.folder import COMPACT_SCHEMA
from hloc_lite.maps.map import Map
from hloc_lite.types import NO_POINT


@dataclass(frozen=True, eq=False)
class MapSummary:
    """For people: counts and bytes."""

    is_compact: bool
    schema: str
    fingerprint: str
    num_images: int
    num_landmarks: int
    of_landmarks: int
    """That the map had before it was cut; ``num_landmarks`` of a full one."""
    num_observations: int
    num_keypoints: int
    """Of all images, with or without a landmark."""
    least_landmarks: int
    """Of any image."""
    features: str
    descriptor_dim: int
    coding: str
    """Of the landmarks' or keypoints' descriptors."""
    retrieval: str
    retrieval_dim: int
    retrieval_coding: str
    labelled_share: float | None
    """Of the landmarks; None: no segmenter was configured."""
    weights: Mapping[str, str]
    bytes_of: Mapping[str, int]
    """Of each file, by its name relative to the folder."""

    @property
    def total_bytes(self) -> int:
        return sum(self.bytes_of.values())


def summarize_map(folder: Path, place: Map | None = None) -> MapSummary:
    """What the map in a folder holds; all of it is read and checked.

    Args:
        place: the map, if it is open already.

    Raises:
        FormatError: no map there, or a broken one.
    """
    place = Map.open(folder) if place is None else place
    header = read_json(folder / "map.json")
    compact = header["schema"] == COMPACT_SCHEMA
    seen = [int((image.point3D_idxs != NO_POINT).sum()) for image in place.model.images]
    first = place.model.images[0].name if place.model.images else None
    labels, described = place.landmark_labels, place.landmark_descriptors
    if described is not None and described.num_landmarks:
        described.of(np.zeros(1, np.int64))  # all of them are checked for it
    return MapSummary(
        is_compact=compact,
        schema=header["schema"],
        fingerprint=place.fingerprint,
        num_images=len(place.model.images),
        num_landmarks=place.model.num_points,
        of_landmarks=header["of_points"] if compact else place.model.num_points,
        num_observations=sum(seen),
        num_keypoints=sum(len(image.point3D_idxs) for image in place.model.images),
        least_landmarks=min(seen, default=0),
        features=place.config.features.name,
        descriptor_dim=place.features[first].descriptors.shape[1] if first is not None else 0,
        coding=header["descriptors"] if compact else "float16",
        retrieval=place.config.retrieval.name,
        retrieval_dim=place.global_descriptors.shape[1],
        retrieval_coding=header["retrieval"] if compact else "float32",
        labelled_share=None if labels is None else float(np.mean(is_class(labels.labels))),
        weights=place.weights,
        bytes_of=_sizes(folder),
    )


def _sizes(folder: Path) -> dict[str, int]:
    """Of a map's files; what is being written, and a lock, are not of it."""
    files = (path for path in folder.rglob("*") if path.is_file())
    names = {path.relative_to(folder).as_posix(): path.stat().st_size for path in files}
    outside = ("work/", ".")
    return {name: names[name] for name in sorted(names) if not name.startswith(outside)}
