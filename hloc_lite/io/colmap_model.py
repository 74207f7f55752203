"""COLMAP models (.bin and .txt) to and from ``SfmModel``.

Read here rather than by pycolmap: files come from users, a truncated one must be a clear error and
not a crash in native code, and whole arrays are read at once instead of point by point. The layout
is the one COLMAP documents; ``rigs`` and ``frames`` (since 3.12) carry nothing that single cameras
need and are left to pycolmap, which adds them when it loads a model without.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from hloc_lite.errors import FormatError
from hloc_lite.geometry.cameras import CAMERA_MODELS, check_camera
from hloc_lite.geometry.rotations import quat_wxyz_from_rotation, rotation_from_quat_wxyz
from hloc_lite.io.files import atomic_path, read_text
from hloc_lite.types import NO_POINT, Camera, Float64, Int64, Rigid3, SfmImage, SfmModel

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
    cameras = dict(_cameras_bin(paths[0]) if binary else _cameras_txt(paths[0]))
    points = _empty_points()
    if paths[2].is_file():
        points = _points_bin(paths[2]) if binary else _points_txt(paths[2])
    ids, xyz, rgb, errors = points
    order = np.argsort(ids, kind="stable")
    ids = ids[order]
    if len(np.unique(ids)) != len(ids):
        raise FormatError(f"{paths[2]}: a point id is there twice")
    if not np.isfinite(xyz).all():
        raise FormatError(f"{paths[2]}: {int((~np.isfinite(xyz)).any(1).sum())} points are NaN")
    raw_images = _images_bin(paths[1]) if binary else _images_txt(paths[1])
    images = [_checked_image(raw, cameras, ids, paths[1]) for raw in raw_images]
    names = [image.name for image in images]
    if len(set(names)) != len(names) or len({i.image_id for i in images}) != len(images):
        raise FormatError(f"{paths[1]}: an image name or id is there twice")
    return SfmModel(cameras, tuple(images), ids, xyz[order], rgb[order], errors[order])


def write_model(folder: Path, model: SfmModel) -> None:
    """Write cameras.bin, images.bin and points3D.bin; each file whole or not at all."""
    with atomic_path(folder / "cameras.bin") as partial:
        partial.write_bytes(_cameras_bytes(model))
    with atomic_path(folder / "images.bin") as partial, partial.open("wb") as file:
        file.write(struct.pack("<Q", len(model.images)))
        for image in model.images:
            file.write(_image_bytes(image, model.point3D_ids))
    with atomic_path(folder / "points3D.bin") as partial, partial.open("wb") as file:
        file.write(struct.pack("<Q", model.num_points))
        for chunk in _points_bytes(model):
            file.write(chunk)


RawImage = tuple[int, np.ndarray, np.ndarray, int, str, Float64, Int64]


def _checked_image(raw: RawImage, cameras: dict[int, Camera], ids: Int64, path: Path) -> SfmImage:
    image_id, quat, translation, camera_id, name, xy, point_ids = raw
    if camera_id not in cameras:
        raise FormatError(f"{path}: image {name!r} has camera {camera_id}, which does not exist")
    if not np.isfinite(translation).all():
        raise FormatError(f"{path}: image {name!r} has a pose that is not finite")
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


def _camera(
    camera_id: int, model: str, width: int, height: int, params: Float64, where: str
) -> Camera:
    try:
        return check_camera(Camera(model, width, height, params))
    except FormatError as error:
        raise FormatError(f"{where}: camera {camera_id}: {error}") from None
    except Exception as error:  # a size of zero
        raise FormatError(f"{where}: camera {camera_id}: {error}") from None


def _cameras_bin(path: Path) -> Iterator[tuple[int, Camera]]:
    cursor = _Cursor(path)
    (count,) = cursor.take("Q")
    for _ in range(count):
        camera_id, model_id, width, height = cursor.take("iiQQ")
        name = _MODEL_NAMES.get(model_id)
        if name is None:
            raise FormatError(f"{path}: camera {camera_id} has unknown model number {model_id}")
        params = cursor.array("<f8", CAMERA_MODELS[name].num_params)
        yield camera_id, _camera(camera_id, name, width, height, params, str(path))


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


def _points_bin(path: Path) -> tuple[np.ndarray, ...]:
    cursor = _Cursor(path)
    (count,) = cursor.take("Q")
    if count * 43 > len(cursor.data):
        cursor._need(count * 43)
    ids = np.empty(count, np.int64)
    xyz, rgb, errors = np.empty((count, 3)), np.empty((count, 3), np.uint8), np.empty(count)
    for row in range(count):
        ids[row], *xyz[row], r, g, b, errors[row], length = cursor.take("Q3d3BdQ")
        rgb[row] = r, g, b
        cursor.array("<u4", 2 * length)
    return ids, xyz, rgb, errors


def _empty_points() -> tuple[np.ndarray, ...]:
    return np.empty(0, np.int64), np.empty((0, 3)), np.empty((0, 3), np.uint8), np.empty(0)


def _text_lines(path: Path, *, keep_empty: bool = False) -> Iterator[tuple[str, str]]:
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        if line.startswith("#") or not (line.strip() or keep_empty):
            continue
        yield f"{path}, line {number}", line


def _numbers(words: list[str], where: str) -> Float64:
    try:
        return np.array([float(word) for word in words])
    except ValueError as error:
        raise FormatError(f"{where}: {error}") from None


def _cameras_txt(path: Path) -> Iterator[tuple[int, Camera]]:
    for where, line in _text_lines(path):
        words = line.split()
        if len(words) < 5:
            raise FormatError(f"{where}: expected 'CAMERA_ID MODEL WIDTH HEIGHT PARAMS...'")
        values = _numbers([words[0], *words[2:]], where)
        if not np.isfinite(values).all():
            raise FormatError(f"{where}: all numbers must be finite")
        camera_id, width, height = (int(value) for value in values[:3])
        yield camera_id, _camera(camera_id, words[1], width, height, values[3:], where)


def _images_txt(path: Path) -> Iterator[RawImage]:
    lines = _text_lines(path, keep_empty=True)
    for where, line in lines:
        if not line.strip():
            continue  # blank lines between images; that of an image without points is taken below
        words = line.split(maxsplit=9)  # the name is the rest: it may contain spaces
        if len(words) != 10:
            raise FormatError(f"{where}: expected 'IMAGE_ID QW QX QY QZ TX TY TZ CAMERA_ID NAME'")
        head = _numbers(words[:9], where)
        if not np.isfinite(head).all():
            raise FormatError(f"{where}: all numbers must be finite")
        where_points, points_line = next(lines, (where, ""))
        values = _numbers(points_line.split(), where_points)
        if len(values) % 3:
            raise FormatError(f"{where_points}: expected 'X Y POINT3D_ID' for each point")
        points = values.reshape(-1, 3)
        ids = points[:, 2].astype(np.int64)
        yield int(head[0]), head[1:5], head[5:8], int(head[8]), words[9].strip(), points[:, :2], ids


def _points_txt(path: Path) -> tuple[np.ndarray, ...]:
    rows = []
    for where, line in _text_lines(path):
        words = line.split(maxsplit=8)[:8]
        if len(words) != 8:
            raise FormatError(f"{where}: expected 'POINT3D_ID X Y Z R G B ERROR TRACK...'")
        rows.append(_numbers(words, where))
    if not rows:
        return _empty_points()
    table = np.stack(rows)
    return table[:, 0].astype(np.int64), table[:, 1:4], table[:, 4:7].astype(np.uint8), table[:, 7]


def _cameras_bytes(model: SfmModel) -> bytes:
    parts = [struct.pack("<Q", len(model.cameras))]
    for camera_id, camera in sorted(model.cameras.items()):
        head = (camera_id, MODEL_IDS[camera.model], camera.width, camera.height)
        parts += [struct.pack("<iiQQ", *head), camera.params.astype("<f8").tobytes()]
    return b"".join(parts)


def _image_bytes(image: SfmImage, point3D_ids: Int64) -> bytes:
    quat = quat_wxyz_from_rotation(image.cam_from_world.rotation)
    head = struct.pack(
        "<I7dI", image.image_id, *quat, *image.cam_from_world.translation, image.camera_id
    )
    points = np.empty(len(image.keypoints), _POINT2D)
    points["xy"] = image.keypoints
    points["point3D_id"] = _INVALID_ID
    seen = image.point3D_idxs != NO_POINT
    points["point3D_id"][seen] = point3D_ids[image.point3D_idxs[seen]]
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
