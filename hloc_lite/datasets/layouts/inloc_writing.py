"""A data set in the layout of InLoc: cutouts of laser scans with 3D points, and phone photos.

Map images that are named as cutouts (``FLOOR/SCAN/DUC_cutout_SCAN_THETA_PHI.jpg``) keep floor, scan
and angles: all cutouts of a scan share its station. Otherwise each map image is a scan of its own.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.spatial.transform import Rotation

from hloc_lite.concurrency import prefetch
from hloc_lite.config import DepthConfig, ImagesConfig
from hloc_lite.datasets.dataset import Dataset
from hloc_lite.datasets.layouts.inloc_files import CutoutName, parse_cutout
from hloc_lite.datasets.layouts.map_writing import Placed, shared_cameras, write_photos
from hloc_lite.datasets.layouts.photo_writing import (
    PosedPhoto,
    map_photos,
    query_photos,
)
from hloc_lite.errors import FormatError
from hloc_lite.formats.depth_images import DepthFolder
from hloc_lite.formats.hloc_lists import write_poses
from hloc_lite.formats.pose_text import number_text
from hloc_lite.geometry.cameras import cam_from_img, focal_lengths, img_from_cam
from hloc_lite.io.files import atomic_path, write_text_atomic
from hloc_lite.io.images import check_pixels, open_image, read_photo
from hloc_lite.types import Camera, DepthMap, Float32, Float64, Rigid3

_FLOORS = ("DUC1", "DUC2")
_THETAS = tuple(range(30, 390, 30))
_PHIS = (30, -30, 0)
_STEP_M = 2.0**-12
"""Points are rounded to a quarter of a millimetre: a laser is less exact, and files are a quarter
as large."""
_SCAN_POINTS = 20_000
"""About as many points of a scan come from each cutout."""
_MAX_SHIFT_M, _MAX_TURN_RAD = 1e-3, 1e-4
"""How far poses of cutouts may disagree about the pose of their scan."""
_THUMBNAIL = (16, 12)
_AS_STORED = ImagesConfig(exif_rotation=False)


@dataclass(frozen=True, eq=False)
class _Cutout:
    placed: Placed
    name: CutoutName
    cam_from_scan: Float64
    """(3, 3)."""

    @property
    def world_from_scan(self) -> Rigid3:
        pose = self.placed.photo.cam_from_world
        assert pose is not None
        return pose.inverse().compose(Rigid3(self.cam_from_scan, np.zeros(3)))


def write(dataset: Dataset, root: Path) -> dict[str, str]:
    """Write a data set in this layout.

    Photos are resampled: cutouts to one centred camera, queries to the focal length of the phone.
    Map images that are named as cutouts get a frame for each floor, at its first scan. Queries of
    a condition that is called as a floor then have their true poses in ``gt.txt``, and their floor
    in ``floors.txt``. Otherwise floors alternate and have the frame of the data set.
    ``scores.mat`` has similarities of thumbnails, a weak retrieval.

    Raises:
        FormatError: no metric poses or no depths of the map images, no queries, or cutouts whose
            poses do not fit their names.
    """
    mapped = map_photos(dataset)
    if dataset.depth_folder is None:
        raise FormatError(
            f"{dataset.name} has no depths: a map of InLoc is made of photos with a 3D point per "
            f"pixel. Render the data set with depths, or give a depth folder"
        )
    camera = shared_cameras(mapped, 1, _as_centred)[0]
    parsed = [parse_cutout(photo.name) for photo in mapped]
    are_named = all(each is not None for each in parsed)
    cutouts = [
        _cutout(photo, camera, name if are_named and name is not None else _made_name(number))
        for number, (photo, name) in enumerate(zip(mapped, parsed, strict=True))
    ]
    asked = query_photos(dataset)
    if not any(asked.values()):
        raise FormatError(f"{dataset.name} has no queries")
    scans: dict[str, list[_Cutout]] = {}
    for cutout in cutouts:
        scans.setdefault(cutout.name.alignment, []).append(cutout)
    frames = _floor_frames(scans) if are_named else {}
    for path, members in scans.items():
        frame = frames.get(members[0].name.floor, Rigid3(np.eye(3), np.zeros(3)))
        _write_alignment(root / path, frame.compose(_scan_pose(dataset, members)))
    queries = [
        Placed(photo, f"query/iphone7/IMG_{number:04d}.JPG", _as_phone(photo.camera))
        for number, photo in enumerate((each for p in asked.values() for each in p), start=1)
    ]
    names = write_photos(dataset, [*(each.placed for each in cutouts), *queries], root)
    folder = DepthFolder(dataset.depth_folder, DepthConfig(values="metric"))
    for members in scans.values():
        _write_scan(dataset, folder, members, root)
    _write_lists(root, [each.placed.name for each in cutouts], [each.name for each in queries])
    if frames:
        _write_truth(root, asked, names, frames)
    return names


def _made_name(number: int) -> CutoutName:
    """Name of the only cutout of a scan."""
    theta, phi = _THETAS[number % len(_THETAS)] % 360, _PHIS[number % len(_PHIS)]
    return CutoutName(_FLOORS[number % len(_FLOORS)], f"{number + 1:03d}", theta, phi)


def _cutout(photo: PosedPhoto, camera: Camera, name: CutoutName) -> _Cutout:
    panorama_from_scan = np.array([[0, 1, 0], [0, 0, -1], [-1, 0, 0]], np.float64)
    angles = [name.theta_deg, name.phi_deg]
    turn = Rotation.from_euler("yx", angles, degrees=True).as_matrix()
    prefix = "DUC" if name.floor.startswith("DUC") else "cse"
    file_name = f"{prefix}_cutout_{name.scan}_{name.theta_deg}_{name.phi_deg}.jpg"
    path = f"database/cutouts/{name.floor}/{name.scan}/{file_name}"
    return _Cutout(Placed(photo, path, camera), name, turn @ panorama_from_scan)


def _floor_frames(scans: dict[str, list[_Cutout]]) -> dict[str, Rigid3]:
    """floor_from_world of each floor: its origin is the station of its first scan."""
    frames: dict[str, Rigid3] = {}
    for members in scans.values():
        station = members[0].world_from_scan.translation
        frames.setdefault(members[0].name.floor, Rigid3(np.eye(3), -station))
    return frames


def _scan_pose(dataset: Dataset, members: Sequence[_Cutout]) -> Rigid3:
    """world_from_scan, on which all cutouts of a scan must agree."""
    first = members[0].world_from_scan
    for each in members[1:]:
        apart = first.inverse().compose(each.world_from_scan)
        turn = Rotation.from_matrix(apart.rotation).magnitude()
        if np.linalg.norm(apart.translation) > _MAX_SHIFT_M or turn > _MAX_TURN_RAD:
            raise FormatError(
                f"{dataset.name}: the pose of {each.placed.photo.name!r} does not fit the angles "
                f"in its name: its scan would stand elsewhere than that of "
                f"{members[0].placed.photo.name!r}. Name map images otherwise, or correct poses"
            )
    return first


def _write_scan(
    dataset: Dataset, folder: DepthFolder, members: Sequence[_Cutout], root: Path
) -> None:
    """Write ``NAME.jpg.mat`` of all cutouts of a scan, and the scan: cell A of its points."""
    from scipy.io import savemat

    threads = os.cpu_count() or 1
    parts = prefetch(
        lambda each: _write_points(dataset, folder, each, root), members, threads, threads
    )
    points = np.concatenate(list(parts))
    cell = np.empty((1, 7), object)
    for column in range(7):
        kind = np.float32 if column < 4 else np.uint8
        cell[0, column] = points[:, [column]].astype(kind)
    name = members[0].name
    prefix = "DUC" if name.floor.startswith("DUC") else "cse"
    path = root / f"database/scans/{name.floor}/{prefix}_scan_{name.scan}.ptx.mat"
    with atomic_path(path) as partial:
        savemat(str(partial), {"A": cell}, appendmat=False, do_compression=True)


def _write_points(dataset: Dataset, folder: DepthFolder, cutout: _Cutout, root: Path) -> Float32:
    """Write ``NAME.jpg.mat`` with the points of the pixels in the frame of the scan.

    Returns:
        (N, 7) some of them: x, y, z, intensity, red, green, blue.
    """
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
    in_scan = (np.round(in_cam @ cutout.cam_from_scan / _STEP_M) * _STEP_M).astype(np.float32)
    with atomic_path(root / f"{cutout.placed.name}.mat") as partial:
        savemat(str(partial), {"XYZcut": in_scan}, appendmat=False, do_compression=True)
    step = max(1, round((camera.width * camera.height / _SCAN_POINTS) ** 0.5))
    shown = read_photo(root / cutout.placed.name, cutout.placed.name, _AS_STORED)
    colours = shown.pixels[::step, ::step].reshape(-1, 3)
    sample = in_scan[::step, ::step].reshape(-1, 3)
    known = np.isfinite(sample).all(axis=1)
    rgb = colours[known].astype(np.float32)
    intensity = rgb.mean(axis=1, keepdims=True) / 255
    return np.concatenate([sample[known], intensity, rgb], axis=1)


def _write_alignment(path: Path, floor_from_scan: Rigid3) -> None:
    """Write both matrices of the scan; the first one is a rough guess in the original, too."""
    after = floor_from_scan.matrix
    before = after + np.outer([0.1, -0.1, 0.05, 0], [0, 0, 0, 1])
    blocks = [
        "".join([f"{header}\n", *(f"{number_text(row)}\n" for row in matrix)])
        for header, matrix in (("P_before_GICP:", before), ("P_after_GICP:", after))
    ]
    write_text_atomic(path, "\n".join(blocks))


def _write_lists(root: Path, cutouts: Sequence[str], queries: Sequence[str]) -> None:
    """Write the lists of names, and the similarity of each query to each cutout."""
    from scipy.io import savemat

    short = {
        "cutout_imgnames_all": [name.removeprefix("database/cutouts/") for name in cutouts],
        "query_imgnames_all": [name.removeprefix("query/iphone7/") for name in queries],
    }
    for variable, names in short.items():
        cell = np.empty((1, len(names)), object)
        cell[0] = names
        with atomic_path(root / f"inputs/{variable}.mat") as partial:
            savemat(str(partial), {variable: cell}, appendmat=False)
    score = _thumbnails(root, queries) @ _thumbnails(root, cutouts).T
    with atomic_path(root / "inputs/scores.mat") as partial:
        savemat(str(partial), {"score": score}, appendmat=False, do_compression=True)


def _thumbnails(root: Path, names: Sequence[str]) -> Float32:
    """(N, D) unit rows: small grey images without their mean."""
    rows = []
    for name in names:
        with open_image(root / name) as image:
            check_pixels(image, name, _AS_STORED)
            image.draft("L", (_THUMBNAIL[0] * 4, _THUMBNAIL[1] * 4))
            grey = image.convert("L").resize(_THUMBNAIL, Image.Resampling.BOX)
        values = np.asarray(grey, np.float32).ravel()
        values = values - values.mean()
        rows.append(values / max(float(np.linalg.norm(values)), 1e-6))
    return np.stack(rows)


def _write_truth(
    root: Path,
    asked: dict[str, list[PosedPhoto]],
    names: dict[str, str],
    frames: dict[str, Rigid3],
) -> None:
    """Write ``gt.txt``, cam_from_floor of queries whose floor is known, and ``floors.txt``."""
    poses, floors = {}, []
    for floor, photos in asked.items():
        for photo in photos if floor in frames else []:
            if photo.cam_from_world is not None:
                name = names[photo.name]
                poses[name] = photo.cam_from_world.compose(frames[floor].inverse())
                floors.append(f"{name} {floor}\n")
    if poses:
        write_poses(root / "gt.txt", poses)
        write_text_atomic(root / "floors.txt", "".join(floors))


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
