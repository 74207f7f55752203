"""A map from the features and matches of a COLMAP database."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from hloc_lite.config import Config
from hloc_lite.errors import FormatError, counted
from hloc_lite.formats.colmap.database import ColmapDatabase
from hloc_lite.io.image_names import list_images
from hloc_lite.io.image_sources import check_image_folder
from hloc_lite.io.weights import WeightsStore
from hloc_lite.mapping.cameras import Cameras, reference_cameras
from hloc_lite.mapping.colmap_features import (
    ColmapFeatures,
    features_of_database,
    verified_by_colmap,
)
from hloc_lite.mapping.given_features import GivenFeatures, HellingerFeatures, config_for_features
from hloc_lite.mapping.given_map import Given, build_given_map, is_made_of, photos
from hloc_lite.mapping.given_matches import by_poses, by_two_views
from hloc_lite.mapping.run import MapInputs
from hloc_lite.mapping.two_pass_matching import VerifiedPairs
from hloc_lite.maps.map import Map
from hloc_lite.protocols import Weights
from hloc_lite.registry import Runtime
from hloc_lite.scene import SfmModel
from hloc_lite.types import Float64

logger = logging.getLogger(__name__)


def build_map_from_colmap(
    database: Path | str,
    images: Path | str,
    config: Config | None = None,
    *,
    inputs: MapInputs | None = None,
    features_name: str | None = None,
    output: Path | str | None = None,
    weights: Weights | None = None,
    device: str = "cpu",
    overwrite: bool = False,
    progress: bool = False,
) -> Map:
    """Build a map from the keypoints, descriptors and verified matches of a COLMAP database.

    With a reference model its poses are kept. So are its points if they were made of the keypoints
    of the database; else points are triangulated from the matches. Without one, structure from
    motion runs on the matches. Global descriptors are computed from the photos, and the features
    compared with those that this package extracts for queries.

    Args:
        database: COLMAP's ``database.db``.
        images: folder of the photos, which the names in the database are relative to.
        config: config of the map; None for the defaults. Features are those of the database.
        inputs: reference, its unit and its georeference; None for a map from scratch.
        features_name: registry name of the features; None for those that COLMAP names.
        output: folder of the map; None keeps nothing on disk.
        weights: source of network weights; None for the default store.
        device: torch device of the networks.
        overwrite: replace another map in ``output``.
        progress: show a progress bar of a map from scratch.

    Raises:
        FormatError: a damaged database, one without descriptors or matches, or features that are
            not those of this package.
        ConfigError: features of a type that this package cannot extract.
        ImageError: ``images`` is no folder.
        StaleArtefactError: ``output`` holds another map.
        MappingError: nothing could be triangulated or registered, or ``output`` holds other files.
    """
    path, inputs = Path(database), inputs or MapInputs()
    check_image_folder(Path(images))
    with ColmapDatabase(path) as file:
        settings = config_for_features(
            config, features_name or features_of_database(file), path.name
        )
        names, left_out = _usable_names(file, Path(images), inputs.reference)
        features = ColmapFeatures(file, names)
        readings: list[GivenFeatures] = [features]
        if settings.features.name == "rootsift":  # COLMAP can also store plain SIFT
            readings.append(HellingerFeatures(features))
        cameras = _cameras(file, names, inputs.reference)
        given_model = inputs.reference
        reference = None
        if given_model is not None:
            reference = replace(given_model.with_images(features), cameras=cameras[0])

        def matches(keypoints: Mapping[str, Float64]) -> VerifiedPairs:
            verify = (
                by_two_views(cameras, keypoints, settings.geometry)
                if reference is None
                else by_poses(reference, keypoints, settings.geometry)
            )
            found = verified_by_colmap(file, names, verify, posed=reference is not None)
            if not found.two_views:
                raise FormatError(
                    f"{path} has no matches between the images of the map: run a matcher of COLMAP "
                    f"(colmap exhaustive_matcher), or omit --from-colmap to match them here"
                )
            return found

        given = Given(
            program="colmap",
            readings=readings,
            cameras=cameras,
            reference=reference,
            keeps_points=given_model is not None and is_made_of(given_model, features),
            matches=matches,
            files={"database": path},
            contents=[path],
            left_out=left_out,
            metric=inputs.metric,
            georeference=inputs.georeference,
        )
        return build_given_map(
            given, settings, photos(images, names, settings),
            Runtime(WeightsStore() if weights is None else weights, device),
            output=output, overwrite=overwrite, progress=progress,
        )  # fmt: skip


def _usable_names(
    database: ColmapDatabase, folder: Path, reference: SfmModel | None
) -> tuple[list[str], dict[str, str]]:
    """Images with features and a photo, and a pose if there is a reference; reasons of the others.

    Raises:
        FormatError: none is left.
    """
    described, present = database.feature_types(), set(list_images(folder))
    reasons: dict[str, str] = {}
    for name in database.images.image_ids:
        if name not in described:
            reasons[name] = "it has no features in the database"
        elif name not in present:
            reasons[name] = "its photo is not in the folder of the photos"
        elif reference is not None and reference.image_named(name) is None:
            reasons[name] = "the reference model lacks it"
    names = [name for name in database.images.image_ids if name not in reasons]
    if not names:
        first = next(iter(reasons.items()), ("", "it has no images"))
        raise FormatError(
            f"no image of {database.path} can be used, for example {first[0]!r}: {first[1]}. Names "
            f"in the database are relative to the folder of the photos, {folder}"
        )
    if reasons:
        first = next(iter(reasons.items()))
        logger.warning("%s of the database left out, first %r: %s",
                       counted(len(reasons), "image"), *first)  # fmt: skip
    return names, reasons


def _cameras(database: ColmapDatabase, names: Sequence[str], reference: SfmModel | None) -> Cameras:
    """Intrinsics of the images: those of the reference for the sizes of the database, or its own.

    Raises:
        FormatError: the reference is for images of another shape.
    """
    images = database.images
    if reference is not None:
        sizes = {n: (images.cameras[n].width, images.cameras[n].height) for n in names}
        return reference_cameras(reference, sizes)
    id_of = {name: images.camera_ids[name] for name in names}
    return {id_of[name]: images.cameras[name] for name in names}, id_of
