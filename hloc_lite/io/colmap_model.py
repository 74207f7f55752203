"""COLMAP models (.bin and .txt) to and from ``SfmModel``.

Read here rather than by pycolmap: files come from users, a truncated one must be a clear error and
not a crash in native code, and whole arrays are read at once instead of point by point. The layout
is the one COLMAP documents; ``rigs`` and ``frames`` (since 3.12) carry nothing that single cameras
need and are left to pycolmap, which adds them when it loads a model without.
"""

from __future__ import annotations

import logging
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from hloc_lite.errors import FormatError
from hloc_lite.geometry.cameras import CAMERA_MODELS
from hloc_lite.geometry.keypoints import keypoints_of
from hloc_lite.geometry.rotations import quat_wxyz_from_rotation, rotation_from_quat_wxyz
from hloc_lite.io.colmap_text import (
    MAX_ID,
    MAX_IMAGE_ID,
    NO_ID,
    RawImage,
    RawPoints,
    empty_points,
    file_camera,
    read_cameras,
    read_images,
    read_points,
)
from hloc_lite.io.files import atomic_path
from hloc_lite.types import NO_POINT, Camera, Int64, Rigid3, SfmImage, SfmModel

logger = logging.getLogger(__name__)
# COLMAP's numbers of the camera models, as its format has them.
MODEL_IDS = {
    "SIMPLE_PINHOLE": 0,
    "PINHOLE": 1,
    "SIMPLE_RADIAL": 2,
    "RADIAL": 3,
    "OPENCV": 4,
    "OPENCV_FISHEYE": 5,
    "FULL_OPENCV": 6,
    "FOV": 7,
    "SIMPLE_RADIAL_FISHEYE": 8,
    "RADIAL_FISHEYE": 9,
    "THIN_PRISM_FISHEYE": 10,
    "RAD_TAN_THIN_PRISM_FISHEYE": 11,
    "SIMPLE_DIVISION": 12,
    "DIVISION": 13,
    "SIMPLE_FISHEYE": 14,
    "FISHEYE": 15,
    "EUCM": 16,
    "EQUIRECTANGULAR": 17,
}
_MODEL_NAMES = {number: name for name, number in MODEL_IDS.items()}
_INVALID_ID = np.iinfo(np.uint64).max
_POINT2D = np.dtype([("xy", "<f8", 2), ("point3D_id", "<u8")])


class _Cursor:
    """Reads little-endian values from bytes; running out of them is a FormatError."""

    def __init__(self, path: Path) -> None:
        try:
            self.data = path.read_bytes()
        except OSError as error:
            raise FormatError(f"cannot read {path}: {error.strerror or error}") from None
        self.path = path
        self.at = 0

    def take(self, layout: str) -> tuple:
        size = struct.calcsize("<" + layout)
        self._need(size)
        values = struct.unpack_from("<" + layout, self.data, self.at)
        self.at += size
        return values

    def array(self, dtype: np.dtype | str, count: int) -> np.ndarray:
        size = np.dtype(dtype).itemsize * count
        self._need(size)
        values = np.frombuffer(self.data, dtype, count, self.at)
        self.at += size
        return values

    def text(self) -> str:
        end = self.data.find(b"\0", self.at)
        if end < 0:
            self._need(len(self.data) + 1)
        raw, self.at = self.data[self.at : end], end + 1
        try:
            return raw.decode("utf-8")
        except UnicodeDecodeError:
            raise FormatError(f"{self.path}: an image name is not UTF-8: {raw[:60]!r}") from None

    def end(self) -> None:
        """All has been read: more bytes than the counts account for mean that one is wrong."""
        if self.at != len(self.data):
            raise FormatError(
                f"{self.path} is damaged: {len(self.data) - self.at} bytes are left after the "
                f"last of its entries"
            )

    def _need(self, size: int) -> None:
        if size < 0 or self.at + size > len(self.data):
            raise FormatError(
                f"{self.path} is truncated or not a COLMAP model: {len(self.data)} bytes, "
                f"but its content asks for more at byte {self.at}"
            )


