"""A map of the features, matches and poses of another program: nothing is extracted or matched."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from hloc_lite.clock import StageClock
from hloc_lite.config import Config, fingerprint, map_values_for_fingerprint
from hloc_lite.errors import FormatError
from hloc_lite.io.files import file_sha256
from hloc_lite.io.image_sources import FolderSource, check_image_folder
from hloc_lite.io.versions import software_versions
from hloc_lite.mapping.assembly import assessment_report
from hloc_lite.mapping.cameras import Cameras
from hloc_lite.mapping.differences import check_finished
from hloc_lite.mapping.features_check import checked_features
from hloc_lite.mapping.given_descriptors import Described, GivenDescriptors, describe_images
from hloc_lite.mapping.given_features import GivenFeatures
from hloc_lite.mapping.reconstruction import BuiltModels, build_models
from hloc_lite.mapping.report import map_report
from hloc_lite.mapping.scratch import candidate_records
from hloc_lite.mapping.two_pass_matching import VerifiedPairs
from hloc_lite.maps.georeference import Georeference
from hloc_lite.maps.map import Map, in_memory
from hloc_lite.registry import Runtime
from hloc_lite.scene import SfmImage, SfmModel
from hloc_lite.types import Float64

logger = logging.getLogger(__name__)
KEYPOINT_TOLERANCE_PX = 0.1
"""Difference between a keypoint in the model and in the features; half a pixel would be a mistake.
"""
HALF_PRECISION = 2.0**-11
"""Relative rounding of half precision, in which hloc may have added half a pixel."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Given:
    """Features, matches and poses of another program, not yet read."""

    program: str
    """``hloc``, ``colmap`` or ``kapture``: part of the fingerprint, and key of the report."""
    readings: Sequence[GivenFeatures]
    """Features in each way in which they may be meant (see ``checked_features``)."""
    cameras: Cameras
    reference: SfmModel | None
    """Known poses; None for a map from scratch."""
    keeps_points: bool = False
    """True to keep the points of the reference, whose keypoints must be those of the features."""
    matches: Callable[[Mapping[str, Float64]], VerifiedPairs]
    """Verifies the matches of all pairs; needs the keypoints of each image."""
    descriptors: GivenDescriptors | None = None
    """Global descriptors; None if they are computed from the photos."""
    files: Mapping[str, Path]
    """Kind -> file or folder that was used, for the report."""
    contents: Sequence[Path]
    """All files that were used, for the fingerprint."""
    left_out: Mapping[str, str] = field(default_factory=dict)
    """Name -> reason of each image that cannot be in the map."""
    metric: bool = False
    """True if one unit of the reference is a metre."""
    georeference: Georeference | None = None
    """Georeference of the reference, if it has one."""


def photos(folder: Path | str | None, names: Sequence[str], config: Config) -> FolderSource | None:
    """Photos of the images in a folder; None without a folder.

    Raises:
        ImageError: no folder.
    """
    if folder is None:
        return None
    check_image_folder(Path(folder))
    return FolderSource(Path(folder), tuple(names), config.images)


def build_given_map(
    given: Given,
    config: Config,
    source: FolderSource | None,
    runtime: Runtime,
    *,
    output: Path | str | None = None,
    overwrite: bool = False,
    progress: bool = False,
) -> Map:
    """Build the map, and save it.

    Args:
        given: features, matches and poses.
        config: config of the map, with the name of the features.
        source: photos, to compare features and to compute global descriptors; None without.
        runtime: weights and device.
        output: folder of the map; None keeps nothing on disk.
        overwrite: replace another map in ``output``.
        progress: show a progress bar of a map from scratch.

    Raises:
        FormatError: files that do not fit each other or the photos, or neither photos nor global
            descriptors.
        StaleArtefactError: ``output`` holds another map.
        MappingError: nothing could be triangulated or registered, or ``output`` holds other files.
    """
    clock = StageClock()
    features = given.readings[0]
    names = tuple(features)
    with clock("features"):
        keypoints = {name: features.keypoints(name) for name in names}
        if source is not None:
            name = max(names, key=lambda each: len(keypoints[each]))
            features = checked_features(given.readings, name, source, config, runtime)
    with clock("retrieval"):
        described = describe_images(names, given.descriptors, source, config, runtime)
    made_from = _fingerprint(given, described.config)
    target = None if output is None else Path(output)
    if target is not None and not overwrite and check_finished(
        target, made_from, described.config, described.weights
    ):  # fmt: skip
        return Map.open(target, trust=True)
    with clock("reconstruction"):
        built = _build(given, keypoints, described.config, progress=progress)
    counts = {name: len(xy) for name, xy in keypoints.items()}
    report = _report(given, counts, built, source, described.config)
    report["timings_s"] = clock.seconds
    sfm_map = _map(given, features, described, built.models[0], made_from, report)
    if target is None:
        return in_memory(sfm_map)
    sfm_map.save(target)
    return Map.open(target, trust=True)


