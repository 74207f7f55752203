"""A map from the files of an hloc run: nothing is extracted or matched again."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from hloc_lite.config import Config, fingerprint, map_values_for_fingerprint
from hloc_lite.errors import FormatError
from hloc_lite.formats.colmap.mappers import triangulate
from hloc_lite.formats.hloc.features import FeaturesFile
from hloc_lite.formats.hloc.matches import MatchesFile
from hloc_lite.io.files import file_sha256
from hloc_lite.io.image_sources import FolderSource, check_image_folder
from hloc_lite.io.versions import software_versions
from hloc_lite.io.weights import WeightsStore
from hloc_lite.mapping.differences import check_finished
from hloc_lite.mapping.given_matches import by_poses, verified_pairs
from hloc_lite.mapping.hloc_descriptors import Described, describe_images
from hloc_lite.mapping.hloc_features import HlocFeatures, check_features, config_for_features
from hloc_lite.mapping.hloc_files import (
    HlocFiles,
    find_features,
    find_global_descriptors,
    find_matches,
    find_model,
)
from hloc_lite.mapping.pairs import Pair
from hloc_lite.mapping.report import map_report
from hloc_lite.maps.map import Map, in_memory
from hloc_lite.protocols import Weights
from hloc_lite.registry import Runtime
from hloc_lite.scene import SfmImage, SfmModel
from hloc_lite.types import Float64, LocalFeatures, Matches

logger = logging.getLogger(__name__)
KEYPOINT_TOLERANCE_PX = 0.1
"""Difference between a keypoint in the model and in the features; half a pixel would be a mistake.
"""
HALF_PRECISION = 2.0**-11
"""Relative rounding of half precision, in which hloc may have added half a pixel."""


def build_map_from_hloc(
    folder: Path | str,
    config: Config | None = None,
    *,
    files: HlocFiles | None = None,
    images: Path | str | None = None,
    features_name: str | None = None,
    output: Path | str | None = None,
    metric: bool = False,
    weights: Weights | None = None,
    device: str = "cpu",
    overwrite: bool = False,
) -> Map:
    """Build a map from the features, global descriptors and SfM model of an hloc run.

    A model without points is triangulated from the matches. With the photos, features are compared
    with those of this package, and global descriptors that it does not have are replaced.

    Args:
        folder: output folder of hloc; files are found in it by what they hold.
        config: config of the map; None for the defaults. Features are those of the files.
        files: files to take instead of those that are found.
        images: folder of the photos.
        features_name: registry name of the features, where the name of their file does not tell.
        output: folder of the map; None keeps nothing on disk.
        metric: True if one unit of the model is a metre.
        weights: source of network weights; None for the default store.
        device: torch device of the networks.
        overwrite: replace another map in ``output``.

    Raises:
        ConfigError: several files of a kind; they are listed, with the option that chooses one.
        FormatError: a file that is missing, damaged, or does not fit the others.
        StaleArtefactError: ``output`` holds another map.
        MappingError: nothing could be triangulated, or ``output`` holds other files.
    """
    root, given = Path(folder), files or HlocFiles()
    model_path, model = find_model(root, given.model)
    features_path = find_features(root, given.features, model)
    global_path = find_global_descriptors(root, given.global_descriptors, model)
    names = tuple(image.name for image in model.images)
    config = config_for_features(config or Config(), features_path, features_name)
    runtime = Runtime(WeightsStore() if weights is None else weights, device)
    source = None
    if images is not None:
        check_image_folder(Path(images))
        source = FolderSource(Path(images), names, config.images)
    with closing(FeaturesFile(features_path)) as file:
        features = HlocFeatures(file, names)
        model, matches_path = _with_points(root, given, model, features, config)
        if source is not None:
            check_features(features, source, config, runtime)
        described = describe_images(names, global_path, source, config, runtime)
        paths = {"model": model_path, "features": features_path, "matches": matches_path,
                 "global_descriptors": global_path}  # fmt: skip
        made_from = _fingerprint(described.config, paths, metric=metric)
        report = _report(model, features, source, root, paths, metric=metric)
        sfm_map = _map(model, features, described, made_from, report)
        if output is None:
            return in_memory(sfm_map)
        target = Path(output)
        if overwrite or not check_finished(target, made_from, sfm_map.config, sfm_map.weights):
            sfm_map.save(target)
    return Map.open(output, trust=True)


def _map(
    model: SfmModel,
    features: HlocFeatures,
    described: Described,
    made_from: str,
    report: Mapping[str, Any],
) -> Map:
    return Map(
        model=model,
        features=features,
        global_names=tuple(image.name for image in model.images),
        global_descriptors=described.rows,
        retrieval_state=described.state,
        config=described.config,
        fingerprint=made_from,
        weights=described.weights,
        report=report,
    )


def _with_points(
    root: Path, given: HlocFiles, model: SfmModel, features: HlocFeatures, config: Config
) -> tuple[SfmModel, Path | None]:
    """Model whose keypoints are those of the features, triangulated first if it has no points.

    Returns:
        The model, and the file of matches if it was needed.
    """
    names = tuple(features)
    if model.num_points:
        images = tuple(_checked(image, features[image.name]) for image in model.images)
        return replace(model, images=images), None
    path = find_matches(root, given.matches, names)
    keypoints = {name: features[name].keypoints.astype(np.float64) for name in names}
    verify = by_poses(model, keypoints, config.geometry)
    found = verified_pairs(_matches(path, keypoints), verify, "hloc")
    usable = [(pair, view) for pair, view in found.two_views.items() if len(view.inliers)]
    return triangulate(model, keypoints, usable, config.mapping), path


def _matches(path: Path, keypoints: Mapping[str, Float64]) -> Iterator[tuple[Pair, Matches]]:
    with closing(MatchesFile(path, keypoints)) as file:
        for pair in file.pairs():
            matches = file.read(*pair, (len(keypoints[pair[0]]), len(keypoints[pair[1]])))
            if matches is not None and pair[0] != pair[1]:
                yield pair, matches


def _checked(image: SfmImage, features: LocalFeatures) -> SfmImage:
    """Image with the keypoints of the file, which must be those of the model.

    Raises:
        FormatError: they are others.
    """
    if len(features) != len(image.point3D_idxs) or image.keypoints is None:
        raise FormatError(
            f"{image.name!r} has {len(image.point3D_idxs)} keypoints in the model and "
            f"{len(features)} in the features: the model was made of others"
        )
    keypoints = features.keypoints.astype(np.float64)
    allowed = KEYPOINT_TOLERANCE_PX + HALF_PRECISION * np.abs(keypoints)
    differing = np.abs(keypoints - image.keypoints) > allowed
    if differing.any():
        raise FormatError(
            f"{image.name!r} has {int(differing.any(axis=1).sum())} keypoints elsewhere in the "
            f"model than in the features: the model was made of others"
        )
    return replace(image, keypoints=keypoints)


def _fingerprint(config: Config, paths: Mapping[str, Path | None], *, metric: bool) -> str:
    hashes = {
        kind: [file_sha256(each) for each in _files(path)]
        for kind, path in paths.items()
        if path is not None
    }
    return fingerprint("hloc/1", *map_values_for_fingerprint(config), hashes, metric)


def _files(path: Path) -> list[Path]:
    """The file itself, or the files of the model in a folder or below."""
    if path.is_file():
        return [path]
    parts = ("cameras", "images", "points3D")
    return sorted(
        each for each in path.rglob("*.*") if each.stem in parts and each.suffix in (".bin", ".txt")
    )


def _report(
    model: SfmModel,
    features: HlocFeatures,
    source: FolderSource | None,
    root: Path,
    paths: Mapping[str, Path | None],
    *,
    metric: bool,
) -> dict[str, Any]:
    names = [image.name for image in model.images]
    hashes = {} if source is None else {name: source.fingerprint(name) for name in names}
    counts = {image.name: len(image.point3D_idxs) for image in model.images}
    report = map_report(model, names, {}, counts, {}, 1, photo_hashes=hashes)
    used = {kind: str(path) for kind, path in paths.items() if path is not None}
    return {
        **report,
        "timings_s": {},
        "images_folder": None if source is None else str(source.root.resolve()),
        "known_poses": True,
        "metric": metric,
        "versions": software_versions(),
        "pairs_by_matcher": {},
        "from_hloc": {"folder": str(root), **used},
    }