def read_model(folder: Path) -> SfmModel:
    """The model in a folder, .bin preferred over .txt; points may be absent.

    Raises:
        FormatError: no model there, or a broken one (the file and the place are named).
    """
    binary = (folder / "images.bin").is_file()
    if not binary and not (folder / "images.txt").is_file():
        raise FormatError(
            f"{folder} has no COLMAP model: expected cameras, images (and points3D) as .bin or .txt"
        )
    suffix = ".bin" if binary else ".txt"
    paths = [folder / f"{part}{suffix}" for part in ("cameras", "images", "points3D")]
    if not paths[0].is_file():
        raise FormatError(f"{paths[0]} is missing beside {paths[1].name}")
    listed = list(_cameras_bin(paths[0]) if binary else read_cameras(paths[0]))
    cameras = dict(listed)
    if len(cameras) != len(listed):
        raise FormatError(f"{paths[0]}: a camera id is there twice")
    points = empty_points()
    if paths[2].is_file():
        points = _points_bin(paths[2]) if binary else read_points(paths[2])
    ids, xyz, rgb, errors = points
    order = np.argsort(ids, kind="stable")
    ids = ids[order]
    if len(np.unique(ids)) != len(ids):
        raise FormatError(f"{paths[2]}: a point id is there twice")
    if not _are_sane(xyz):
        bad = sum(not _are_sane(point) for point in xyz)
        raise FormatError(f"{paths[2]}: {bad} of {len(xyz)} points are not finite")
    raw_images = list(_images_bin(paths[1]) if binary else read_images(paths[1]))
    images = [_checked_image(raw, cameras, ids, paths[1]) for raw in raw_images]
    names = [image.name for image in images]
    if len(set(names)) != len(names) or len({i.image_id for i in images}) != len(images):
        raise FormatError(f"{paths[1]}: an image name or id is there twice")
    _warn_of_lost_points(raw_images, images, paths)
    return SfmModel(cameras, tuple(images), ids, xyz[order], rgb[order], errors[order])


def _warn_of_lost_points(
    raw_images: Sequence[RawImage], images: Sequence[SfmImage], paths: Sequence[Path]
) -> None:
    """Poses without points are a model too, but one that has lost some is likely damaged."""
    named = sum(int((raw[-1] != NO_ID).sum()) for raw in raw_images)
    found = sum(int((image.point3D_idxs != NO_POINT).sum()) for image in images)
    if paths[2].is_file() and found < named:
        logger.warning(
            "%s: %d of %d observations are of points that %s does not have; they are ignored",
            paths[1], named - found, named, paths[2].name,
        )  # fmt: skip


def write_model(folder: Path, model: SfmModel) -> None:
    """Write cameras.bin, images.bin and points3D.bin; each file whole or not at all."""
    with atomic_path(folder / "cameras.bin") as partial:
        partial.write_bytes(_cameras_bytes(model))
    with atomic_path(folder / "images.bin") as partial, partial.open("wb") as file:
        file.write(struct.pack("<Q", len(model.images)))
        for image in model.images:
            file.write(_image_bytes(image, model))
    with atomic_path(folder / "points3D.bin") as partial, partial.open("wb") as file:
        file.write(struct.pack("<Q", model.num_points))
        for chunk in _points_bytes(model):
            file.write(chunk)


def _checked_image(raw: RawImage, cameras: dict[int, Camera], ids: Int64, path: Path) -> SfmImage:
    image_id, quat, translation, camera_id, name, xy, point_ids = raw
    if camera_id not in cameras:
        raise FormatError(f"{path}: image {name!r} has camera {camera_id}, which does not exist")
    if not 0 <= image_id <= MAX_IMAGE_ID:
        raise FormatError(f"{path}: image {name!r} has the id {image_id}, which is out of range")
    if not _are_sane(translation):
        raise FormatError(f"{path}: image {name!r} has a pose that is not finite")
    if not _are_sane(xy):
        raise FormatError(f"{path}: image {name!r} has keypoints that are not finite")
    if not _are_sane(quat) or abs(np.linalg.norm(quat) - 1) > 0.05:
        raise FormatError(f"{path}: image {name!r}: {quat} is not a unit quaternion")
    try:
        rotation = rotation_from_quat_wxyz(quat)
    except FormatError as error:
        raise FormatError(f"{path}: image {name!r}: {error}") from None
    rows = np.searchsorted(ids, point_ids)
    found = rows < len(ids)
    found[found] = ids[rows[found]] == point_ids[found]
    idxs = np.where(found, rows, NO_POINT)
    pose = Rigid3(rotation, translation)
    return SfmImage(image_id, name, camera_id, pose, xy, idxs)


def _are_sane(values: np.ndarray) -> bool:
    """Finite, and small enough to be squared: no scene or image is larger."""
    return bool((np.abs(values) < 1e15).all())


