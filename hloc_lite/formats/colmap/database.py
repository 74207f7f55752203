"""COLMAP's database (database.db), read lazily: images, cameras, features and matches.

Schemas since COLMAP 3.4, with rigs and frames (3.12) or without. Schema:
https://colmap.github.io/database.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from hloc_lite.errors import FormatError
from hloc_lite.formats.colmap.binary import MODEL_IDS
from hloc_lite.formats.colmap.database_values import (
    CAMERA_SENSOR,
    FLOAT_DESCRIPTORS,
    KINDS,
    PAIR_FACTOR,
    SYSTEMS,
    DatabaseImages,
    DatabaseKeypoints,
    DatabaseTwoView,
    PositionPrior,
    inverse,
    relative_pose,
    shapes,
    square,
)
from hloc_lite.formats.colmap.raw import MAX_IMAGE_ID, make_camera
from hloc_lite.formats.colmap.sqlite import (
    Row,
    check_whole,
    matrix,
    open_database,
    read_rows,
    table_columns,
)
from hloc_lite.geometry.cameras import CAMERA_MODELS
from hloc_lite.io.image_names import leads_out, normalize_name
from hloc_lite.types import Camera, Int32

_MODEL_NAMES = {number: name for name, number in MODEL_IDS.items()}


class ColmapDatabase:
    """Content of a COLMAP database, read from disk on access; the file is never written.

    Raises:
        FormatError: no database of COLMAP, damaged, or being written by another program.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._connection = open_database(path)
        try:
            self._tables = {
                table: table_columns(self._connection, path, table)
                for table in ("cameras", "images", "keypoints", "descriptors", "matches",
                              "two_view_geometries", "pose_priors", "frames", "frame_data")
            }  # fmt: skip
            for table in ("cameras", "images"):
                if not self._tables[table]:
                    raise FormatError(f"{path} is no COLMAP database: it has no table {table!r}")
        except FormatError:
            self._connection.close()
            raise

    @cached_property
    def images(self) -> DatabaseImages:
        """All images with their intrinsics.

        Raises:
            FormatError: a doubled name or one that leads out of the image folder, a missing
                camera, or invalid intrinsics.
        """
        by_id = dict(self._cameras())
        cameras: dict[str, Camera] = {}
        ids, camera_ids = {}, {}
        for image_id, raw_name, camera_id in self._rows(
            "images", ("image_id", "name", "camera_id"), "ORDER BY image_id"
        ):
            where = f"{self.path}: image {image_id}"
            name = _checked_name(raw_name, where)
            if name in cameras:
                raise FormatError(f"{where}: {name!r} is listed twice")
            if camera_id not in by_id:
                raise FormatError(f"{where} has the camera {camera_id!r}, which is missing")
            ids[name] = check_whole(image_id, 0, MAX_IMAGE_ID, where)
            cameras[name], camera_ids[name] = by_id[camera_id], camera_id
        return DatabaseImages(cameras=cameras, image_ids=ids, camera_ids=camera_ids)

    def keypoints(self, name: str) -> DatabaseKeypoints | None:
        """Keypoints of an image; None if the database has none.

        Raises:
            FormatError: an unknown image, or damaged keypoints.
        """
        row = self._row("keypoints", ("rows", "cols", "data"), self._id(name))
        if row is None:
            return None
        where = f"{self.path}: keypoints of {name!r}"
        values = matrix(row, "<f4", where)
        if values.shape[1] not in (2, 4, 6) or not np.isfinite(values).all():
            raise FormatError(f"{where}: expected 2, 4 or 6 finite columns, got {values.shape}")
        return DatabaseKeypoints(values[:, :2].copy(), *shapes(values))

    def descriptors(self, name: str) -> np.ndarray[Any, np.dtype[Any]] | None:
        """(N, D) descriptors of an image, uint8 or float32; None if the database has none.

        Raises:
            FormatError: an unknown image, or damaged descriptors.
        """
        has_type = "type" in self._tables["descriptors"]
        fields = ("rows", "cols", "data", *(("type",) if has_type else ()))
        row = self._row("descriptors", fields, self._id(name))
        if row is None:
            return None
        where = f"{self.path}: descriptors of {name!r}"
        values = matrix(row[:3], "u1", where)
        if not has_type or row[3] not in FLOAT_DESCRIPTORS:
            return values
        if values.shape[1] % 4:
            raise FormatError(f"{where}: {values.shape[1]} bytes are no single-precision numbers")
        return np.ascontiguousarray(values).view("<f4")

    def matches(self, name0: str, name1: str) -> Int32 | None:
        """(K, 2) keypoint indices of a pair, before verification; None if it was not matched.

        Raises:
            FormatError: an unknown image, or damaged matches.
        """
        pair_id, is_swapped = self._pair_id(name0, name1)
        row = self._row("matches", ("rows", "cols", "data"), pair_id, "pair_id")
        if row is None:
            return None
        return self._indices(row, (name0, name1), is_swapped)

    def two_view(self, name0: str, name1: str) -> DatabaseTwoView | None:
        """Verified matches of a pair; None if it was not verified.

        Raises:
            FormatError: an unknown image, or damaged matches.
        """
        pair_id, is_swapped = self._pair_id(name0, name1)
        optional = [c for c in ("F", "E", "H", "qvec", "tvec") if c in self._columns_of_pairs]
        fields = ("rows", "cols", "data", "config", *optional)
        row = self._row("two_view_geometries", fields, pair_id, "pair_id")
        if row is None:
            return None
        where = f"{self.path}: two-view geometry of {(name0, name1)}"
        kind = KINDS[check_whole(row[3], 0, len(KINDS) - 1, where)]
        blobs = dict(zip(optional, row[4:], strict=True))
        f, e, h = (square(blobs.get(field), where) for field in "FEH")
        pose = relative_pose(blobs.get("qvec"), blobs.get("tvec"), where)
        if is_swapped:
            f, e = (None if each is None else each.T for each in (f, e))
            h, pose = inverse(h), None if pose is None else pose.inverse()
        return DatabaseTwoView(
            inliers=self._indices(row[:3], (name0, name1), is_swapped), kind=kind,
            fundamental=f, essential=e, homography=h, cam1_from_cam0=pose,
        )  # fmt: skip

    def matched_pairs(self) -> tuple[tuple[str, str], ...]:
        """Image pairs with an entry of matches, also without any match."""
        return tuple(self._pairs("matches"))

    def verified_pairs(self) -> tuple[tuple[str, str], ...]:
        """Image pairs with a two-view geometry, also without inliers."""
        return tuple(self._pairs("two_view_geometries"))

    def frames(self) -> tuple[tuple[str, ...], ...]:
        """Image names of each frame: images that the cameras of a rig took at the same time.

        Empty for databases of before COLMAP 3.12.
        """
        by_frame: dict[Any, list[str]] = {}
        fields = ("frame_id", "data_id", "sensor_type")
        for frame_id, image_id, sensor in self._rows("frame_data", fields, "ORDER BY frame_id"):
            if sensor == CAMERA_SENSOR and image_id in self._names:
                by_frame.setdefault(frame_id, []).append(self._names[image_id])
        return tuple(tuple(sorted(names)) for names in by_frame.values())

    def position_priors(self) -> Mapping[str, PositionPrior]:
        """Image name -> prior of its camera's position; those without a finite one are left out.

        Raises:
            FormatError: a prior of another layout.
        """
        has_sensors = "corr_data_id" in self._tables["pose_priors"]
        key = "corr_data_id" if has_sensors else "image_id"
        fields = (key, "position", "coordinate_system", *["corr_sensor_type"] * has_sensors)
        found = {}
        for image_id, blob, system, *sensor in self._rows("pose_priors", fields):
            if image_id not in self._names or (sensor and sensor[0] != CAMERA_SENSOR):
                continue
            where = f"{self.path}: prior of {self._names[image_id]!r}"
            position = matrix((1, 3, blob), "<f8", where)[0]
            if system not in SYSTEMS:
                raise FormatError(f"{where}: unknown coordinate system {system!r}")
            if np.isfinite(position).all():
                found[self._names[image_id]] = PositionPrior(position, SYSTEMS[system])
        return found

    def _cameras(self) -> Iterator[tuple[int, Camera]]:
        fields = ("camera_id", "model", "width", "height", "params", "prior_focal_length")
        for camera_id, model, width, height, params, prior in self._rows("cameras", fields):
            where = f"{self.path}: camera {camera_id}"
            name = _MODEL_NAMES.get(model)
            if name is None:
                raise FormatError(f"{where} has unknown model number {model!r}")
            values = matrix((1, CAMERA_MODELS[name].num_params, params), "<f8", where)[0]
            size = check_whole(width, 1, 2**31, where), check_whole(height, 1, 2**31, where)
            check_whole(camera_id, 0, 2**31 - 1, where)
            found = make_camera(camera_id, name, *size, values, str(self.path))
            is_known = bool(check_whole(prior, 0, 1, where))
            yield camera_id, replace(found, has_prior_focal=is_known)

    @cached_property
    def _names(self) -> Mapping[Any, str]:
        return {image_id: name for name, image_id in self.images.image_ids.items()}

    @cached_property
    def _keypoint_counts(self) -> Mapping[Any, Any]:
        """Image id -> number of keypoints, as stored; a query for each pair would be slow."""
        return dict(self._rows("keypoints", ("image_id", "rows")))

    @property
    def _columns_of_pairs(self) -> tuple[str, ...]:
        return self._tables["two_view_geometries"]

    def _id(self, name: str) -> int:
        image_id = self.images.image_ids.get(name)
        if image_id is None:
            raise FormatError(f"{self.path} has no image {name!r}")
        return image_id

    def _pair_id(self, name0: str, name1: str) -> tuple[int, bool]:
        """COLMAP's id of a pair, and True if it stores the pair in reversed order."""
        first, second = self._id(name0), self._id(name1)
        low, high = sorted((first, second))
        return low * PAIR_FACTOR + high, first > second

    def _pairs(self, table: str) -> Iterator[tuple[str, str]]:
        for (pair_id,) in self._rows(table, ("pair_id",), "ORDER BY pair_id"):
            where = f"{self.path}: {table}"
            first, second = divmod(check_whole(pair_id, 0, 2**62, where), PAIR_FACTOR)
            if first not in self._names or second not in self._names:
                raise FormatError(f"{where}: pair {pair_id} is of images that are missing")
            yield self._names[first], self._names[second]

    def _indices(self, row: Row, names: tuple[str, str], is_swapped: bool) -> Int32:
        """(K, 2) keypoint indices of a pair, checked against the numbers of keypoints."""
        where = f"{self.path}: matches of {names}"
        if row[0] == 0:
            return np.zeros((0, 2), np.int32)
        values = matrix(row, "<u4", where)
        if values.shape[1] != 2:
            raise FormatError(f"{where}: expected 2 columns, got {values.shape[1]}")
        indices = values[:, ::-1] if is_swapped else values
        for side, name in enumerate(names):
            count = self._keypoint_counts.get(self._id(name), 2**31 - 1)
            if int(indices[:, side].max()) >= check_whole(count, 0, 2**31 - 1, where):
                raise FormatError(f"{where}: an index is beyond the {count} keypoints of {name!r}")
        return np.ascontiguousarray(indices.astype(np.int32))

    def _row(
        self, table: str, fields: tuple[str, ...], key: int, column: str = "image_id"
    ) -> Row | None:
        rows = self._rows(table, fields, f"WHERE {column} = ?", (key,))
        return next(rows, None)

    def _rows(
        self, table: str, fields: tuple[str, ...], rest: str = "", values: Row = ()
    ) -> Iterator[Row]:
        """Rows of a table; none if it is missing, as in databases of other versions."""
        columns = self._tables[table]
        if not columns:
            return iter(())
        missing = [field for field in fields if field not in columns]
        if missing:
            raise FormatError(f"{self.path}: table {table!r} has no column {missing[0]!r}")
        quoted = ", ".join(f'"{field}"' for field in fields)
        return read_rows(
            self._connection, self.path, f'SELECT {quoted} FROM "{table}" {rest}', values
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._connection.close()


def read_database_images(path: Path) -> DatabaseImages:
    """Read the names and intrinsics of all images of a database.

    Raises:
        FormatError: see ``ColmapDatabase``.
    """
    with ColmapDatabase(path) as database:
        return database.images


def _checked_name(raw_name: Any, where: str) -> str:
    if not isinstance(raw_name, str) or not raw_name or leads_out(raw_name):
        raise FormatError(f"{where}: {str(raw_name)[:200]!r} is no name inside the image folder")
    return normalize_name(raw_name)
