"""SfM models from points with measurements, checked by projecting the points."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hloc_lite.errors import FormatError
from hloc_lite.formats.posed_images import posed_model
from hloc_lite.formats.track_lists import Tracks
from hloc_lite.geometry.cameras import img_from_cam
from hloc_lite.scene import SfmImage, SfmModel, keypoints_of
from hloc_lite.types import NO_POINT, Bool, Camera, Float64, Int64, Rigid3

MAX_MEDIAN_SHARE = 0.005
"""Largest plausible median of the reprojection errors, over the longer image side: 8 pixels of
1600. Models have less than 1 pixel."""
MIN_SHARE_INSIDE = 0.9
"""Least share of measurements that lie in their images, if these have the assumed size."""


@dataclass(frozen=True, eq=False)
class FileImage:
    """Image as a model file lists it; one that cannot be used has no camera."""

    name: str
    camera: Camera | None
    cam_from_world: Rigid3
    misread: Rigid3 | None = None
    """Pose if the file holds a translation where a position is due, or the other way round."""


def choose_pixels(
    images: Sequence[FileImage], tracks: Tracks, candidates: Mapping[str, Float64], where: str
) -> tuple[Float64, str, str | None]:
    """Pixels of the measurements, chosen among several readings of their numbers.

    A reading is possible if the pixels lie in the images. Among the possible ones, that with the
    least reprojection errors is chosen.

    Args:
        images: by their position in the file.
        tracks: points and measurements.
        candidates: reading, in words -> (K, 2) pixels; preferred first.
        where: file, for errors.

    Returns:
        (K, 2) pixels, the chosen reading, and a sentence if its errors are implausibly large.

    Raises:
        FormatError: no reading is in the images, or the poses hold translations as centres.
    """
    observed = _has_camera(images)[tracks.image_rows]
    first = next(iter(candidates))
    if not observed.any():
        return candidates[first], first, None
    inside = {name: _share_inside(images, tracks, xy, observed) for name, xy in candidates.items()}
    possible = [name for name, share in inside.items() if share >= MIN_SHARE_INSIDE]
    if not possible:
        raise FormatError(
            f"{where}: only {max(inside.values()):.0%} of the measurements lie in their images: "
            f"the images or intrinsics have another size than those that the model was made from"
        )
    medians = {
        name: _median_share(images, tracks, candidates[name], observed, swap=False)
        for name in possible
    }
    best = min(possible, key=lambda name: medians[name])
    if medians[best] <= MAX_MEDIAN_SHARE:
        return candidates[best], best, None
    if _median_share(images, tracks, candidates[best], observed, swap=True) <= MAX_MEDIAN_SHARE:
        raise FormatError(
            f"{where}: its points project to their measurements only if the positions of the "
            f"cameras are read as translations, or translations as positions: it is not written "
            f"as the format says"
        )
    size = f"{medians[best]:.1%} of the image side" if np.isfinite(medians[best]) else "infinite"
    return candidates[best], best, (
        f"the points do not project to their measurements (median error {size}): the poses, the "
        f"focal lengths or the image sizes may be wrong"
    )  # fmt: skip


def tracked_model(images: Sequence[FileImage], tracks: Tracks, xy: Float64) -> SfmModel:
    """SfM model of the images that have a camera, with all points.

    Keypoints are the measurements of each image, in the order of their index in the file. Point ids
    count from 1.

    Args:
        images: by their position in the file.
        tracks: points and measurements.
        xy: (K, 2) pixels of the measurements.
    """
    cameras = {each.name: each.camera for each in images if each.camera is not None}
    poses = {each.name: each.cam_from_world for each in images if each.camera is not None}
    bare = posed_model(cameras, poses)
    order = np.lexsort((tracks.features, tracks.image_rows))
    ends = np.searchsorted(tracks.image_rows[order], np.arange(len(images) + 1))
    rows = {each.name: order[ends[index] : ends[index + 1]] for index, each in enumerate(images)}
    full = [
        SfmImage(
            image.image_id, image.name, image.camera_id, image.cam_from_world,
            xy[rows[image.name]], tracks.point_rows[rows[image.name]],
        )
        for image in bare.images
    ]  # fmt: skip
    observed = _has_camera(images)[tracks.image_rows]
    errors = _errors_px(images, tracks, xy, observed, swap=False)
    num_points = len(tracks.xyz)
    counts = np.bincount(tracks.point_rows[observed], minlength=num_points)
    sums = np.bincount(tracks.point_rows[observed], errors[observed], minlength=num_points)
    with np.errstate(invalid="ignore", divide="ignore"):
        means = sums / counts
    ids = np.arange(1, num_points + 1)
    return SfmModel(bare.cameras, tuple(full), ids, tracks.xyz, tracks.rgb, means)


def model_tracks(model: SfmModel, *, once_per_image: bool) -> Tracks:
    """Tracks of a model, points in its order, images by their position in ``model.images``.

    Args:
        model: SfM model, compact or not.
        once_per_image: if True, only the first of several measurements of a point in an image is
            kept.
    """
    points, images, features, pixels = [], [], [], []
    for index, image in enumerate(model.images):
        rows = np.flatnonzero(image.point3D_idxs != NO_POINT)
        if once_per_image:
            _, firsts = np.unique(image.point3D_idxs[rows], return_index=True)
            rows = rows[np.sort(firsts)]
        points.append(image.point3D_idxs[rows])
        images.append(np.full(len(rows), index))
        features.append(rows)
        pixels.append(keypoints_of(model, image)[rows])
    nothing: Int64 = np.zeros(0, np.int64)
    return Tracks(
        model.xyz,
        model.rgb,
        np.concatenate([nothing, *points]),
        np.concatenate([nothing, *images]),
        np.concatenate([nothing, *features]),
        np.concatenate([np.zeros((0, 2)), *pixels]),
    )


def track_lines(tracks: Tracks) -> list[str]:
    """``n`` and n times ``image feature x y`` of each point, with full precision."""
    parts: list[list[str]] = [[] for _ in range(len(tracks.xyz))]
    rows = zip(
        tracks.point_rows.tolist(), tracks.image_rows.tolist(), tracks.features.tolist(),
        tracks.xy.tolist(), strict=True,
    )  # fmt: skip
    for point, image, feature, (x, y) in rows:
        parts[point].append(f"{image} {feature} {x!r} {y!r}")
    return [" ".join([str(len(each)), *each]) for each in parts]


def check_centered(camera: Camera, models: Sequence[str], program: str) -> None:
    """Check that a format without principal point can hold a camera.

    Args:
        camera: with one focal length, if its model is among the given ones.
        models: COLMAP models that the format can express.
        program: name of the format, for errors.

    Raises:
        FormatError: another camera model, or a principal point that is not the image centre.
    """
    if camera.model not in models:
        raise FormatError(
            f"{program} holds cameras of {', '.join(models)} only, not {camera.model}: undistort "
            f"the images first (in COLMAP, image_undistorter), or write a COLMAP model"
        )
    off = np.abs(camera.params[1:3] - (camera.width / 2, camera.height / 2)).max()
    if off > 1e-3:
        raise FormatError(
            f"{program} has no principal point, it is the image centre; this one is {off:g} px "
            f"off: undistort the images to centred cameras, or write a COLMAP model"
        )


def _has_camera(images: Sequence[FileImage]) -> Bool:
    return np.array([image.camera is not None for image in images], np.bool_)


def _share_inside(
    images: Sequence[FileImage], tracks: Tracks, xy: Float64, observed: Bool
) -> float:
    """Share of measurements within a pixel of their images."""
    sizes = np.array(
        [(i.camera.width, i.camera.height) if i.camera else (0, 0) for i in images], np.float64
    )
    limits = sizes[tracks.image_rows[observed]]
    chosen = xy[observed]
    return float(((chosen >= -1) & (chosen <= limits + 1)).all(axis=1).mean())


def _median_share(
    images: Sequence[FileImage], tracks: Tracks, xy: Float64, observed: Bool, *, swap: bool
) -> float:
    """Median reprojection error over the longer side of its image."""
    sides = np.array([max(i.camera.width, i.camera.height) if i.camera else 1 for i in images])
    errors = _errors_px(images, tracks, xy, observed, swap=swap) / sides[tracks.image_rows]
    return float(np.median(np.where(np.isnan(errors[observed]), np.inf, errors[observed])))


def _errors_px(
    images: Sequence[FileImage], tracks: Tracks, xy: Float64, observed: Bool, *, swap: bool
) -> Float64:
    """(K,) reprojection errors in pixels; NaN without a camera or where it cannot see the point."""
    errors = np.full(len(xy), np.nan)
    order = np.argsort(tracks.image_rows, kind="stable")
    ends = np.searchsorted(tracks.image_rows[order], np.arange(len(images) + 1))
    for index, image in enumerate(images):
        rows = order[ends[index] : ends[index + 1]]
        if image.camera is None or not observed[rows].any():
            continue
        pose = image.misread if swap and image.misread else image.cam_from_world
        in_cam = pose.apply(tracks.xyz[tracks.point_rows[rows]])
        errors[rows] = np.linalg.norm(img_from_cam(image.camera, in_cam) - xy[rows], axis=1)
    return errors
