"""A data set in the layout of InLoc: each map image is a cutout of a scan of its own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from hloc_lite.config import DepthConfig
from hloc_lite.datasets.dataset import Dataset
from hloc_lite.datasets.layouts.map_writing import Placed, shared_cameras, write_photos
from hloc_lite.datasets.layouts.photo_writing import (
    PosedPhoto,
    map_photos,
    query_photos,
)
from hloc_lite.errors import FormatError
from hloc_lite.formats.depth_images import DepthFolder
from hloc_lite.formats.pose_text import number_text
from hloc_lite.geometry.cameras import cam_from_img, focal_lengths, img_from_cam
from hloc_lite.io.files import atomic_path, write_text_atomic
from hloc_lite.types import Camera, DepthMap, Float64, Rigid3

_FLOORS = ("DUC1", "DUC2")
_THETAS = tuple(range(30, 390, 30))
_PHIS = (30, -30, 0)


@dataclass(frozen=True, eq=False)
class _Cutout:
    placed: Placed
    scan: str
    """Path of its scan's alignment, below the root."""
    cam_from_scan: Float64
    """(3, 3)."""


def write(dataset: Dataset, root: Path) -> dict[str, str]:
    """Write a data set in this layout; floors alternate, and all queries are of one kind.

    Photos are resampled: cutouts to one centred camera, queries to the focal length of the phone.

    Raises:
        FormatError: no metric poses or no depths of the map images, or no queries.
    """
    mapped = map_photos(dataset)
    if dataset.depth_folder is None:
        raise FormatError(
            f"{dataset.name} has no depths: a map of InLoc is made of photos with a 3D point per "
            f"pixel. Render the data set with depths, or give a depth folder"
        )
    camera = shared_cameras(mapped, 1, _as_centred)[0]
    cutouts = [_cutout(photo, camera, number) for number, photo in enumerate(mapped)]
    folder = DepthFolder(dataset.depth_folder, DepthConfig(values="metric"))
    for cutout in cutouts:
        _write_points(dataset, folder, cutout, root)
        _write_alignment(cutout, root)
    asked = [photo for photos in query_photos(dataset).values() for photo in photos]
    if not asked:
        raise FormatError(f"{dataset.name} has no queries")
    queries = [
        Placed(photo, f"query/iphone7/IMG_{number:04d}.JPG", _as_phone(photo.camera))
        for number, photo in enumerate(asked, start=1)
    ]
    return write_photos(dataset, [*(each.placed for each in cutouts), *queries], root)


def _cutout(photo: PosedPhoto, camera: Camera, number: int) -> _Cutout:
    theta, phi = _THETAS[number % len(_THETAS)] % 360, _PHIS[number % len(_PHIS)]
    floor, scan = _FLOORS[number % len(_FLOORS)], f"{number + 1:03d}"
    name = f"database/cutouts/{floor}/{scan}/DUC_cutout_{scan}_{theta}_{phi}.jpg"
    alignment = f"database/alignments/{floor}/transformations/DUC_trans_{scan}.txt"
    panorama_from_scan = np.array([[0, 1, 0], [0, 0, -1], [-1, 0, 0]], np.float64)
    turn = Rotation.from_euler("yx", [theta, phi], degrees=True).as_matrix()
    return _Cutout(Placed(photo, name, camera), alignment, turn @ panorama_from_scan)


def _write_points(dataset: Dataset, folder: DepthFolder, cutout: _Cutout, root: Path) -> None:
    """Write ``NAME.jpg.mat`` with the points in the frame of the scan, and the colours."""
    from scipy.io import savemat

    photo, camera = cutout.placed.photo, cutout.placed.camera
    depth = folder.load(photo.name, (photo.camera.width, photo.camera.height))
    if depth is None:
        raise FormatError(f"{dataset.name}: the map image {photo.name!r} has no depth image")
    grid = np.meshgrid(np.arange(camera.width), np.arange(camera.height))
    pixels = np.stack(grid, axis=-1).astype(np.float64) + 0.5
    plane = cam_from_img(camera, pixels)
    rays = np.concatenate([plane, np.ones((*plane.shape[:2], 1))], axis=2)
    in_cam = rays * _depths_along(depth, photo.camera, rays)[..., None]
    in_scan = in_cam @ cutout.cam_from_scan
    with atomic_path(root / f"{cutout.placed.name}.mat") as partial:
        savemat(str(partial), {"XYZcut": in_scan}, appendmat=False, do_compression=True)


def _write_alignment(cutout: _Cutout, root: Path) -> None:
    """Write both matrices of the scan; the first one is a rough guess in the original, too."""
    pose = cutout.placed.photo.cam_from_world
    assert pose is not None
    floor_from_scan = pose.inverse().compose(Rigid3(cutout.cam_from_scan, np.zeros(3))).matrix
    before = floor_from_scan + np.outer([0.1, -0.1, 0.05, 0], [0, 0, 0, 1])
    blocks = [
        "".join([f"{header}\n", *(f"{number_text(row)}\n" for row in matrix)])
        for header, matrix in (("P_before_GICP:", before), ("P_after_GICP:", floor_from_scan))
    ]
    write_text_atomic(root / cutout.scan, "\n".join(blocks))


def _depths_along(depth: DepthMap, camera: Camera, rays: Float64) -> Float64:
    """(H, W) depths of the pixels that (H, W, 3) rays meet; NaN outside of the photo."""
    height, width = depth.depths.shape
    pixels = img_from_cam(camera, rays) * (width / camera.width, height / camera.height)
    pixels = np.where(np.isfinite(pixels), pixels, -1.0)
    inside = ((pixels >= 0) & (pixels < (width, height))).all(axis=2)
    columns, rows = np.moveaxis(np.floor(pixels[inside]).astype(np.int64), -1, 0)
    found = np.full(rays.shape[:2], np.nan)
    found[inside] = depth.depths[rows, columns]
    return found


def _as_centred(camera: Camera) -> Camera:
    """Pinhole of the same size and focal length with the image centre as principal point."""
    width, height = camera.width, camera.height
    focal = float(focal_lengths(camera).mean())
    return Camera("SIMPLE_PINHOLE", width, height, np.array([focal, width / 2, height / 2]))


def _as_phone(camera: Camera) -> Camera:
    """Pinhole of the same size with the focal length of the queries, 4032 * 28 / 36 of 4032."""
    width, height = camera.width, camera.height
    focal = 4032 * 28 / 36 * max(width, height) / 4032
    return Camera("SIMPLE_PINHOLE", width, height, np.array([focal, width / 2, height / 2]))
