"""COLMAP's binary model files: cameras.bin, images.bin, points3D.bin.

Whole arrays are read at once instead of point by point.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from hloc_lite.errors import FormatError
from hloc_lite.formats.colmap.byte_cursor import ByteCursor
from hloc_lite.formats.colmap.raw import MAX_POINT_ID, RawImage, RawPoints, make_camera
from hloc_lite.geometry.cameras import CAMERA_MODELS
from hloc_lite.geometry.rotations import quat_wxyz_from_rotation
from hloc_lite.io.image_names import is_unicode
from hloc_lite.scene import SfmImage, SfmModel, keypoints_of
from hloc_lite.types import NO_POINT, Camera, Int64

# COLMAP's numbers of its camera models (src/colmap/sensor/models.h)
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
_INVALID_POINT_ID = np.iinfo(np.uint64).max
_POINT2D = np.dtype([("xy", "<f8", 2), ("point3D_id", "<u8")])
_POINT = np.dtype([("id", "<u8"), ("xyz", "<f8", 3), ("rgb", "u1", 3), ("error", "<f8")])
_LENGTH = struct.Struct("<Q")
"""Number of elements of a track, which follow it."""
_POINTS_AT_ONCE = 100_000
"""Points whose bytes are gathered together: 40 MB of indices."""


def read_cameras(path: Path) -> Iterator[tuple[int, Camera]]:
    """Yield camera ids and cameras.

    Raises:
        FormatError: a truncated or damaged file, or invalid intrinsics.
    """
    cursor = ByteCursor(path)
    (count,) = cursor.unpack("Q")
    for _ in range(count):
        camera_id, model_id, width, height = cursor.unpack("iiQQ")
        name = _MODEL_NAMES.get(model_id)
        if name is None:
            raise FormatError(f"{path}: camera {camera_id} has unknown model number {model_id}")
        params = cursor.array("<f8", CAMERA_MODELS[name].num_params)
        yield camera_id, make_camera(camera_id, name, width, height, params, str(path))
    cursor.require_end()


def read_images(path: Path) -> Iterator[RawImage]:
    """Yield images.

    Raises:
        FormatError: a truncated or damaged file.
    """
    cursor = ByteCursor(path)
    (count,) = cursor.unpack("Q")
    for _ in range(count):
        (image_id,) = cursor.unpack("I")
        pose = cursor.array("<f8", 7)
        (camera_id,) = cursor.unpack("I")
        name = cursor.text()
        (num_points,) = cursor.unpack("Q")
        points = cursor.array(_POINT2D, num_points)
        point_ids = points["point3D_id"].astype(np.int64)  # COLMAP's invalid id becomes -1
        yield RawImage(image_id, pose[:4], pose[4:], camera_id, name, points["xy"], point_ids)
    cursor.require_end()


def read_points(path: Path) -> RawPoints:
    """Return the points; their tracks are skipped.

    Raises:
        FormatError: a truncated or damaged file.
    """
    cursor = ByteCursor(path)
    (count,) = cursor.unpack("Q")
    cursor.require(count * (_POINT.itemsize + _LENGTH.size))  # before memory is reserved
    starts = _point_starts(cursor, count)
    values = np.frombuffer(cursor.data, np.uint8)
    found = np.empty(count, _POINT)
    for row in range(0, count, _POINTS_AT_ONCE):
        part = starts[row : row + _POINTS_AT_ONCE]
        rows = values[part[:, None] + np.arange(_POINT.itemsize)]
        found[row : row + len(part)] = rows.view(_POINT)[:, 0]
    too_large = found["id"] > MAX_POINT_ID
    if too_large.any():
        raise FormatError(f"{path}: point id {found['id'][too_large][0]} is out of range")
    return RawPoints(
        found["id"].astype(np.int64),
        np.ascontiguousarray(found["xyz"]),
        np.ascontiguousarray(found["rgb"]),
        np.ascontiguousarray(found["error"]),
    )


def _point_starts(cursor: ByteCursor, count: int) -> Int64:
    """(M,) first bytes of the points, whose tracks have any length.

    Raises:
        FormatError: the file ends too early or too late.
    """
    # the only loop over points, so nothing but the length of each track is read in it
    data, read_length = cursor.data, _LENGTH.unpack_from
    to_length, element_bytes = _POINT.itemsize, 8
    head = to_length + _LENGTH.size
    starts = array("q", bytes(8 * count))
    at, end = cursor.offset, len(data)
    for row in range(count):
        if at + head > end:
            cursor.offset = at
            cursor.require(head)
        starts[row] = at
        at += head + element_bytes * read_length(data, at + to_length)[0]
    cursor.offset = at
    cursor.require(0)  # the last track may be cut off
    cursor.require_end()
    return np.frombuffer(starts, np.int64)


def cameras_bytes(model: SfmModel) -> Iterator[bytes]:
    """Yield the content of cameras.bin."""
    yield struct.pack("<Q", len(model.cameras))
    for camera_id, camera in sorted(model.cameras.items()):
        yield struct.pack("<iiQQ", camera_id, MODEL_IDS[camera.model], camera.width, camera.height)
        yield camera.params.astype("<f8").tobytes()


def images_bytes(model: SfmModel) -> Iterator[bytes]:
    """Yield the content of images.bin, an image at a time."""
    yield struct.pack("<Q", len(model.images))
    for image in model.images:
        yield _image_bytes(image, model)


def _image_bytes(image: SfmImage, model: SfmModel) -> bytes:
    quat = quat_wxyz_from_rotation(image.cam_from_world.rotation)
    head = struct.pack(
        "<I7dI", image.image_id, *quat, *image.cam_from_world.translation, image.camera_id
    )
    points = np.empty(len(image.point3D_idxs), _POINT2D)
    points["xy"] = keypoints_of(model, image)
    points["point3D_id"] = _INVALID_POINT_ID
    has_point = image.point3D_idxs != NO_POINT
    points["point3D_id"][has_point] = model.point3D_ids[image.point3D_idxs[has_point]]
    if not is_unicode(image.name):
        raise FormatError(f"image name {image.name!r} is not UTF-8: rename the image")
    name = image.name.encode("utf-8") + b"\0"
    return head + name + struct.pack("<Q", len(points)) + points.tobytes()


def points_bytes(model: SfmModel) -> Iterator[bytes]:
    """Yield the content of points3D.bin, a point at a time."""
    yield struct.pack("<Q", model.num_points)
    tracks, starts = point_tracks(model)
    for row in range(model.num_points):
        track = tracks[starts[row] : starts[row + 1]]
        head = (int(model.point3D_ids[row]), *model.xyz[row], *model.rgb[row].tolist())
        yield struct.pack("<Q3d3BdQ", *head, float(model.errors_px[row]), len(track))
        yield track.astype("<u4").tobytes()


def point_tracks(model: SfmModel) -> tuple[Int64, Int64]:
    """Return all observations, point by point.

    Returns:
        (S, 2) of [image_id, keypoint index], and (M + 1,) offsets of the points into it.
    """
    parts = []
    for image in model.images:
        keypoint_idxs = np.flatnonzero(image.point3D_idxs != NO_POINT)
        image_ids = np.full(len(keypoint_idxs), image.image_id)
        parts.append(np.stack([image.point3D_idxs[keypoint_idxs], image_ids, keypoint_idxs], 1))
    rows = np.concatenate(parts) if parts else np.empty((0, 3), np.int64)
    rows = rows[np.argsort(rows[:, 0], kind="stable")]
    starts = np.searchsorted(rows[:, 0], np.arange(model.num_points + 1))
    return rows[:, 1:], starts
