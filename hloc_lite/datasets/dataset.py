"""A data set: map images, queries with intrinsics, and their true poses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import numpy as np

from hloc_lite.protocols import MapDepth
from hloc_lite.scene import SfmModel
from hloc_lite.types import Camera, Float64, Rigid3


@dataclass(frozen=True, eq=False)
class DatasetQuery:
    """Query image of a data set."""

    name: str
    condition: str
    camera: Camera
    cam_from_world: Rigid3 | None
    """True pose; None if it is not public."""


@dataclass(frozen=True)
class RelativeQuery:
    """Query whose pose is asked for relative to a map image."""

    name: str
    """Name in a submission."""
    query: str
    """Name of the query image."""
    reference: str
    """Name of the map image; the pose asked for is query_from_reference."""


@dataclass(frozen=True, eq=False)
class MapFrame:
    """Part of a map whose poses are told in a frame of its own, such as a floor."""

    name: str
    center: Float64
    """(3,) middle of its map images in the world."""
    frame_from_world: Rigid3


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
    depth: MapDepth | None = None
    """Measured depth of the map images, from which the map gets its landmarks."""
    frames: tuple[MapFrame, ...] = ()
    """Frames in which poses are asked for, far apart from one another in the world of the map;
    empty if that world is the frame."""
    is_metric: bool = False
    """True if the unit of the poses is the metre."""
    submission_names: Mapping[str, str] = field(default_factory=dict)
    """Query (or rig) name -> its name for ``formats.submissions``; others keep their own name."""
    rigs: Mapping[str, Mapping[str, Rigid3]] = field(default_factory=dict)
    """Rig name -> query name -> cam_from_rig, where a pose is asked for rigs of several queries."""
    relative_queries: tuple[RelativeQuery, ...] = ()
    """Poses that a submission asks for relative to map images; empty if all are absolute."""
    notes: tuple[str, ...] = ()
    """Sentences for the user on what was left out or assumed."""

    @property
    def query_names(self) -> tuple[str, ...]:
        """Names of the queries of all conditions, without repetitions."""
        return tuple(dict.fromkeys(name for listed in self.queries.values() for name in listed))

    @property
    def query_cameras(self) -> dict[str, Camera]:
        """Query name -> intrinsics, of all conditions."""
        return {name: camera for each in self.queries.values() for name, camera in each.items()}

    def frame_of(self, cam_from_world: Rigid3) -> MapFrame | None:
        """Frame that a pose of the world is told in; None if it is the world."""
        if not self.frames:
            return None
        center = cam_from_world.center
        return min(self.frames, key=lambda each: float(np.linalg.norm(each.center - center)))

    def asked_pose(self, cam_from_world: Rigid3) -> Rigid3:
        """cam_from_frame of a pose of the world."""
        frame = self.frame_of(cam_from_world)
        if frame is None:
            return cam_from_world
        return cam_from_world.compose(frame.frame_from_world.inverse())

    def iter_queries(self, limit: int | None = None) -> Iterator[DatasetQuery]:
        """Yield the queries of each condition in turn, at most ``limit`` of each."""
        for condition, cameras in self.queries.items():
            poses = self.ground_truth.get(condition, {})
            for name, camera in islice(cameras.items(), limit):
                yield DatasetQuery(name, condition, camera, poses.get(name))
