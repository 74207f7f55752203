"""From verified matches to a model: cameras, mapper or triangulation."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence

import numpy as np

from hloc_lite.config import MappingConfig
from hloc_lite.errors import FormatError, MappingError, counted
from hloc_lite.formats.colmap.mappers import reconstruct, triangulate
from hloc_lite.geometry.cameras import rescaled
from hloc_lite.io.pycolmap_adapter import TwoView
from hloc_lite.io.sharded_store import ShardedStore
from hloc_lite.mapping.cameras import Cameras, assign_cameras
from hloc_lite.mapping.matched import MatchedPairs
from hloc_lite.mapping.pairs import Pair
from hloc_lite.mapping.reference import reference_cameras, subset
from hloc_lite.mapping.run import Run
from hloc_lite.mapping.stages import keypoints_of
from hloc_lite.types import NO_POINT, Camera, Int32, SfmModel

logger = logging.getLogger(__name__)


def cameras_of(run: Run, names: Sequence[str], features: ShardedStore) -> Cameras:
    """The reference's cameras, given intrinsics, or guesses from EXIF, for each image."""
    sizes = {name: _size(features, name) for name in names}
    if run.inputs.reference is not None:
        return reference_cameras(run.inputs.reference, sizes)
    exifs = {name: json.loads(bytes(features.read(name, ["exif"])["exif"])) for name in names}
    given: dict[str, Camera] = {}
    _check_given(run, names)
    for name, camera in (run.inputs.cameras or {}).items():
        if name in sizes:
            try:
                given[name] = rescaled(camera, *sizes[name])
            except FormatError as error:
                raise FormatError(f"image {name!r}: {error}") from None
    return assign_cameras(sizes, exifs, given, run.config.mapping)


def _check_given(run: Run, names: Sequence[str]) -> None:
    """Intrinsics that were given have to be for these images, at least for some."""
    given = run.inputs.cameras or {}
    without = [name for name in names if name not in given]
    if given and len(without) == len(names):
        raise FormatError(
            f"the given intrinsics are for none of the {len(names)} images: they name "
            f"{next(iter(given))!r}, the images are {names[0]!r}..."
        )
    if given and without:
        logger.warning(
            "no intrinsics were given for %d of %d images (first: %r): EXIF or a guess is used",
            len(without), len(names), without[0],
        )  # fmt: skip


def build_model(
    run: Run,
    matched: MatchedPairs,
    features: ShardedStore,
    cameras: Cameras,
) -> tuple[SfmModel, int]:
    """The model, and how many separate smaller ones were dropped.

    Raises:
        MappingError: no usable pair, nothing registered, or nothing triangulated.
    """
    by_id, id_of = cameras
    keypoints = keypoints_of(features, list(id_of))
    at_least = min_verified(run)
    views = ((pair, matched.two_view(pair)) for pair in matched)
    usable = [(pair, view) for pair, view in views if len(view.inliers) >= at_least]
    if not usable:
        raise MappingError(
            f"{counted(len(matched), 'pair')} of images tried, none with {at_least} or more "
            f"matches that agree with a geometry: the images do not overlap enough, or the given "
            f"poses are wrong"
        )
    config = run.config.mapping
    if run.inputs.reference is not None:
        _check_pose_agreement(run, usable, matched)
        posed = subset(run.inputs.reference, list(id_of), by_id)
        model = triangulate(posed, keypoints, usable, config)
        _check_triangulated(model, usable, config)
        return model, 0
    models = reconstruct(by_id, id_of, keypoints, usable, config)
    if not models or models[0].num_points == 0:
        other = "global" if config.mapper == "incremental" else "incremental"
        raise MappingError(
            f"no image could be registered ({config.mapper} mapper, "
            f"{counted(len(usable), 'verified pair')}): take more photos with more "
            f"overlap and from more places, or try --mapper {other}"
        )
    if len(models) > 1:
        sizes = ", ".join(str(len(model.images)) for model in models)
        logger.warning("%d separate models (%s images); the largest is kept", len(models), sizes)
    return models[0], len(models) - 1


def _check_pose_agreement(
    run: Run, usable: Sequence[tuple[Pair, TwoView]], matched: MatchedPairs
) -> None:
    best: dict[str, float] = {}
    for pair, view in usable:
        tried = matched.num_matches(pair)
        if tried >= run.config.geometry.min_inliers:
            share = len(view.inliers) / tried
            best |= {name: max(best.get(name, 0.0), share) for name in pair}
    typical = float(np.median([*best.values()])) if best else 1.0
    needed = run.config.geometry.min_pose_agreement
    if typical < needed:
        raise MappingError(
            f"the given poses do not fit the images: of the matches of an image's best pair only "
            f"{100 * typical:.0f} % agree with them, {100 * needed:.0f} "
            f"are needed (geometry.min_pose_agreement). Check that the reference model belongs to "
            f"these images, and that its poses are cam_from_world"
        )


def _check_triangulated(
    model: SfmModel, usable: Sequence[tuple[Pair, TwoView]], config: MappingConfig
) -> None:
    matched: dict[str, list[Int32]] = {}
    for pair, view in usable:
        for name, rows in zip(pair, view.inliers.T, strict=True):
            matched.setdefault(name, []).append(rows)
    num_matched = sum(len(np.unique(np.concatenate(rows))) for rows in matched.values())
    seen = sum(int((image.point3D_idxs != NO_POINT).sum()) for image in model.images)
    found = f"of {num_matched} keypoints with verified matches only {seen} could be triangulated"
    remedy = "Check the focal lengths and poses of the reference model"
    if seen < config.min_triangulated_share * num_matched:
        raise MappingError(
            f"the given poses or intrinsics do not fit the images: {found}, "
            f"{100 * config.min_triangulated_share:g} % are needed "
            f"(mapping.min_triangulated_share). {remedy}"
        )
    if seen < config.low_triangulated_share * num_matched:
        logger.warning("the given poses or intrinsics may be wrong: %s. %s", found, remedy)


def min_verified(run: Run) -> int:
    """Verified matches that make a pair usable: with known poses every single one is evidence."""
    return 1 if run.inputs.reference is not None else run.config.geometry.min_inliers


def _size(features: ShardedStore, name: str) -> tuple[int, int]:
    width, height = features.read(name, ["image_size"])["image_size"]
    return int(width), int(height)
