"""Writing of COLMAP databases that COLMAP 3.12 and newer read.

Unless rigs are given, each camera is the only one of its rig, and each image the only one of its
frame.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from hloc_lite.errors import FormatError, HlocLiteError
from hloc_lite.formats.colmap.binary import MODEL_IDS
from hloc_lite.formats.colmap.database_values import (
    KINDS,
    PAIR_FACTOR,
    DatabaseImages,
    DatabaseTwoView,
    inverse,
)
from hloc_lite.formats.colmap.raw import MAX_IMAGE_ID
from hloc_lite.formats.colmap.rigs import CAMERA_SENSOR, ColmapFrame, ColmapRigs
from hloc_lite.geometry.cameras import check_camera
from hloc_lite.geometry.rotations import quat_wxyz_from_rotation
from hloc_lite.io.files import atomic_path
from hloc_lite.io.image_names import is_unicode, leads_out
from hloc_lite.types import Camera, Float32, Int32, Rigid3

Pair = tuple[str, str]
TABLES = """
CREATE TABLE cameras (camera_id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    model INTEGER NOT NULL, width INTEGER NOT NULL, height INTEGER NOT NULL, params BLOB,
    prior_focal_length INTEGER NOT NULL);
CREATE TABLE images (image_id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    name TEXT NOT NULL UNIQUE, camera_id INTEGER NOT NULL,
    CONSTRAINT image_id_check CHECK(image_id >= 0 and image_id < 2147483647),
    FOREIGN KEY(camera_id) REFERENCES cameras(camera_id));
CREATE UNIQUE INDEX index_name ON images(name);
CREATE TABLE rigs (rig_id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    ref_sensor_id INTEGER NOT NULL, ref_sensor_type INTEGER NOT NULL);
CREATE TABLE rig_sensors (rig_id INTEGER NOT NULL, sensor_id INTEGER NOT NULL,
    sensor_type INTEGER NOT NULL, sensor_from_rig BLOB,
    FOREIGN KEY(rig_id) REFERENCES rigs(rig_id) ON DELETE CASCADE);
CREATE TABLE frames (frame_id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    rig_id INTEGER NOT NULL, FOREIGN KEY(rig_id) REFERENCES rigs(rig_id) ON DELETE CASCADE);
CREATE TABLE frame_data (frame_id INTEGER NOT NULL, data_id INTEGER NOT NULL,
    sensor_id INTEGER NOT NULL, sensor_type INTEGER NOT NULL,
    FOREIGN KEY(frame_id) REFERENCES frames(frame_id) ON DELETE CASCADE);
CREATE TABLE keypoints (image_id INTEGER PRIMARY KEY NOT NULL, rows INTEGER NOT NULL,
    cols INTEGER NOT NULL, data BLOB,
    FOREIGN KEY(image_id) REFERENCES images(image_id) ON DELETE CASCADE);
CREATE TABLE matches (pair_id INTEGER PRIMARY KEY NOT NULL, rows INTEGER NOT NULL,
    cols INTEGER NOT NULL, data BLOB);
CREATE TABLE two_view_geometries (pair_id INTEGER PRIMARY KEY NOT NULL, rows INTEGER NOT NULL,
    cols INTEGER NOT NULL, data BLOB, config INTEGER NOT NULL, F BLOB, E BLOB, H BLOB,
    qvec BLOB, tvec BLOB);
