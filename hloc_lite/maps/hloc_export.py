"""A map as the files of an hloc run: features, global descriptors, matches, pairs and model."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path

import numpy as np

from hloc_lite.errors import ConfigError
from hloc_lite.formats.colmap import write_model
from hloc_lite.formats.colmap.database_values import DatabaseImages, DatabaseTwoView
from hloc_lite.formats.colmap.database_writing import write_database
from hloc_lite.formats.colmap.model_rigs import rigs_of_model
from hloc_lite.formats.hloc.features import StoredFeatures, write_features
from hloc_lite.formats.hloc.global_descriptors import write_global_descriptors
from hloc_lite.formats.hloc.local_features import to_stored_features
from hloc_lite.formats.hloc.matches_writing import check_distinct, write_matches
from hloc_lite.formats.hloc.retrieval import write_retrieval
from hloc_lite.maps.map_data import MapData
from hloc_lite.maps.retrieval_state import state_path, write_state
from hloc_lite.scene import SfmImage, SfmModel, keypoints_of
from hloc_lite.types import NO_POINT, Int32, Int64, Matches

logger = logging.getLogger(__name__)
Pair = tuple[str, str]
PAIRS = "pairs-tracks"
"""Stem of the list of pairs, which are those that share points."""


@dataclass(frozen=True)
class HlocExport:
    """Files that were written."""

    features: Path
    global_descriptors: Path
    pairs: Path
    matches: Path
    model: Path


def export_hloc(sfm_map: MapData, folder: Path, *, overwrite: bool = False) -> HlocExport:
    """Write a map in hloc's layout.

    A map keeps no matches: those of its tracks are written. What the global descriptor learned from
    the map images is written beside its descriptors, for a map made from these files again.

    Args:
        sfm_map: the map. A compact one has keypoints only where its points project.
        folder: folder to write to.
        overwrite: replace files of an earlier export.

    Raises:
        ConfigError: a file is there already.
        FormatError: names that hloc cannot store or tell apart.
        HlocLiteError: a file cannot be written.
    """
    model = with_keypoints(sfm_map.model)
    features = f"feats-{_file_name(sfm_map.config.features.name)}"
    retrieval = f"global-feats-{_file_name(sfm_map.config.retrieval.name)}"
    files = HlocExport(
        features=folder / f"{features}.h5",
        global_descriptors=folder / f"{retrieval}.h5",
        pairs=folder / f"{PAIRS}.txt",
        matches=folder / f"{features}_matches-tracks_{PAIRS}.h5",
        model=folder / "sfm",
    )
    _check_absent(files, overwrite=overwrite)
    counts = {image.name: len(image.point3D_idxs) for image in model.images}
    check_distinct(counts, files.matches)  # before the large files
    write_features(files.features, _features(sfm_map, model))
    write_global_descriptors(
        files.global_descriptors, sfm_map.global_names, sfm_map.global_descriptors
    )
    write_state(state_path(files.global_descriptors), sfm_map.retrieval_state)
    matches = _track_matches(model)
    by_first: dict[str, list[str]] = {}
    for first, second in matches:
        by_first.setdefault(first, []).append(second)
    write_retrieval(files.pairs, by_first)
    write_matches(files.matches, _scored(matches), counts)
    write_model(files.model, model)
    _write_database(files.model / "database.db", model, matches)
    return files


def _check_absent(files: HlocExport, *, overwrite: bool) -> None:
    there = [path for path in vars(files).values() if path.exists()]
    if there and not overwrite:
        raise ConfigError(f"{there[0]} exists: give --overwrite, or another folder")


def with_keypoints(model: SfmModel) -> SfmModel:
    """Model whose images have keypoints; those of compact maps are projections of their points."""
    images = tuple(
        image
        if image.keypoints is not None
        else replace(image, keypoints=keypoints_of(model, image))
        for image in model.images
    )  # fmt: skip
    if any(image.keypoints is None for image in model.images):
        logger.warning("a compact map: keypoints are where its points project to")
    return replace(model, images=images)


def _features(sfm_map: MapData, model: SfmModel) -> Iterator[tuple[str, StoredFeatures]]:
    for image in model.images:
        yield image.name, to_stored_features(sfm_map.features[image.name])


def _track_matches(model: SfmModel) -> dict[Pair, Int32]:
    """(K, 2) keypoints with the same point of each pair of images that share one, sorted by name.

    Where an image has two keypoints of a point, the first one counts.
    """
    observed = {image.name: _observed(image) for image in model.images}
    observers: dict[int, list[str]] = {}
    for name, (points, _) in observed.items():
        for point in points.tolist():
            observers.setdefault(point, []).append(name)
    pairs = {pair for names in observers.values() for pair in combinations(names, 2)}
    return {pair: _shared(observed[pair[0]], observed[pair[1]]) for pair in sorted(pairs)}


def _observed(image: SfmImage) -> tuple[Int64, Int64]:
    """Points that an image observes, ascending, and the first keypoint of each."""
    rows = np.flatnonzero(image.point3D_idxs != NO_POINT)
    points, at = np.unique(image.point3D_idxs[rows], return_index=True)
    return points, rows[at]


def _shared(first: tuple[Int64, Int64], second: tuple[Int64, Int64]) -> Int32:
    """(K, 2) keypoints of two images with the same point, from ``_observed`` of each."""
    _, at0, at1 = np.intersect1d(first[0], second[0], assume_unique=True, return_indices=True)
    found = np.stack([first[1][at0], second[1][at1]], axis=1)
    return found[np.argsort(found[:, 0])].astype(np.int32)


def _scored(matches: Mapping[Pair, Int32]) -> Iterator[tuple[Pair, Matches]]:
    for pair, indices in matches.items():
        yield pair, Matches(indices, np.ones(len(indices), np.float32))


def _write_database(path: Path, model: SfmModel, matches: Mapping[Pair, Int32]) -> None:
    images = DatabaseImages(
        cameras={image.name: model.cameras[image.camera_id] for image in model.images},
        image_ids={image.name: image.image_id for image in model.images},
        camera_ids={image.name: image.camera_id for image in model.images},
    )
    keypoints = {
        image.name: np.asarray(image.keypoints, np.float32)
        for image in model.images
        if image.keypoints is not None
    }
    write_database(
        path,
        images,
        keypoints,
        matches=matches.items(),
        two_views=(
            (pair, DatabaseTwoView(inliers=indices, kind="CALIBRATED"))
            for pair, indices in matches.items()
        ),
        rigs=rigs_of_model(model),
    )


def _file_name(name: str) -> str:
    """Registry name as part of a file name."""
    return "".join(letter if letter.isalnum() or letter in "-_." else "-" for letter in name)
