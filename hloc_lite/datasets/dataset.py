"""A data set: map images, queries with intrinsics, and their true poses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from hloc_lite.scene import SfmModel
from hloc_lite.types import Camera, Rigid3


@dataclass(frozen=True, eq=False)
class DatasetQuery:
    """Query image of a data set."""

    name: str
    condition: str
    camera: Camera
    cam_from_world: Rigid3 | None
    """True pose; None if it is not public."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Dataset:
    """Images to map and to localize, with everything known about them.

    Image names are relative to the image folder.
    """

    name: str
    image_folder: Path
    map_image_names: tuple[str, ...]
    reference: SfmModel | None = None
    """Known cameras and poses of the map images; its points may be missing."""
    queries: Mapping[str, Mapping[str, Camera]]
    """Condition -> query name -> intrinsics."""
    ground_truth: Mapping[str, Mapping[str, Rigid3]]
    """Condition -> query name -> true cam_from_world; only conditions with public poses."""
    unit_length: float | None = None
    """Map units that position errors are given in percent of; None if the map is metric."""
    thresholds: tuple[str, ...] = ()
    """Accuracy thresholds of recalls, such as ``0.25m,2deg``; empty without a card."""
    source: str = ""
    licence: str = ""
    citation: str = ""
    label_folder: Path | None = None
    depth_folder: Path | None = None

    @property
    def query_names(self) -> tuple[str, ...]:
        """Names of the queries of all conditions, without repetitions."""
        return tuple(dict.fromkeys(name for listed in self.queries.values() for name in listed))

    def iter_queries(self, limit: int | None = None) -> Iterator[DatasetQuery]:
        """Yield the queries of each condition in turn, at most ``limit`` of each."""
        for condition, cameras in self.queries.items():
            poses = self.ground_truth.get(condition, {})
            for name, camera in islice(cameras.items(), limit):
                yield DatasetQuery(name, condition, camera, poses.get(name))
