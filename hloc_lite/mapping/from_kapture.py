"""A map from the features, matches and poses of a kapture."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from hloc_lite.config import Config
from hloc_lite.errors import ConfigError, FormatError, counted
from hloc_lite.formats.kapture import (
    Features,
    feature_types,
    keypoint_shift_px,
    open_features,
    posed_images,
    read_kapture,
)
from hloc_lite.formats.posed_images import posed_model
from hloc_lite.io.regular_files import is_file
from hloc_lite.io.weights import WeightsStore
from hloc_lite.mapping.given_features import (
    GivenFeatures,
    HellingerFeatures,
    config_for_features,
)
from hloc_lite.mapping.given_map import Given, build_given_map, is_made_of, photos
from hloc_lite.mapping.given_matches import by_poses, by_two_views, verified_pairs
from hloc_lite.mapping.kapture_features import (
    KaptureFeatures,
    chosen_descriptors,
    kapture_descriptors,
    kapture_matches,
    own_name,
)
from hloc_lite.mapping.two_pass_matching import VerifiedPairs
from hloc_lite.maps.map import Map
from hloc_lite.protocols import Weights
from hloc_lite.registry import Runtime
from hloc_lite.scene import SfmModel
from hloc_lite.types import Float64, Rigid3

logger = logging.getLogger(__name__)
KINDS = ("keypoints", "descriptors", "matches", "global_features")


def build_map_from_kapture(
    folder: Path | str,
    config: Config | None = None,
    *,
    images: Path | str | None = None,
    features_name: str | None = None,
    output: Path | str | None = None,
    metric: bool = False,
    weights: Weights | None = None,
    device: str = "cpu",
    overwrite: bool = False,
    progress: bool = False,
) -> Map:
    """Build a map from the keypoints, descriptors and matches of a kapture.

    Its poses are kept, if it has some; else structure from motion runs on its matches. Its points
    are kept if they were made of these keypoints. Global features are computed from the photos, or
    without photos taken as they are.

    Args:
        folder: root of the kapture.
        config: config of the map; None for the defaults. Features are those of the kapture.
        images: folder of the photos; None for that of the kapture, if it is there.
        features_name: registry name of the features, or their type in the kapture; None to tell by
            the type.
        output: folder of the map; None keeps nothing on disk.
        metric: True if one unit of the poses is a metre.
        weights: source of network weights; None for the default store.
        device: torch device of the networks.
        overwrite: replace another map in ``output``.
        progress: show a progress bar of a map from scratch.

    Raises:
        FormatError: something is missing or damaged, or the features are not those of this package.
        ConfigError: descriptors of several types, or a unit without poses.
        StaleArtefactError: ``output`` holds another map.
        MappingError: nothing could be triangulated or registered, or ``output`` holds other files.
    """
    root = Path(folder)
    kapture = read_kapture(root)
    posed = posed_images(kapture)
    chosen, descriptors = chosen_descriptors(root, features_name)
    keypoints_type = _keypoints_type(root, chosen, descriptors)
    keypoints = open_features(root, "keypoints", keypoints_type)
    name = own_name(chosen, descriptors) if features_name in (None, chosen) else features_name
    settings = config_for_features(config, name or chosen or descriptors.header.name, str(root))
    reference = posed.model if posed.model.images else None
    if metric and reference is None:
        raise ConfigError(f"{root} has no poses, so that a map of it has no unit: omit --metric")
    left_out = {}
    for image in posed.cameras:
        if not (keypoints.has(image) and descriptors.has(image)):
            left_out[image] = "it has no features in the kapture"
        elif reference is not None and reference.image_named(image) is None:
            left_out[image] = "its pose is not known"
    names = [image for image in posed.cameras if image not in left_out]
    if not names:
        raise FormatError(f"{root} has no image with intrinsics, features of {chosen!r} and a pose")
    if left_out:
        first = next(iter(left_out.items()))
        logger.warning("%s of the kapture left out, first %r: %s",
                       counted(len(left_out), "image"), *first)  # fmt: skip
    shift_px = _shift_px(reference, keypoints, keypoints_type)
    features = KaptureFeatures(keypoints, descriptors, posed.cameras, names, shift_px)
    readings: list[GivenFeatures] = [features]
    if settings.features.name == "rootsift":
        readings.append(HellingerFeatures(features))
    alike = posed_model(posed.cameras, dict.fromkeys(names, Rigid3(np.eye(3), np.zeros(3))))
    cameras = (alike.cameras, {image.name: image.camera_id for image in alike.images})
    keeps_points = reference is not None and is_made_of(reference, features)
    if reference is not None:
        ids = {image.camera_id for image in reference.with_images(features).images}
        by_id = {key: camera for key, camera in reference.cameras.items() if key in ids}
        reference = replace(reference.with_images(features), cameras=by_id)
        cameras = (by_id, {image.name: image.camera_id for image in reference.images})

    def matches(xy: Mapping[str, Float64]) -> VerifiedPairs:
        verify = (
            by_two_views(cameras, xy, settings.geometry)
            if reference is None
            else by_poses(reference, xy, settings.geometry)
        )
        counts = {image: len(points) for image, points in xy.items()}
        return verified_pairs(kapture_matches(root, keypoints_type, counts), verify, "kapture")

    given = Given(
        program="kapture",
        readings=readings,
        cameras=cameras,
        reference=reference,
        keeps_points=keeps_points,
        matches=matches,
        descriptors=kapture_descriptors(root, names),
        files={"folder": root, "descriptors": descriptors.files.folder},
        contents=_contents(root, keypoints_type, chosen),
        left_out=left_out,
        metric=metric,
    )
    own_photos = kapture.image_folder if kapture.image_folder.is_dir() else None
    return build_given_map(
        given, settings, photos(images or own_photos, names, settings),
        Runtime(WeightsStore() if weights is None else weights, device),
        output=output, overwrite=overwrite, progress=progress,
    )  # fmt: skip


def _keypoints_type(root: Path, descriptors_type: str, descriptors: Features) -> str:
    """Type of the described keypoints: as the header says, else the one of the same name.

    Raises:
        FormatError: the kapture does not have it.
    """
    found = descriptors.header.keypoints_type or descriptors_type
    types = feature_types(root, "keypoints")
    if found not in types:
        raise FormatError(
            f"{root} has descriptors of keypoints {found!r}, but keypoints only of: "
            f"{', '.join(map(repr, types)) or 'no type'}"
        )
    return found


def _shift_px(reference: SfmModel | None, keypoints: Features, keypoints_type: str) -> float:
    """Pixels to add to stored keypoints: those that fit the points, else by the type."""
    for image in () if reference is None else reference.images:
        if image.keypoints is None or not len(image.keypoints) or not keypoints.has(image.name):
            continue
        stored = keypoints.read(image.name)[:, :2]
        if len(stored) == len(image.keypoints):
            # with points the model's keypoints are shifted already, by what its points say
            return float(np.round(np.median(image.keypoints - stored), 1))
    return keypoint_shift_px(keypoints_type)


def _contents(root: Path, keypoints_type: str, descriptors_type: str) -> list[Path]:
    """Files that a map is made of: tables, points, features and matches."""
    tables = [*(root / "sensors").glob("*.txt"), *(root / "reconstruction").glob("*.txt")]
    types = {"keypoints": keypoints_type, "descriptors": descriptors_type,
             "matches": keypoints_type, "global_features": ""}  # fmt: skip
    found = [
        path
        for kind in KINDS
        for path in (root / "reconstruction" / kind / types[kind]).rglob("*")
        if is_file(path)
    ]
    return sorted({*tables, *found})