"""
"""Tables that COLMAP would create itself; it adds the ones that are missing."""


def number_images(cameras: Mapping[str, Camera]) -> DatabaseImages:
    """Images numbered from 1 in the order of the mapping; equal intrinsics share a camera."""
    by_values: dict[tuple[object, ...], int] = {}
    camera_ids = {}
    for name, camera in cameras.items():
        key = (
            camera.model, camera.width, camera.height, *camera.params.tolist(),
            camera.has_prior_focal,
        )  # fmt: skip
        camera_ids[name] = by_values.setdefault(key, len(by_values) + 1)
    ids = {name: number for number, name in enumerate(cameras, start=1)}
    return DatabaseImages(cameras=dict(cameras), image_ids=ids, camera_ids=camera_ids)


def write_database(
    path: Path,
    images: DatabaseImages,
    keypoints: Mapping[str, Float32],
    *,
    matches: Iterable[tuple[Pair, Int32]] = (),
    two_views: Iterable[tuple[Pair, DatabaseTwoView]] = (),
    rigs: ColmapRigs | None = None,
) -> None:
    """Write a database for COLMAP's mappers, which use only verified pairs (``two_views``).

    Args:
        path: file to write, also over an existing one.
        images: names, ids and intrinsics (see ``number_images``).
        keypoints: (N, 2) pixels of images, (0.5, 0.5) being the centre of the first pixel.
        matches: (K, 2) keypoint indices of pairs.
        two_views: verified pairs.
        rigs: rigs of all cameras and frames of all images; None for single cameras and images.

    Raises:
        FormatError: names, ids, intrinsics, pairs or indices that COLMAP cannot use.
        HlocLiteError: the file cannot be written.
    """
    mounted = _single_rigs(images) if rigs is None else rigs
    counts = {name: len(points) for name, points in keypoints.items()}
    with atomic_path(path) as partial:
        try:
            with closing(sqlite3.connect(partial)) as connection:
                # the whole file is thrown away after an error: no journal is needed
                connection.execute("PRAGMA journal_mode=OFF")
                connection.execute("PRAGMA synchronous=OFF")
                connection.executescript(TABLES)
                _insert(connection, "cameras", _camera_rows(images))
                _insert(connection, "rigs", _rig_rows(mounted))
                _insert(connection, "rig_sensors", _rig_sensor_rows(mounted))
                _insert(connection, "images", _image_rows(images))
                _insert(connection, "frames", _frame_rows(mounted))
                _insert(connection, "frame_data", _frame_data_rows(mounted))
                _insert(connection, "keypoints", _keypoint_rows(images, keypoints))
                _insert(connection, "matches", _match_rows(images, matches, counts))
                rows = _two_view_rows(images, two_views, counts)
                _insert(connection, "two_view_geometries", rows)
                connection.commit()
        except sqlite3.IntegrityError as error:
            raise FormatError(f"{path}: a name, an id or a pair is given twice: {error}") from None
        except (sqlite3.Error, OverflowError) as error:
            raise HlocLiteError(f"cannot write {path}: {error}") from None


def _insert(connection: sqlite3.Connection, table: str, rows: Iterator[tuple[Any, ...]]) -> None:
    for row in rows:
        places = ", ".join("?" * len(row))
        connection.execute(f"INSERT INTO {table} VALUES ({places})", row)


def _camera_rows(images: DatabaseImages) -> Iterator[tuple[Any, ...]]:
    for camera_id, camera in _distinct_cameras(images).items():
        check_camera(camera)
        params = camera.params.astype("<f8").tobytes()
        size = camera.width, camera.height
        yield camera_id, MODEL_IDS[camera.model], *size, params, int(camera.has_prior_focal)


def _distinct_cameras(images: DatabaseImages) -> dict[int, Camera]:
    return {images.camera_ids[name]: camera for name, camera in images.cameras.items()}


def _single_rigs(images: DatabaseImages) -> ColmapRigs:
    """Rigs of one camera and frames of one image, with the same ids."""
    return ColmapRigs(
        rigs={each: {each: Rigid3.identity()} for each in _distinct_cameras(images)},
        frames={
            image_id: ColmapFrame(
                images.camera_ids[name], None, {images.camera_ids[name]: image_id}
            )
            for name, image_id in images.image_ids.items()
        },
    )


def _rig_rows(rigs: ColmapRigs) -> Iterator[tuple[Any, ...]]:
    for rig_id, cameras in rigs.rigs.items():
        yield rig_id, next(iter(cameras)), CAMERA_SENSOR


def _rig_sensor_rows(rigs: ColmapRigs) -> Iterator[tuple[Any, ...]]:
    for rig_id, cameras in rigs.rigs.items():
        for camera_id in list(cameras)[1:]:
            pose = cameras[camera_id]
            values = None if pose is None else (
                *quat_wxyz_from_rotation(pose.rotation), *pose.translation
            )  # fmt: skip
            yield rig_id, camera_id, CAMERA_SENSOR, _double_bytes(values)


def _image_rows(images: DatabaseImages) -> Iterator[tuple[Any, ...]]:
    for name, image_id in images.image_ids.items():
        if not name or leads_out(name) or not is_unicode(name):
            raise FormatError(f"{name[:200]!r} is no name inside the image folder")
        if not 1 <= image_id <= MAX_IMAGE_ID:
            raise FormatError(f"image {name!r} has the id {image_id}, which COLMAP cannot store")
        yield image_id, name, images.camera_ids[name]


def _frame_rows(rigs: ColmapRigs) -> Iterator[tuple[Any, ...]]:
    for frame_id, frame in rigs.frames.items():
        yield frame_id, frame.rig_id


def _frame_data_rows(rigs: ColmapRigs) -> Iterator[tuple[Any, ...]]:
    for frame_id, frame in rigs.frames.items():
        for camera_id, image_id in frame.image_ids.items():
            yield frame_id, image_id, camera_id, CAMERA_SENSOR


def _keypoint_rows(
    images: DatabaseImages, keypoints: Mapping[str, Float32]
) -> Iterator[tuple[Any, ...]]:
    for name, points in keypoints.items():
        values = np.asarray(points, "<f4")
        if values.ndim != 2 or values.shape[1] != 2 or not np.isfinite(values).all():
            raise FormatError(f"expected finite (N, 2) keypoints of {name!r}, got {values.shape}")
        yield _id(images, name), len(values), 2, values.tobytes()


def _match_rows(
    images: DatabaseImages, matches: Iterable[tuple[Pair, Int32]], counts: Mapping[str, int]
) -> Iterator[tuple[Any, ...]]:
    for pair, indices in matches:
        pair_id, is_swapped = _pair_id(images, pair)
        yield pair_id, len(indices), 2, _index_bytes(indices, pair, counts, is_swapped)


def _two_view_rows(
    images: DatabaseImages,
    two_views: Iterable[tuple[Pair, DatabaseTwoView]],
    counts: Mapping[str, int],
) -> Iterator[tuple[Any, ...]]:
    for pair, found in two_views:
        pair_id, is_swapped = _pair_id(images, pair)
        if found.kind not in KINDS:
            raise FormatError(f"{found.kind!r} is no two-view configuration of COLMAP")
        f, e, h, pose = found.fundamental, found.essential, found.homography, found.cam1_from_cam0
        if is_swapped:
            f, e = (None if each is None else each.T for each in (f, e))
            h, pose = inverse(h), None if pose is None else pose.inverse()
        quat = None if pose is None else quat_wxyz_from_rotation(pose.rotation)
        shift = None if pose is None else pose.translation
        inliers = _index_bytes(found.inliers, pair, counts, is_swapped)
        stored = (_double_bytes(each) for each in (f, e, h, quat, shift))
        yield pair_id, len(found.inliers), 2, inliers, KINDS.index(found.kind), *stored


def _double_bytes(values: Any) -> bytes | None:
    """Matrix row by row, or None."""
    return None if values is None else np.ascontiguousarray(values, "<f8").tobytes()


def _index_bytes(indices: Int32, pair: Pair, counts: Mapping[str, int], is_swapped: bool) -> bytes:
    limits = [counts.get(name, 0) for name in pair]
    if indices.ndim != 2 or indices.shape[1] != 2:
        raise FormatError(f"expected (K, 2) matches of {pair}, got {indices.shape}")
    if len(indices) and (indices.min() < 0 or (indices >= np.array(limits)).any()):
        raise FormatError(f"a match of {pair} is beyond the {limits} keypoints")
    return (indices[:, ::-1] if is_swapped else indices).astype("<u4").tobytes()


def _id(images: DatabaseImages, name: str) -> int:
    if name not in images.image_ids:
        raise FormatError(f"{name!r} is none of the images of the database")
    return images.image_ids[name]


def _pair_id(images: DatabaseImages, pair: Pair) -> tuple[int, bool]:
    """COLMAP's id of a pair, and True if COLMAP stores it in reversed order."""
    first, second = (_id(images, name) for name in pair)
    if first == second:
        raise FormatError(f"an image cannot be matched with itself, got {pair}")
    low, high = sorted((first, second))
    return low * PAIR_FACTOR + high, first > second
