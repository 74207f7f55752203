"""Images of a kapture with intrinsics, poses and points, as a model of the house."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from hloc_lite.errors import FormatError, counted
from hloc_lite.formats.kapture.feature_files import is_file
from hloc_lite.formats.kapture.features import (
    Features,
    feature_types,
    keypoint_shift_px,
    open_features,
)
from hloc_lite.formats.kapture.kapture import Kapture
from hloc_lite.formats.kapture.points import Points3d, read_observations, read_points3d
from hloc_lite.formats.kapture.sensors import sensor_camera
from hloc_lite.formats.kapture.trajectories import carriers, device_from_world, known_poses
from hloc_lite.formats.posed_images import PosedImages, posed_model
from hloc_lite.geometry.cameras import img_from_cam
from hloc_lite.scene import SfmImage, SfmModel
from hloc_lite.types import NO_POINT, Camera, Float64, Int64, Rigid3

SHIFTS_PX = (0.0, 0.5)
"""Pixels that may have to be added to stored keypoints."""
SHIFT_TOLERANCE_PX = 0.2
"""Largest median offset between keypoints and projections that decides between ``SHIFTS_PX``."""
MIN_OBSERVATIONS = 50
"""With fewer observations the offset is not looked at."""


def posed_images(kapture: Kapture, keypoints_type: str | None = None) -> PosedImages:
    """Images of a kapture with cam_from_world poses; those of rigs are expanded to their cameras.

    Points and tracks are added if ``reconstruction/points3d.txt`` exists.

    Args:
        kapture: result of ``read_kapture``.
        keypoints_type: folder of the keypoints that the observations refer to; None for the one
            with most observations.

    Raises:
        FormatError: damaged points, observations or keypoints, or a type without observations.
    """
    by_sensor = {key: sensor_camera(each, key) for key, each in kapture.sensors.items()}
    rigs_of = carriers({rig: known_poses(members) for rig, members in kapture.rigs.items()})
    trajectories = known_poses(kapture.trajectories)
    cameras: dict[str, Camera] = {}
    poses: dict[str, Rigid3] = {}
    num_unknown = 0
    for record in kapture.records.get("camera", ()):
        camera = by_sensor[record.device_id]
        pose = device_from_world(record.timestamp, record.device_id, trajectories, rigs_of)
        if camera is None:
            num_unknown += pose is not None
            continue
        cameras[record.file_name] = camera
        if pose is not None:
            poses[record.file_name] = pose
    notes = list(kapture.notes)
    if num_unknown:
        notes.append(
            f"{counted(num_unknown, 'image')} with a pose, but without intrinsics: left out"
        )
    model = posed_model(cameras, poses)
    if is_file(kapture.folder / "reconstruction" / "points3d.txt"):
        model, more = with_points(model, kapture.folder, keypoints_type)
        notes += more
    return PosedImages(
        model=model, cameras=cameras, image_folder=kapture.image_folder, notes=tuple(notes)
    )


def with_points(
    model: SfmModel, folder: Path, keypoints_type: str | None = None
) -> tuple[SfmModel, list[str]]:
    """Model with the points of a kapture and the keypoints of one type, and notes.

    Args:
        model: posed images.
        folder: root of the kapture.
        keypoints_type: see ``posed_images``.

    Raises:
        FormatError: see ``posed_images``.
    """
    root = folder / "reconstruction"
    points = read_points3d(root / "points3d.txt")
    path = root / "observations.txt"
    by_type = read_observations(path, len(points.xyz)) if is_file(path) else {}
    if keypoints_type is not None and keypoints_type not in by_type:
        known = ", ".join(map(repr, by_type)) or "none"
        raise FormatError(f"{path}: no observations of {keypoints_type!r}; known are {known}")
    counts = {key: sum(map(len, images.values())) for key, images in by_type.items()}
    most = max(counts, key=lambda key: counts[key], default="")
    chosen = most if keypoints_type is None else keypoints_type
    observed = by_type.get(chosen, {})
    notes = []
    if len(by_type) > 1 and keypoints_type is None:
        notes.append(
            f"observations of {len(by_type)} types of keypoints: {chosen!r} has most and is used"
        )
    lost = sum(len(pairs) for name, pairs in observed.items() if model.image_named(name) is None)
    if lost:
        notes.append(f"{counted(lost, 'observation')} in images without a known pose: left out")
    if chosen in feature_types(folder, "keypoints"):
        features = open_features(folder, "keypoints", chosen)
        images = [_observing(image, features, observed) for image in model.images]
    else:
        images = [_without_keypoints(image, observed) for image in model.images]
        if observed:
            notes.append(f"no keypoints of type {chosen!r}: only the observed points are known")
    found = _model_with(model, images, points)
    shift, note = _shift(found, chosen)
    return _shifted(found, shift), notes + ([note] if note else [])


def _observing(image: SfmImage, features: Features, observed: Mapping[str, Int64]) -> SfmImage:
    """Image with its stored keypoints, not yet shifted, and the points that they observe."""
    pairs = observed.get(image.name, np.zeros((0, 2), np.int64))
    if not features.has(image.name) and not len(pairs):
        return image
    xy = np.array(features.read(image.name)[:, :2], np.float64)
    points = np.full(len(xy), NO_POINT, np.int64)
    if len(pairs) and pairs[:, 0].max() >= len(xy):
        raise FormatError(
            f"observations.txt: {image.name!r} has {len(xy)} keypoints, but keypoint "
            f"{pairs[:, 0].max()} observes a point"
        )
    points[pairs[:, 0]] = pairs[:, 1]
    return replace(image, keypoints=xy, point3D_idxs=points)


def _without_keypoints(image: SfmImage, observed: Mapping[str, Int64]) -> SfmImage:
    pairs = observed.get(image.name, np.zeros((0, 2), np.int64))
    return replace(image, keypoints=None, point3D_idxs=pairs[:, 1])


def _model_with(model: SfmModel, images: list[SfmImage], points: Points3d) -> SfmModel:
    count = len(points.xyz)
    rgb = np.zeros((count, 3), np.uint8) if points.rgb is None else points.rgb
    return SfmModel(
        model.cameras, tuple(images), np.arange(1, count + 1), points.xyz, rgb,
        np.full(count, np.nan),
    )  # fmt: skip


def _shift(model: SfmModel, keypoints_type: str) -> tuple[float, str]:
    """Pixels to add to the stored keypoints, and a note if the points contradict the type."""
    expected = keypoint_shift_px(keypoints_type)
    offsets = _offsets(model)
    if len(offsets) < MIN_OBSERVATIONS:
        return expected, ""
    median = np.median(offsets, axis=0)
    best = min(SHIFTS_PX, key=lambda shift: float(np.linalg.norm(median - shift)))
    if best == expected or np.linalg.norm(median - best) > SHIFT_TOLERANCE_PX:
        return expected, ""
    return best, (
        f"keypoints of type {keypoints_type!r}: {best} px are added instead of {expected}, which "
        f"fits the points better (median offset {median[0]:.2f}, {median[1]:.2f} px)"
    )


def _offsets(model: SfmModel) -> Float64:
    """(N, 2) from the stored keypoints to the projections of their points, of some images."""
    offsets = [np.zeros((0, 2))]
    for image in model.images[:200]:
        if image.keypoints is None:
            continue
        rows = np.flatnonzero(image.point3D_idxs != NO_POINT)
        in_cam = image.cam_from_world.apply(model.xyz[image.point3D_idxs[rows]])
        projections = img_from_cam(model.cameras[image.camera_id], in_cam)
        offsets.append(projections - image.keypoints[rows])
    found = np.concatenate(offsets)
    return found[np.isfinite(found).all(axis=1)]


def _shifted(model: SfmModel, shift_px: float) -> SfmModel:
    images = [
        image if image.keypoints is None else replace(image, keypoints=image.keypoints + shift_px)
        for image in model.images
    ]
    return replace(model, images=tuple(images))