def _build(
    given: Given, keypoints: Mapping[str, Float64], config: Config, *, progress: bool
) -> BuiltModels:
    """Keep the points of the reference, or triangulate or reconstruct from the matches."""
    if given.reference is not None and given.keeps_points:
        images = tuple(with_keypoints(i, keypoints[i.name]) for i in given.reference.images)
        return BuiltModels(
            (replace(given.reference, images=images),), VerifiedPairs({}, {}, {}), min_verified=1
        )
    verified = given.matches(keypoints)
    return build_models(
        verified, keypoints, given.cameras, config, given.reference, progress=progress
    )


def with_keypoints(image: SfmImage, keypoints: Float64) -> SfmImage:
    """Image of a model with the keypoints of the features, which must be those of the model.

    Raises:
        FormatError: they are others.
    """
    if len(keypoints) != len(image.point3D_idxs) or image.keypoints is None:
        raise FormatError(
            f"{image.name!r} has {len(image.point3D_idxs)} keypoints in the model and "
            f"{len(keypoints)} in the features: the model was made of others"
        )
    allowed = KEYPOINT_TOLERANCE_PX + HALF_PRECISION * np.abs(keypoints)
    differing = np.abs(keypoints - image.keypoints) > allowed
    if differing.any():
        raise FormatError(
            f"{image.name!r} has {int(differing.any(axis=1).sum())} keypoints elsewhere in the "
            f"model than in the features: the model was made of others"
        )
    return replace(image, keypoints=keypoints)


def is_made_of(model: SfmModel, features: GivenFeatures) -> bool:
    """True if a model has points, which all its images observe at keypoints of the features."""
    if not model.num_points:
        return False
    try:
        for image in model.images:
            if image.name not in features:
                raise FormatError(f"{image.name!r} of the reference is left out")
            with_keypoints(image, features.keypoints(image.name))
    except FormatError as error:
        logger.info("points are triangulated from the given matches: %s", error)
        return False
    return True


def _map(
    given: Given,
    features: GivenFeatures,
    described: Described,
    model: SfmModel,
    made_from: str,
    report: dict[str, Any],
) -> Map:
    registered = {image.name for image in model.images}
    names = tuple(features)
    rows = [row for row, name in enumerate(names) if name in registered]
    return Map(
        model=model,
        features=features,
        global_names=tuple(names[row] for row in rows),
        global_descriptors=described.rows[rows],
        retrieval_state=described.state,
        config=described.config,
        fingerprint=made_from,
        weights=described.weights,
        report=report,
        georeference=given.georeference,
    )


def _fingerprint(given: Given, config: Config) -> str:
    """Fingerprint of the settings and of the content of all files."""
    hashes = [file_sha256(path) for path in given.contents]
    poses = [] if given.reference is None else _pose_values(given.reference)
    settings = map_values_for_fingerprint(config)
    return fingerprint(f"{given.program}/2", *settings, hashes, poses, given.metric)


def _pose_values(reference: SfmModel) -> list[object]:
    """Names, poses and intrinsics as plain values, and a hash of the points.

    The names may be others than those in the files, and the reference of another folder.
    """
    values: list[object] = [hashlib.sha256(reference.xyz.tobytes()).hexdigest()]
    for image in reference.images:
        camera = reference.cameras[image.camera_id]
        values.append([image.name, image.cam_from_world.matrix.tolist(), camera.model,
                       camera.width, camera.height, camera.params.tolist()])  # fmt: skip
    return values


def _report(
    given: Given,
    num_keypoints: Mapping[str, int],
    built: BuiltModels,
    source: FolderSource | None,
    config: Config,
) -> dict[str, Any]:
    model, from_scratch = built.models[0], given.reference is None
    report = map_report(
        model,
        [*num_keypoints, *given.left_out],
        given.left_out,
        num_keypoints,
        {pair: len(view.inliers) for pair, view in built.pairs.two_views.items()},
        built.min_verified,
        {**built.left_out, **_in_other_models(built.models)},
        {} if source is None else {name: source.fingerprint(name) for name in num_keypoints},
    )
    if from_scratch:
        report["candidates"] = candidate_records(built.candidates, config.features.name)
        if config.assessment.enabled:
            report |= assessment_report(model, built, source, config)
    return {
        **report,
        "images_folder": None if source is None else str(source.root.resolve()),
        "known_poses": not from_scratch,
        "metric": given.metric,
        "versions": software_versions(),
        "pairs_by_matcher": dict(built.pairs.matchers),
        f"from_{given.program}": {kind: str(path) for kind, path in given.files.items()},
    }


def _in_other_models(models: Iterable[SfmModel]) -> dict[str, str]:
    """Name -> reason of each image that is only in another model than the best, which is lost."""
    best, *others = models
    kept = {image.name for image in best.images}
    return {
        image.name: f"it is in a separate model of {len(other.images)} images, which is not kept"
        for other in others
        for image in other.images
        if image.name not in kept
    }
