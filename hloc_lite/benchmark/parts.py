"""Map and answers of one part of a data set: finished work is found again, not repeated."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from hloc_lite.benchmark.options import BenchmarkOptions
from hloc_lite.benchmark.rig_answers import RigAnswer, localize_rigs
from hloc_lite.config import Config
from hloc_lite.datasets.dataset import Dataset
from hloc_lite.errors import FormatError, HlocLiteError, StaleArtefactError
from hloc_lite.io.image_sources import FolderSource
from hloc_lite.io.weights import WeightsStore
from hloc_lite.localize.batch import exclusive, localize_all
from hloc_lite.localize.localizer import Localizer
from hloc_lite.localize.stored_calibration import (
    calibrate_stored_map,
    can_test_itself,
    seconds_for_test,
)
from hloc_lite.mapping.build import build_map
from hloc_lite.mapping.run import MapInputs
from hloc_lite.mapping.surface import surface_from_depth
from hloc_lite.maps.map import Map
from hloc_lite.maps.surface_saving import write_surface
from hloc_lite.types import LocalizationResult, Rigid3

logger = logging.getLogger(__name__)
MAP, QUERIES, RIGS = "map", "queries.progress", "rigs.progress"
"""Names in the folder of a part."""


@dataclass(frozen=True, eq=False)
class PartAnswers:
    """Answers to the queries of one part."""

    dataset: Dataset
    sfm_map: Map
    results: tuple[LocalizationResult, ...]
    """Answers to single queries, those that belong to no rig."""
    rig_poses: Mapping[str, Rigid3]
    """Rig name -> rig_from_world, of the rigs that were localized."""
    rig_fallbacks: frozenset[str] = frozenset()
    """Rigs whose pose is that of the map image most like the photo of their first camera."""
    seconds: float = 0.0

    @property
    def fallbacks(self) -> frozenset[str]:
        """Queries whose pose is that of the most similar map image."""
        single = {r.query_name for r in self.results if r.pose is None}
        return frozenset(single).union(*(self.dataset.rigs[rig] for rig in self.rig_fallbacks))

    @property
    def num_found(self) -> int:
        """Number of poses that were found, without those of similar map images."""
        found = sum(result.pose is not None for result in self.results)
        return found + len(self.rig_poses) - len(self.rig_fallbacks)

    @property
    def single_poses(self) -> dict[str, Rigid3]:
        """Single query -> pose, or that of the most similar map image where none was found."""
        found = ((r, r.pose.cam_from_world if r.pose else r.fallback) for r in self.results)
        return {r.query_name: pose for r, pose in found if pose}

    @property
    def poses(self) -> dict[str, Rigid3]:
        """Query name -> cam_from_world, for the cameras of rigs, too."""
        of_rigs = {
            query: cam_from_rig.compose(self.rig_poses[rig])
            for rig, queries in self.dataset.rigs.items()
            if rig in self.rig_poses
            for query, cam_from_rig in queries.items()
        }
        return self.single_poses | of_rigs

    @property
    def asked_poses(self) -> dict[str, Rigid3]:
        """Query name -> pose in the frame that the data set asks for, such as its floor's."""
        return {name: self.dataset.asked_pose(pose) for name, pose in self.poses.items()}

    @property
    def frame_names(self) -> dict[str, str]:
        """Query name -> frame of its pose; empty if the world of the map is the frame."""
        frames = {name: self.dataset.frame_of(pose) for name, pose in self.poses.items()}
        return {name: frame.name for name, frame in frames.items() if frame is not None}

    @property
    def confidences(self) -> dict[str, float]:
        """Single query -> confidence in its pose; 0 for a fallback."""
        found = {r.query_name: r.confidence if r.pose else 0.0 for r in self.results}
        return {name: value for name, value in found.items() if value is not None}

    @property
    def num_asked(self) -> int:
        """Number of poses asked for."""
        return len(self.dataset.rigs) + len(self.results)


def chosen_part(dataset: Dataset, options: BenchmarkOptions) -> Dataset:
    """Part with the subset of queries and map images that the options ask for.

    Raises:
        FormatError: the part has no map images or no queries, or one map image without depth.
    """
    queries = {
        condition: {name: cameras[name] for name in _spread(tuple(cameras), options.subset)}
        for condition, cameras in dataset.queries.items()
    }
    kept = {name for cameras in queries.values() for name in cameras}
    names = _spread(dataset.map_image_names, options.map_subset)
    mapped = set(names)
    if not names or not kept:
        what = "map images" if not names else "queries"
        raise FormatError(
            f"{dataset.name} below {dataset.image_folder} has no {what}: `hloc-lite dataset check` "
            f"tells what is missing"
        )
    if len(names) == 1 and dataset.depth is None:
        raise FormatError(
            f"{dataset.name} below {dataset.image_folder}: a map of one photo needs its depth; "
            + "; ".join(dataset.notes)
        )
    truth = {
        condition: {name: pose for name, pose in poses.items() if name in kept}
        for condition, poses in dataset.ground_truth.items()
    }
    return replace(
        dataset,
        queries=queries,
        ground_truth={condition: poses for condition, poses in truth.items() if poses},
        map_image_names=names,
        rigs={rig: each for rig, each in dataset.rigs.items() if kept.issuperset(each)},
        relative_queries=tuple(
            each
            for each in dataset.relative_queries
            if each.query in kept and each.reference in mapped
        ),
    )


