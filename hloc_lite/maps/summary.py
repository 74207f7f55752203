"""Summary of a map folder: counts, and the bytes of each file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hloc_lite.consistency.labels import is_class
from hloc_lite.io.files import read_json
from hloc_lite.io.staging import HEADER, STAGED, current_file
from hloc_lite.maps.folder import COMPACT_SCHEMA
from hloc_lite.maps.map import Map
from hloc_lite.types import NO_POINT

JSON_KEYS = {
    "num_landmarks_before": "of_landmarks",
    "min_landmarks_per_image": "least_landmarks",
    "bytes_by_file": "bytes_of",
}
"""Attribute -> key in ``to_json``, where they differ: the keys are those of version 0.1."""


@dataclass(frozen=True, eq=False)
class MapSummary:
    """Counts and sizes of a map folder."""

    is_compact: bool
    schema: str
    fingerprint: str
    num_images: int
    num_landmarks: int
    num_landmarks_before: int
    """Landmarks of the map that a compact one was made from; of a full one ``num_landmarks``."""
    num_observations: int
    num_keypoints: int
    """Keypoints of all images, with or without a landmark."""
    min_landmarks_per_image: int
    """Smallest number of landmarks that an image observes."""
    features: str
    descriptor_dim: int
    coding: str
    """Encoding of the landmark descriptors of a compact map, of the keypoints' of a full one."""
    retrieval: str
    retrieval_dim: int
    retrieval_coding: str
    labelled_share: float | None
    """Share of the landmarks that have a label; None if no segmenter was configured."""
    weights: Mapping[str, str]
    bytes_by_file: Mapping[str, int]
    """File name relative to the folder -> bytes."""
    metres_per_unit: float | None = None
    """Metres per map unit; None if the scale is unknown."""

    @property
    def total_bytes(self) -> int:
        return sum(self.bytes_by_file.values())

    def to_json(self) -> dict[str, Any]:
        """Plain values, as ``hloc-lite info --json`` prints them."""
        values = {JSON_KEYS.get(key, key): value for key, value in asdict(self).items()}
        return {**values, "total_bytes": self.total_bytes}


def summarize_map(folder: Path, sfm_map: Map | None = None) -> MapSummary:
    """Summarize the map in a folder; all files are read and checked.

    Args:
        sfm_map: the map, if it is already open.

    Raises:
        FormatError: no map there, or a damaged one.
    """
    sfm_map = Map.open(folder) if sfm_map is None else sfm_map
    header = read_json(current_file(folder, HEADER))
    is_compact = header["schema"] == COMPACT_SCHEMA
    model, config = sfm_map.model, sfm_map.config
    counts = [int((image.point3D_idxs != NO_POINT).sum()) for image in model.images]
    first = model.images[0].name if model.images else None
    labels, descriptors = sfm_map.landmark_labels, sfm_map.landmark_descriptors
    if descriptors is not None and descriptors.num_landmarks:
        descriptors.rows_of(np.zeros(1, np.int64))  # the first access checks the whole file
    return MapSummary(
        is_compact=is_compact,
        schema=header["schema"],
        fingerprint=sfm_map.fingerprint,
        num_images=len(model.images),
        num_landmarks=model.num_points,
        num_landmarks_before=header["of_points"] if is_compact else model.num_points,
        num_observations=sum(counts),
        num_keypoints=sum(len(image.point3D_idxs) for image in model.images),
        min_landmarks_per_image=min(counts, default=0),
        features=config.features.name,
        descriptor_dim=0 if first is None else sfm_map.features[first].descriptors.shape[1],
        coding=header["descriptors"] if is_compact else "float16",
        retrieval=config.retrieval.name,
        retrieval_dim=sfm_map.global_descriptors.shape[1],
        retrieval_coding=header["retrieval"] if is_compact else "float32",
        labelled_share=None if labels is None else float(np.mean(is_class(labels.labels))),
        weights=sfm_map.weights,
        bytes_by_file=_file_sizes(folder),
        metres_per_unit=sfm_map.metres_per_unit,
    )


def _file_sizes(folder: Path) -> dict[str, int]:
    """Size of each file of a map, without intermediate results and hidden files."""
    files = (path for path in folder.rglob("*") if path.is_file())
    is_staged = current_file(folder, HEADER).parent != folder
    staged = f"{STAGED}/" if is_staged else ""
    paths = {path.relative_to(folder).as_posix().removeprefix(staged): path for path in files}
    sizes = {name: current_file(folder, name).stat().st_size for name in paths}
    return {name: sizes[name] for name in sorted(sizes) if not name.startswith(("work/", "."))}
