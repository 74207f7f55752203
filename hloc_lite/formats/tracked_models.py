"""SfM models from points with measurements, checked by projecting the points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from hloc_lite.errors import FormatError
from hloc_lite.formats.posed_images import posed_model
from hloc_lite.formats.track_lists import Tracks
from hloc_lite.geometry.cameras import img_from_cam
from hloc_lite.scene import SfmModel, keypoints_of
from hloc_lite.types import NO_POINT, Bool, Camera, Float64, Int32, Int64, Rigid3

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


@dataclass(frozen=True, eq=False)
class PixelReading:
    """Reading of the measurements in a file as pixels: numbers times ``scale``, plus an offset."""

    words: str
    """From where they are counted, for notes."""
    offsets: Float64
    """(N, 2) added to the measurements in each image."""
    scale: tuple[float, float] = (1.0, 1.0)

    def pixels(self, tracks: Tracks, rows: Int32, image: int) -> Float64:
        """(K, 2) pixels of measurements in an image, by its position in the file."""
        return np.asarray(tracks.xy[rows] * self.scale + self.offsets[image], np.float64)


def choose_pixels(
    images: Sequence[FileImage], tracks: Tracks, candidates: Sequence[PixelReading], where: str
) -> tuple[PixelReading, str | None]:
    """Choose among several readings of the measurements.

    A reading is possible if the pixels lie in the images. Among the possible ones, that with the
    least reprojection errors is chosen.

    Args:
        images: by their position in the file.
        tracks: points and measurements.
        candidates: preferred first.
        where: file, for errors.

    Returns:
        The chosen reading, and a sentence if its errors are implausibly large.

    Raises:
        FormatError: no reading is in the images, or the poses hold translations as centres.
    """
    observed = _has_camera(images)[tracks.image_rows]
    if not observed.any():
        return candidates[0], None
    groups = _rows_by_image(images, tracks)
    inside = [_share_inside(images, tracks, groups, each) for each in candidates]
    possible = [
        each for each, share in zip(candidates, inside, strict=True) if share >= MIN_SHARE_INSIDE
    ]
    if not possible:
        raise FormatError(
            f"{where}: only {max(inside):.0%} of the measurements lie in their images: "
            f"the images or intrinsics have another size than those that the model was made from"
        )
    medians = [_median_share(images, tracks, groups, each, swap=False) for each in possible]
    median, best = min(zip(medians, possible, strict=True), key=lambda pair: pair[0])
    if median <= MAX_MEDIAN_SHARE:
        return best, None
    if _median_share(images, tracks, groups, best, swap=True) <= MAX_MEDIAN_SHARE:
        raise FormatError(
            f"{where}: its points project to their measurements only if the positions of the "
            f"cameras are read as translations, or translations as positions: it is not written "
            f"as the format says"
        )
    size = f"{median:.1%} of the image side" if np.isfinite(median) else "infinite"
    return best, (
        f"the points do not project to their measurements (median error {size}): the poses, the "
        f"focal lengths or the image sizes may be wrong"
    )  # fmt: skip


def tracked_model(images: Sequence[FileImage], tracks: Tracks, pixels: PixelReading) -> SfmModel:
    """SfM model of the images that have a camera, with all points.

    Keypoints are the measurements of each image, in the order of their index in the file. Point ids
    count from 1.

    Args:
        images: by their position in the file.
        tracks: points and measurements.
        pixels: reading of the measurements.
    """
    cameras = {each.name: each.camera for each in images if each.camera is not None}
    poses = {each.name: each.cam_from_world for each in images if each.camera is not None}
    bare = posed_model(cameras, poses)
    groups = _rows_by_image(images, tracks)
    position = {each.name: index for index, each in enumerate(images)}
    full = []
    for image in bare.images:
        index = position[image.name]
        rows = groups[index]
        rows = rows[np.argsort(tracks.features[rows], kind="stable")]
        full.append(replace(
            image, keypoints=pixels.pixels(tracks, rows, index),
            point3D_idxs=tracks.point_rows[rows].astype(np.int64),
        ))  # fmt: skip
    observed = _has_camera(images)[tracks.image_rows]
    errors = _errors_px(images, tracks, groups, pixels, swap=False)
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


def _rows_by_image(images: Sequence[FileImage], tracks: Tracks) -> list[Int32]:
    """Measurements of each image, in the order of the file."""
    order = np.argsort(tracks.image_rows, kind="stable").astype(np.int32)
    counts = np.bincount(tracks.image_rows, minlength=len(images))
    starts = np.cumsum(counts) - counts
    return [order[start : start + count] for start, count in zip(starts, counts, strict=True)]


def _share_inside(
    images: Sequence[FileImage], tracks: Tracks, groups: Sequence[Int32], reading: PixelReading
) -> float:
    """Share of measurements within a pixel of their images."""
    num_inside = total = 0
    for index, (image, rows) in enumerate(zip(images, groups, strict=True)):
        if image.camera is not None:
            xy = reading.pixels(tracks, rows, index)
            limits = np.array([image.camera.width, image.camera.height], np.float64) + 1
            num_inside += int(((xy >= -1) & (xy <= limits)).all(axis=1).sum())
            total += len(rows)
    return num_inside / total


def _median_share(
    images: Sequence[FileImage],
    tracks: Tracks,
    groups: Sequence[Int32],
    reading: PixelReading,
    *,
    swap: bool,
) -> float:
    """Median reprojection error over the longer side of its image."""
    shares = _errors_px(images, tracks, groups, reading, swap=swap)
    shares[np.isnan(shares)] = np.inf
    for image, rows in zip(images, groups, strict=True):
        if image.camera is not None:
            shares[rows] /= max(image.camera.width, image.camera.height)
    used = shares[_has_camera(images)[tracks.image_rows]]
    return float(np.median(used, overwrite_input=True))


def _errors_px(
    images: Sequence[FileImage],
    tracks: Tracks,
    groups: Sequence[Int32],
    reading: PixelReading,
    *,
    swap: bool,
) -> Float64:
    """(K,) reprojection errors in pixels; NaN without a camera or where it cannot see the point."""
    errors = np.full(len(tracks.point_rows), np.nan)
    for index, (image, rows) in enumerate(zip(images, groups, strict=True)):
        if image.camera is None or not len(rows):
            continue
        pose = image.misread if swap and image.misread else image.cam_from_world
        in_cam = pose.apply(tracks.xyz[tracks.point_rows[rows]])
        xy = reading.pixels(tracks, rows, index)
        errors[rows] = np.linalg.norm(img_from_cam(image.camera, in_cam) - xy, axis=1)
    return errors