def _spread(names: tuple[str, ...], count: int | None) -> tuple[str, ...]:
    """At most so many names, evenly spread over the list."""
    if count is None or len(names) <= count:
        return names
    rows = np.unique(np.linspace(0, len(names) - 1, count).round().astype(int))
    return tuple(names[row] for row in rows)


def map_part(dataset: Dataset, folder: Path, config: Config, options: BenchmarkOptions) -> Map:
    """Build the map of a part, or open the finished one; a new map tests itself.

    Raises:
        HlocLiteError: see ``build_map``.
    """
    weights = WeightsStore(offline=options.offline)
    reference = dataset.reference
    if reference is not None:
        reference = reference.with_images(frozenset(dataset.map_image_names))
    try:
        sfm_map = build_map(
            dataset.image_folder,
            config,
            inputs=MapInputs(
                reference=reference,
                names=dataset.map_image_names,
                metric=dataset.is_metric,
                depth=dataset.depth,
            ),
            output=folder / MAP,
            weights=weights,
            device=options.device,
            progress=options.progress,
        )
    except StaleArtefactError as error:
        raise StaleArtefactError(
            f"{folder} holds a run with other settings or images: give another output folder (-o), "
            f"or delete this one ({error})"
        ) from None
    if not can_test_itself(sfm_map):
        return sfm_map
    seconds = seconds_for_test(sfm_map)
    try:
        calibrate_stored_map(folder / MAP, sfm_map, seconds, weights=weights, device=options.device)
    except HlocLiteError as error:
        logger.warning("%s is not tested on its own photos: %s", folder / MAP, error)
    return Map.open(folder / MAP, trust=True)  # its names are those of this config


def surface_part(dataset: Dataset, sfm_map: Map, folder: Path) -> Map:
    """Make the surface of a map from the data set's depth, for the views that check poses.

    Returns:
        The map with its surface: a finished one is kept. The map as it is without depth of its
        images, or if no pose is checked (``view_synthesis.enabled``).

    Raises:
        HlocLiteError: no map image has a depth, or the folder cannot be written.
    """
    is_wanted = sfm_map.config.view_synthesis.enabled != "off"
    # the depth of a single photo hides what is behind, so views from elsewhere are full of holes
    has_depth = dataset.depth is not None and len(dataset.map_image_names) > 1
    if not has_depth or not is_wanted or sfm_map.surface is not None:
        return sfm_map
    assert dataset.depth is not None
    parts = surface_from_depth(sfm_map.model, dataset.depth, sfm_map.photos)
    write_surface(folder / MAP, parts, sfm_map.fingerprint, {"source": "depth"})
    return Map.open(folder / MAP, trust=True)  # its names are those of this config


def answer_part(
    dataset: Dataset, sfm_map: Map, folder: Path, options: BenchmarkOptions
) -> PartAnswers:
    """Localize the queries of a part.

    Args:
        dataset: part of ``chosen_part``.
        sfm_map: map of the part.
        folder: folder of the part; ``queries.progress`` and ``rigs.progress`` in it keep answers
            as they come; those of the same run are read again.

    Returns:
        A result for each single query, with the pose of the most similar map image where none was
        found, and rig_from_world of each rig, in map units.

    Raises:
        HlocLiteError: see ``localize_all``.
    """
    weights = WeightsStore(offline=options.offline)
    localizer = Localizer(sfm_map, weights=weights, device=options.device)
    cameras = dataset.query_cameras
    rigs: Mapping[str, RigAnswer] = {}
    if dataset.rigs:
        with exclusive(folder / RIGS):
            rigs = localize_rigs(
                localizer, dataset, cameras, folder / RIGS, progress=options.progress
            )
    in_rigs = {query for queries in dataset.rigs.values() for query in queries}
    single = {name: camera for name, camera in cameras.items() if name not in in_rigs}
    source = FolderSource(dataset.image_folder, tuple(single), localizer.config.images)
    with exclusive(folder / QUERIES):
        results = localize_all(
            localizer, source, single, folder / QUERIES, fallback=True, progress=options.progress
        )
    rig_poses = {name: rig.pose for name, rig in rigs.items() if rig.pose is not None}
    fallbacks = frozenset(name for name in rig_poses if rigs[name].is_fallback)
    return PartAnswers(dataset, sfm_map, tuple(results), rig_poses, fallbacks)
