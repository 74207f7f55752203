"""Map images and queries of a data set under new names and cameras, and their model as NVM."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from hloc_lite.datasets.dataset import Dataset
from hloc_lite.datasets.layouts.image_files import copy_photo
from hloc_lite.datasets.layouts.photo_writing import PosedPhoto, query_photos, write_photo
from hloc_lite.errors import FormatError
from hloc_lite.geometry.cameras import cam_from_img, focal_lengths, img_from_cam
from hloc_lite.io.files import write_text_atomic
from hloc_lite.scene import SfmImage, SfmModel, keypoints_of
from hloc_lite.types import Camera, Float64

logger = logging.getLogger(__name__)
_GRID = 9
_ALIKE_PX = 1e-9


@dataclass(frozen=True, eq=False)
class Placed:
    """Photo with the name and the camera that it is written with."""

    photo: PosedPhoto
    name: str
    """Relative to the image folder of the layout."""
    camera: Camera


def write_photos(dataset: Dataset, placed: Sequence[Placed], folder: Path) -> dict[str, str]:
    """Put photos below a folder, resampled where their camera changes.

    Returns:
        Old name -> new name.
    """
    resampled = 0
    for each in placed:
        if projects_alike(each.photo.camera, each.camera):
            copy_photo(dataset.image_folder / each.photo.name, folder / each.name)
        else:
            write_photo(dataset, each.photo, each.camera, folder / each.name)
            resampled += 1
    if resampled:
        logger.warning(
            "%s: %d of %d photos were resampled to a camera that the layout can express",
            dataset.name, resampled, len(placed),
        )  # fmt: skip
    return {each.photo.name: each.name for each in placed}


def queries_for(dataset: Dataset, conditions: Mapping[str, str]) -> dict[str, list[PosedPhoto]]:
    """Queries by condition of the layout; a warning tells which ones have no place.

    Args:
        dataset: data set with queries.
        conditions: condition of the data set -> condition of the layout.

    Raises:
        FormatError: no condition has a place.
    """
    found: dict[str, list[PosedPhoto]] = {}
    for condition, photos in query_photos(dataset).items():
        if condition in conditions:
            found.setdefault(conditions[condition], []).extend(photos)
        else:
            logger.warning(
                "%s: %d queries of the condition %s left out: the layout has no such condition",
                dataset.name, len(photos), condition,
            )  # fmt: skip
    if not found:
        raise FormatError(
            f"{dataset.name}: no queries can be written: expected a condition among "
            f"{', '.join(conditions)}, got {', '.join(dataset.queries) or 'none'}"
        )
    return found


def shared_cameras(
    photos: Sequence[PosedPhoto], count: int, express: Callable[[Camera], Camera]
) -> list[Camera]:
    """The most frequent cameras that a layout with few cameras can hold, at most ``count``.

    Args:
        photos: photos that will be written.
        count: number of cameras of the layout.
        express: camera of the layout that is nearest to a given one.
    """
    cameras: dict[tuple[object, ...], Camera] = {}
    exact: Counter[tuple[object, ...]] = Counter()
    for photo in photos:
        wanted = express(photo.camera)
        key = (wanted.model, wanted.width, wanted.height, *wanted.params.tolist())
        cameras[key] = wanted
        exact[key] += projects_alike(photo.camera, wanted)
    chosen = [cameras[key] for key, number in exact.most_common(count) if number]
    return chosen or [next(iter(cameras.values()))]


def slot_of(camera: Camera, slots: Sequence[Camera]) -> int:
    """Index of the camera that is alike; 0 if there is none and photos must be resampled."""
    return next((row for row, each in enumerate(slots) if projects_alike(camera, each)), 0)


def projects_alike(camera: Camera, other: Camera) -> bool:
    """True if both cameras project alike, whatever their models are."""
    if (camera.width, camera.height) != (other.width, other.height):
        return False
    grid = np.stack(
        np.meshgrid(np.linspace(0, camera.width, _GRID), np.linspace(0, camera.height, _GRID)), -1
    )
    return bool((np.abs(_moved(grid, camera, other) - grid) < _ALIKE_PX * camera.width).all())


def placed_model(dataset: Dataset, placed: Sequence[Placed]) -> SfmModel:
    """Model of photos with poses under their new names, with the points of the reference.

    Keypoints are in the pixels of the new cameras. Each photo has a camera of its own.

    Raises:
        FormatError: a photo without a pose.
    """
    reference = dataset.reference
    images = []
    for number, each in enumerate(placed, start=1):
        if each.photo.cam_from_world is None:
            raise FormatError(f"{dataset.name}: {each.photo.name!r} has no known pose")
        known = None if reference is None else reference.image_named(each.photo.name)
        pixels, points = np.zeros((0, 2)), np.zeros(0, np.int64)
        if known is not None and reference is not None and reference.num_points:
            pixels = _moved(keypoints_of(reference, known), each.photo.camera, each.camera)
            kept = np.isfinite(pixels).all(axis=1) & (pixels >= 0).all(axis=1)
            kept &= (pixels <= (each.camera.width, each.camera.height)).all(axis=1)
            pixels, points = pixels[kept], known.point3D_idxs[kept]
        pose = each.photo.cam_from_world
        images.append(SfmImage(number, each.name, number, pose, pixels, points))
    cameras = {number: each.camera for number, each in enumerate(placed, start=1)}
    none = np.zeros((0, 3))
    if reference is None or not reference.num_points:
        empty = np.zeros(0, np.int64)
        return SfmModel(cameras, tuple(images), empty, none, none.astype(np.uint8), np.zeros(0))
    return SfmModel(
        cameras, tuple(images), reference.point3D_ids, reference.xyz, reference.rgb,
        reference.errors_px,
    )  # fmt: skip


def write_nvm_layout(path: Path, model: SfmModel, written: Callable[[str], str] = str) -> None:
    """Write an NVM file of any cameras: the layouts have the intrinsics in other files.

    Focal lengths are means; the radial term is that of SIMPLE_RADIAL, else 0. Measurements are
    counted from the image centre.

    Args:
        path: file.
        model: images with poses.
        written: spelling of an image name in the file.
    """
    lines = ["NVM_V3", "", str(len(model.images))]
    tracks: list[list[str]] = [[] for _ in range(model.num_points)]
    for row, image in enumerate(model.images):
        camera = model.cameras[image.camera_id]
        rotation = image.cam_from_world.rotation
        x, y, z, w = Rotation.from_matrix(rotation).as_quat().tolist()
        center = (-rotation.T @ image.cam_from_world.translation).tolist()
        radial = -float(camera.params[3]) if camera.model == "SIMPLE_RADIAL" else 0.0
        numbers = [float(focal_lengths(camera).mean()), w, x, y, z, *center, radial]
        lines.append(" ".join([written(image.name), *map(repr, numbers), "0"]))
        if not len(image.point3D_idxs):
            continue
        shifted = keypoints_of(model, image) - (camera.width / 2, camera.height / 2)
        pairs = zip(image.point3D_idxs.tolist(), shifted.tolist(), strict=True)
        for feature, (point, (px, py)) in enumerate(pairs):
            if point >= 0:
                tracks[point].append(f"{row} {feature} {px!r} {py!r}")
    lines += ["", str(model.num_points)]
    heads = zip(model.xyz.tolist(), model.rgb.tolist(), tracks, strict=True)
    for xyz, rgb, track in heads:
        lines.append(" ".join([*map(repr, xyz), *map(str, rgb), str(len(track)), *track]))
    write_text_atomic(path, "\n".join([*lines, "", "0", ""]))


def quat_wxyz_center(photo: PosedPhoto) -> list[float]:
    """Quaternion wxyz, world to camera, and camera centre.

    Raises:
        FormatError: the photo has no pose.
    """
    if photo.cam_from_world is None:
        raise FormatError(f"{photo.name!r} has no known pose")
    rotation = photo.cam_from_world.rotation
    x, y, z, w = Rotation.from_matrix(rotation).as_quat().tolist()
    return [w, x, y, z, *(-rotation.T @ photo.cam_from_world.translation).tolist()]


def _moved(pixels: Float64, camera: Camera, other: Camera) -> Float64:
    """Pixels of one camera in the other one at the same place; NaN where it sees nothing."""
    plane = cam_from_img(camera, pixels)
    return img_from_cam(other, np.concatenate([plane, np.ones((*plane.shape[:-1], 1))], axis=-1))
