"""SfM model with landmarks from measured depth, besides those that were triangulated."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from hloc_lite.config import LiftingConfig
from hloc_lite.errors import MappingError
from hloc_lite.geometry.cameras import cam_from_img
from hloc_lite.mapping.depth_check import DepthCheck, check_depths, check_notes
from hloc_lite.mapping.depth_lifting import KeypointDepths, keypoint_sigma_px
from hloc_lite.mapping.landmark_fusion import PlacedKeypoints, fuse_landmarks, match_rows
from hloc_lite.mapping.landmark_refinement import (
    DepthObservations,
    PosedCameras,
    RefinedLandmarks,
    refine_landmarks,
)
from hloc_lite.mapping.measured_depth import MeasuredImage, best_move, measure_image
from hloc_lite.mapping.pairs import Pair
from hloc_lite.protocols import MapDepth
from hloc_lite.scene import SfmModel
from hloc_lite.types import NO_POINT, Bool, Float32, Float64, Int32, Int64

logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class LiftedModel:
    """Model whose landmarks come from depth and from tracks, and how uncertain they are."""

    model: SfmModel
    sigmas: Float32
    """(M,) standard deviation of each landmark along its least certain direction, map units."""
    report: Mapping[str, Any]
    """Plain values: counts, and the outcome of the check."""


def lift_model(
    model: SfmModel,
    matches: Sequence[tuple[Pair, Int32]],
    depth: MapDepth,
    config: LiftingConfig,
    max_error_px: float,
) -> LiftedModel:
    """Add the lifted keypoints of all images to a model of triangulated points.

    Args:
        model: known poses, keypoints of all images, and the points triangulated from them.
        matches: verified pairs with (K, 2) matched rows of keypoints.
        depth: measured depth of the images.
        max_error_px: largest reprojection error of an observation.

    Raises:
        MappingError: no image has depth, or the depth does not fit the poses and photos.
        FormatError: depth that cannot be read.
    """
    images = PosedCameras(
        [model.cameras[image.camera_id] for image in model.images],
        [image.cam_from_world for image in model.images],
    )
    tracks = _track_observations(model, config)
    found = refine_landmarks(model.xyz, tracks, images, num_steps=0)
    measured = _measure(model, tracks, found, images, depth, config)
    check = check_depths(
        {name: each.compared for name, each in measured.items()},
        best_move([*measured.values()]), config,
    )  # fmt: skip
    for note in check_notes(check, len(measured)):
        logger.warning("%s", note)
    depths = [_usable(measured.get(image.name), check, config) for image in model.images]
    placed, first_rows = _keypoints_with_points(tracks, found, depths, images, model, config)
    index = {image.name: row for row, image in enumerate(model.images)}
    pairs = [(index[a], index[b], np.asarray(rows, np.int64)) for (a, b), rows in matches]
    limits = np.full(len(model.images), max_error_px)
    fused = fuse_landmarks(placed, match_rows(first_rows, pairs), images, config, limits)
    observations, landmarks = fused.observations, fused.landmarks
    kept = _kept_landmarks(observations, landmarks, len(model.images), config)
    observations, landmarks = _with_landmarks(kept, observations, landmarks, images)
    built = _model_of(model, observations, landmarks)
    report = _report(model, measured, depths, observations, landmarks) | {"check": check.to_json()}
    return LiftedModel(built, landmarks.sigmas.astype(np.float32), report)


def _track_observations(model: SfmModel, config: LiftingConfig) -> DepthObservations:
    """Observations of triangulated points, without depth."""
    parts: list[tuple[Int64, Int64, Int64, Float64, Float64]] = []
    for row, image in enumerate(model.images):
        keypoints = np.flatnonzero(image.point3D_idxs != NO_POINT)
        assert image.keypoints is not None  # only compact maps keep none
        sigma = keypoint_sigma_px(model.cameras[image.camera_id], config)
        parts.append(
            (
                image.point3D_idxs[keypoints], np.full(len(keypoints), row), keypoints,
                image.keypoints[keypoints], np.full(len(keypoints), sigma),
            )
        )  # fmt: skip
    landmarks, of_image, keypoints, points2D, sigmas = (
        np.concatenate(each) for each in zip(*parts, strict=True)
    )
    unknown = np.full(len(landmarks), np.nan)
    return DepthObservations(landmarks, of_image, keypoints, points2D, sigmas, unknown, unknown)


def _measure(
    model: SfmModel,
    tracks: DepthObservations,
    found: RefinedLandmarks,
    images: PosedCameras,
    depth: MapDepth,
    config: LiftingConfig,
) -> dict[str, MeasuredImage]:
    """Depths of the keypoints of those images that have depth.

    Raises:
        MappingError: none has.
    """
    covariances = found.covariances[tracks.landmark_idxs]
    axes = np.array([pose.rotation[2] for pose in images.cams_from_world])[tracks.image_idxs]
    z_sigmas = np.sqrt(np.einsum("oi,oij,oj->o", axes, covariances, axes))
    measured = {}
    for row, image in enumerate(model.images):
        depth_map = depth.depth_of(image.name)
        if depth_map is None:
            continue
        assert image.keypoints is not None
        own = np.flatnonzero(tracks.image_idxs == row)
        camera = model.cameras[image.camera_id]
        measured[image.name] = measure_image(
            image.name, depth_map, image.keypoints, camera,
            (tracks.keypoint_idxs[own], found.z[own], z_sigmas[own]), config,
        )  # fmt: skip
    if not measured:
        names = ", ".join(repr(image.name) for image in model.images[:3])
        raise MappingError(
            f"none of the {len(model.images)} images has a depth image: expected files named after "
            f"the photos, such as NAME.png, for {names}..."
        )
    return measured


def _usable(
    measured: MeasuredImage | None, check: DepthCheck, config: LiftingConfig
) -> KeypointDepths | None:
    """Depths of an image with noise as the check found it; None if they are not to be used."""
    if measured is None or measured.name in check.refused:
        return None
    lifted, known = measured.lifted, check.correction
    share = config.systematic_noise if known is None else known.systematic
    z = lifted.z if known is None or not config.correct else known.apply(lifted.z)
    return replace(lifted, z=z, sigmas=np.hypot(lifted.sigmas, share * z))


def _keypoints_with_points(
    tracks: DepthObservations,
    found: RefinedLandmarks,
    depths: Sequence[KeypointDepths | None],
    images: PosedCameras,
    model: SfmModel,
    config: LiftingConfig,
) -> tuple[PlacedKeypoints, list[Int64]]:
    """Give each keypoint with a track or a depth a landmark.

    Returns:
        The observations, and for each image the (N,) row of each keypoint's observation, -1 without
        one.
    """
    first_rows, parts, lifted, starts = [], [], [], []
    next_row, next_landmark = 0, model.num_points
    for row, (image, each) in enumerate(zip(model.images, depths, strict=True)):
        assert image.keypoints is not None
        count = len(image.keypoints)
        z = np.full(count, np.nan) if each is None else each.z
        z_sigmas = np.full(count, np.nan) if each is None else each.sigmas
        camera = images.cameras[row]
        rays = np.concatenate([cam_from_img(camera, image.keypoints), np.ones((count, 1))], axis=1)
        points = images.cams_from_world[row].inverse().apply(rays * z[:, None])
        known: Bool = np.asarray(np.isfinite(points).all(axis=1))
        landmarks = image.point3D_idxs.copy()
        alone = (landmarks == NO_POINT) & known
        landmarks[alone] = next_landmark + np.arange(np.count_nonzero(alone))
        used = np.flatnonzero(landmarks != NO_POINT)
        rows = np.full(count, -1)
        rows[used] = next_row + np.arange(len(used))
        first_rows.append(rows)
        sigma = np.full(len(used), keypoint_sigma_px(camera, config))
        parts.append(
            DepthObservations(
                landmarks[used], np.full(len(used), row), used, image.keypoints[used], sigma,
                np.where(known, z, np.nan)[used], np.where(known, z_sigmas, np.nan)[used],
            )
        )  # fmt: skip
        lifted.append(np.where(known[:, None], points, np.nan)[used])
        starts.append(points[alone])
        next_row, next_landmark = next_row + len(used), next_landmark + int(alone.sum())
    observations = DepthObservations.concatenate(parts)
    xyz = np.concatenate([model.xyz, *starts])
    # without steps: tracks keep their points, and of a single keypoint ray and depth meet
    covariances = refine_landmarks(xyz, observations, images, num_steps=0).covariances
    covariances[: model.num_points] = found.covariances
    placed = PlacedKeypoints(observations, np.concatenate(lifted), xyz, covariances)
    return placed, first_rows


def _kept_landmarks(
    observations: DepthObservations,
    landmarks: RefinedLandmarks,
    num_images: int,
    config: LiftingConfig,
) -> Bool:
    """(M,) True for landmarks of several images, and for those that an image of few ones needs.

    All, if there is one image only: none can be confirmed by another.
    """
    if num_images == 1:
        return np.ones(len(landmarks.xyz), bool)
    owners, of_image = observations.landmark_idxs, observations.image_idxs
    several: Bool = np.bincount(owners, minlength=len(landmarks.xyz)) >= 2
    counts = np.bincount(of_image[several[owners]], minlength=num_images)
    kept = several.copy()
    relative = landmarks.sigmas[owners] / landmarks.z
    for image in range(num_images):
        alone = np.flatnonzero((of_image == image) & ~several[owners])
        room = max(0, config.min_image_landmarks - int(counts[image]))
        kept[owners[alone[np.argsort(relative[alone], kind="stable")[:room]]]] = True
    return kept


def _with_landmarks(
    kept: Bool,
    observations: DepthObservations,
    landmarks: RefinedLandmarks,
    images: PosedCameras,
) -> tuple[DepthObservations, RefinedLandmarks]:
    """Only some of the landmarks, and their observations."""
    numbers = np.cumsum(kept) - 1
    left = observations.subset(kept[observations.landmark_idxs])
    left = replace(left, landmark_idxs=numbers[left.landmark_idxs])
    return left, refine_landmarks(landmarks.xyz[kept], left, images, num_steps=0)


def _model_of(
    model: SfmModel, observations: DepthObservations, landmarks: RefinedLandmarks
) -> SfmModel:
    """Model of the fused landmarks; those of one image have no reprojection error."""
    size = len(landmarks.xyz)
    images = []
    for row, image in enumerate(model.images):
        own = np.flatnonzero(observations.image_idxs == row)
        points = np.full(len(image.point3D_idxs), NO_POINT)
        points[observations.keypoint_idxs[own]] = observations.landmark_idxs[own]
        images.append(replace(image, point3D_idxs=points))
    counts = np.bincount(observations.landmark_idxs, minlength=size)
    sums = np.bincount(observations.landmark_idxs, landmarks.errors_px, size)
    errors = np.where(counts >= 2, sums / np.maximum(counts, 1), -1.0)
    ids, rgb = np.arange(1, size + 1), np.zeros((size, 3), np.uint8)
    return SfmModel(model.cameras, tuple(images), ids, landmarks.xyz, rgb, errors)


def _report(
    model: SfmModel,
    measured: Mapping[str, MeasuredImage],
    depths: Sequence[KeypointDepths | None],
    observations: DepthObservations,
    landmarks: RefinedLandmarks,
) -> dict[str, Any]:
    counts = np.bincount(observations.landmark_idxs, minlength=len(landmarks.xyz))
    num_keypoints = sum(len(each.lifted.z) for each in measured.values())
    known = sum(int(each.lifted.is_known.sum()) for each in measured.values())
    on_edge = sum(int(each.lifted.on_edge.sum()) for each in measured.values())
    sigmas = landmarks.sigmas
    return {
        "images": len(measured),
        "images_without": len(model.images) - len(measured),
        "images_used": sum(each is not None for each in depths),
        "keypoints": num_keypoints,
        "lifted": known,
        "lifted_share": known / max(1, num_keypoints),
        "on_edges": on_edge,
        "triangulated": model.num_points,
        "landmarks_of_one_image": int((counts == 1).sum()),
        "landmarks_of_several": int((counts >= 2).sum()),
        "median_sigma": float(np.median(sigmas)) if len(sigmas) else None,
    }