def _cameras_bin(path: Path) -> Iterator[tuple[int, Camera]]:
    cursor = _Cursor(path)
    (count,) = cursor.take("Q")
    for _ in range(count):
        camera_id, model_id, width, height = cursor.take("iiQQ")
        name = _MODEL_NAMES.get(model_id)
        if name is None:
            raise FormatError(f"{path}: camera {camera_id} has unknown model number {model_id}")
        params = cursor.array("<f8", CAMERA_MODELS[name].num_params)
        yield camera_id, file_camera(camera_id, name, width, height, params, str(path))
    cursor.end()


def _images_bin(path: Path) -> Iterator[RawImage]:
    cursor = _Cursor(path)
    (count,) = cursor.take("Q")
    for _ in range(count):
        (image_id,) = cursor.take("I")
        pose = cursor.array("<f8", 7)
        (camera_id,) = cursor.take("I")
        name = cursor.text()
        (num_points,) = cursor.take("Q")
        points = cursor.array(_POINT2D, num_points)
        point_ids = points["point3D_id"].astype(np.int64)  # the invalid id becomes -1
        yield image_id, pose[:4], pose[4:], camera_id, name, points["xy"], point_ids
    cursor.end()


def _points_bin(path: Path) -> RawPoints:
    cursor = _Cursor(path)
    (count,) = cursor.take("Q")
    if count * 43 > len(cursor.data):
        cursor._need(count * 43)
    ids = np.empty(count, np.int64)
    xyz, rgb, errors = np.empty((count, 3)), np.empty((count, 3), np.uint8), np.empty(count)
    for row in range(count):
        point_id, *xyz[row], r, g, b, errors[row], length = cursor.take("Q3d3BdQ")
        if point_id > MAX_ID:
            raise FormatError(f"{path}: point id {point_id} is out of range")
        ids[row], rgb[row] = point_id, (r, g, b)
        cursor.array("<u4", 2 * length)
    cursor.end()
    return ids, xyz, rgb, errors


def _cameras_bytes(model: SfmModel) -> bytes:
    parts = [struct.pack("<Q", len(model.cameras))]
    for camera_id, camera in sorted(model.cameras.items()):
        head = (camera_id, MODEL_IDS[camera.model], camera.width, camera.height)
        parts += [struct.pack("<iiQQ", *head), camera.params.astype("<f8").tobytes()]
    return b"".join(parts)


def _image_bytes(image: SfmImage, model: SfmModel) -> bytes:
    quat = quat_wxyz_from_rotation(image.cam_from_world.rotation)
    head = struct.pack(
        "<I7dI", image.image_id, *quat, *image.cam_from_world.translation, image.camera_id
    )
    points = np.empty(len(image.point3D_idxs), _POINT2D)
    points["xy"] = keypoints_of(model, image)
    points["point3D_id"] = _INVALID_ID
    seen = image.point3D_idxs != NO_POINT
    points["point3D_id"][seen] = model.point3D_ids[image.point3D_idxs[seen]]
    name = image.name.encode("utf-8") + b"\0"
    return head + name + struct.pack("<Q", len(points)) + points.tobytes()


def _points_bytes(model: SfmModel) -> Iterator[bytes]:
    tracks, starts = tracks_of(model)
    for row in range(model.num_points):
        track = tracks[starts[row] : starts[row + 1]]
        head = (int(model.point3D_ids[row]), *model.xyz[row], *model.rgb[row].tolist())
        yield struct.pack("<Q3d3BdQ", *head, float(model.errors_px[row]), len(track))
        yield track.astype("<u4").tobytes()


def tracks_of(model: SfmModel) -> tuple[Int64, Int64]:
    """All observations, point by point: ((S, 2) of [image_id, keypoint index], (M + 1,) starts)."""
    parts = []
    for image in model.images:
        keypoint_idxs = np.flatnonzero(image.point3D_idxs != NO_POINT)
        image_ids = np.full(len(keypoint_idxs), image.image_id)
        parts.append(np.stack([image.point3D_idxs[keypoint_idxs], image_ids, keypoint_idxs], 1))
    rows = np.concatenate(parts) if parts else np.empty((0, 3), np.int64)
    rows = rows[np.argsort(rows[:, 0], kind="stable")]
    starts = np.searchsorted(rows[:, 0], np.arange(model.num_points + 1))
    return rows[:, 1:], starts
