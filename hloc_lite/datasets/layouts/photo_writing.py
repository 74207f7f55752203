"""Photos of a data set on their way into another layout: order, cameras, resampling, depth."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image

from hloc_lite.config import DepthConfig, ImagesConfig
from hloc_lite.datasets.dataset import Dataset
from hloc_lite.datasets.layouts.image_files import JPEG_QUALITY, copy_photo
from hloc_lite.errors import FormatError
from hloc_lite.formats.depth_images import DepthFolder
from hloc_lite.geometry.cameras import bearings, focal_lengths, img_from_cam, principal_point
from hloc_lite.io.files import atomic_path
from hloc_lite.io.images import read_photo
from hloc_lite.types import Camera, DepthMap, Float32, Float64, Rigid3

logger = logging.getLogger(__name__)
_PINHOLES = ("SIMPLE_PINHOLE", "PINHOLE")


@dataclass(frozen=True, eq=False)
class PosedPhoto:
    """Photo of a data set that is written."""

    name: str
    camera: Camera
    cam_from_world: Rigid3 | None
    """None if it is not known."""


def map_photos(dataset: Dataset) -> list[PosedPhoto]:
    """Map images in order, with their poses.

    Raises:
        FormatError: lengths are no metres, or a map image has no pose.
    """
    if dataset.unit_length is not None:
        raise FormatError(f"{dataset.name}: benchmarks are in metres, its unit is not known")
    photos = []
    for name in dataset.map_image_names:
        image = None if dataset.reference is None else dataset.reference.image_named(name)
        if image is None or dataset.reference is None:
            raise FormatError(f"{dataset.name}: the map image {name!r} has no known pose")
        camera = dataset.reference.cameras[image.camera_id]
        photos.append(PosedPhoto(name, camera, image.cam_from_world))
    if not photos:
        raise FormatError(f"{dataset.name} has no map images")
    return photos


def query_photos(dataset: Dataset) -> dict[str, list[PosedPhoto]]:
    """Queries by condition, with their poses where they are known."""
    found: dict[str, list[PosedPhoto]] = {}
    for query in dataset.iter_queries():
        photo = PosedPhoto(query.name, query.camera, query.cam_from_world)
        found.setdefault(query.condition, []).append(photo)
    return found


def dealt_queries(
    dataset: Dataset, targets: Sequence[str], with_truth: Iterable[str] = ()
) -> dict[str, list[PosedPhoto]]:
    """Queries by place of the new layout: one condition each, in order.

    The queries of the last condition are divided if there are fewer conditions than targets. Where
    there are more, the last place takes all others. Queries that have no pose are left out of
    targets with public truth; a warning counts them.
    """
    conditions = list(query_photos(dataset).items())
    dealt: dict[str, list[PosedPhoto]] = {place: [] for place in targets}
    last = len(targets) - 1
    for row, (condition, photos) in enumerate(conditions):
        free = len(targets) - row
        if row == len(conditions) - 1 and free > 1:
            pieces = np.array_split(np.arange(len(photos)), free)
            chosen = {targets[row + k]: [photos[i] for i in rows] for k, rows in enumerate(pieces)}
        else:
            chosen = {targets[min(row, last)]: photos}
        for place, part in chosen.items():
            dealt[place] += part
            if part:
                logger.info("%s: condition %s is written as %s", dataset.name, condition, place)
    for place in with_truth:
        known = [photo for photo in dealt[place] if photo.cam_from_world is not None]
        if len(known) < len(dealt[place]):
            logger.warning("%d queries without a pose left out", len(dealt[place]) - len(known))
        dealt[place] = known
    return dealt


MAX_CROP = 1.5
"""Ratio of the two scales up to which a photo is cropped to another shape."""


def as_pinhole(camera: Camera) -> Camera:
    """PINHOLE camera with the size, focal lengths and principal point of another one."""
    params = np.concatenate([focal_lengths(camera), principal_point(camera)])
    return Camera("PINHOLE", camera.width, camera.height, params)


def common_pinhole(
    photos: Sequence[PosedPhoto], size: tuple[int, int] | None = None, *, square: bool = False
) -> Camera:
    """PINHOLE camera that all photos can be resampled to.

    It is that of the photos if they have only one without distortion. Otherwise the field of view
    is the narrowest of them, so that hardly a pixel is unknown, and the principal point is the
    centre. Photos of quite another shape are shown whole, with black bars: a landscape photo that
    fills a portrait one would lose most of its view.

    Args:
        photos: photos of one recording.
        size: (width, height) that the camera must have; None for that of the first photo.
        square: equal focal lengths.
    """
    first = as_pinhole(photos[0].camera)
    width, height = size or (first.width, first.height)
    is_square = first.params[0] == first.params[1] or not square
    if (
        (first.width, first.height) == (width, height)
        and is_square
        and all(is_same(photo.camera, first) for photo in photos)
    ):
        return first
    focals = [
        focal_lengths(each.camera).max() * _scale(each.camera, width, height) for each in photos
    ]
    focal = float(max(focals))
    return Camera("PINHOLE", width, height, np.array([focal, focal, width / 2, height / 2]))


def _scale(camera: Camera, width: int, height: int) -> float:
    """Scale at which a photo fills another size, or fits into it if its shape is quite another."""
    scales = sorted((width / camera.width, height / camera.height))
    return scales[1] if scales[1] <= MAX_CROP * scales[0] else scales[0]


def is_same(camera: Camera, other: Camera) -> bool:
    """True if both project alike by their parameters: no resampling is needed."""
    if (camera.width, camera.height) != (other.width, other.height):
        return False
    if camera.model in _PINHOLES and other.model in _PINHOLES:
        return np.array_equal(as_pinhole(camera).params, as_pinhole(other).params)
    return camera.model == other.model and np.array_equal(camera.params, other.params)


def write_photo(dataset: Dataset, photo: PosedPhoto, camera: Camera, target: Path) -> None:
    """Put a photo at ``target`` as ``camera`` sees it: as it is, or resampled.

    Pixels that the photo does not see are black.
    """
    source = dataset.image_folder / photo.name
    if is_same(photo.camera, camera):
        copy_photo(source, target)
        return
    import cv2

    pixels = read_photo(source, photo.name, ImagesConfig()).pixels
    x, y = _sources(photo.camera, camera, (pixels.shape[1], pixels.shape[0]))
    resampled = cv2.remap(pixels, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    target.parent.mkdir(parents=True, exist_ok=True)
    # compression of PNG at full strength takes longer than all the rest
    Image.fromarray(resampled).save(target, quality=JPEG_QUALITY, compress_level=1)


def write_depth(dataset: Dataset, photo: PosedPhoto, camera: Camera, target: Path) -> bool:
    """Put the depths of a photo at ``target`` as ``camera`` sees them: 16 bits, millimetres.

    Unknown depths are 0, those beyond 65.5 metres too.

    Returns:
        False if the data set has no depths of this photo.
    """
    if dataset.depth_folder is None:
        return False
    folder = DepthFolder(dataset.depth_folder, DepthConfig(values="metric"))
    depth = folder.load(photo.name, (photo.camera.width, photo.camera.height))
    if depth is None:
        return False
    values = np.nan_to_num(np.rint(1000 * _resampled_depths(depth, photo.camera, camera)), nan=0)
    values[(values < 0) | (values > 65534)] = 0
    target.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(target) as partial:
        Image.fromarray(values.astype(np.uint16)).save(partial, format="PNG")
    return True


def _resampled_depths(depth: DepthMap, camera: Camera, wanted: Camera) -> Float32:
    """Depths along the optical axis, which both cameras share, at the pixels of ``wanted``."""
    if is_same(camera, wanted) and depth.depths.shape == (wanted.height, wanted.width):
        return depth.depths
    height, width = depth.depths.shape
    x, y = _sources(camera, wanted, (width, height))
    rows, columns = np.rint(y), np.rint(x)
    inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    found = np.full(x.shape, np.nan, np.float32)
    found[inside] = depth.depths[rows[inside].astype(int), columns[inside].astype(int)]
    return found


def _sources(camera: Camera, wanted: Camera, size: tuple[int, int]) -> tuple[Float32, Float32]:
    """Column and row of a stored image, from 0 at the first pixel's centre, for each pixel.

    Args:
        camera: camera of the stored image.
        wanted: camera of the new image.
        size: (width, height) of the stored image, which may be another than the camera's.
    """
    rays = _rays(wanted.model, wanted.width, wanted.height, tuple(wanted.params.tolist()))
    pixels: Float64 = img_from_cam(camera, rays)
    pixels = pixels * np.array([size[0] / camera.width, size[1] / camera.height]) - 0.5
    pixels = np.where(np.isfinite(pixels), pixels, -10.0)  # outside of the image
    return pixels[..., 0].astype(np.float32), pixels[..., 1].astype(np.float32)


@lru_cache(maxsize=2)
def _rays(model: str, width: int, height: int, params: tuple[float, ...]) -> Float64:
    """(height, width, 3) rays of all pixels; many photos of a benchmark share a camera."""
    centers = np.stack(np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5), axis=-1)
    return bearings(Camera(model, width, height, np.array(params)), centers)
