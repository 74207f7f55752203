"""COLMAP's database (database.db), read lazily: images, cameras, features and matches.

Schemas since COLMAP 3.4, with rigs and frames (3.12) or without. Schema:
https://colmap.github.io/database.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from hloc_lite.errors import FormatError
from hloc_lite.formats.colmap.database_tables import DatabaseTables
from hloc_lite.formats.colmap.database_values import (
    FEATURE_TYPES,
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
from hloc_lite.formats.colmap.rigs import (
    CAMERA_SENSOR,
    ColmapRigs,
    RawData,
    RawFrame,
    RawRig,
    RawSensor,
    check_rigs,
)
from hloc_lite.formats.colmap.sqlite import Row, check_whole, matrix
from hloc_lite.formats.pose_text import check_translation
from hloc_lite.io.number_range import MAX_NUMBER, in_range
from hloc_lite.types import Int32


class ColmapDatabase(DatabaseTables):
    """Content of a COLMAP database, read from disk on access; the file is never written.

    Raises:
        FormatError: no database of COLMAP, damaged, or being written by another program.
    """

    def keypoints(self, name: str) -> DatabaseKeypoints | None:
        """Keypoints of an image; None if the database has none.

        Raises:
            FormatError: an unknown image, or damaged keypoints.
        """
        row = self.row("keypoints", ("rows", "cols", "data"), self.image_id(name))
        if row is None:
            return None
        where = f"{self.path}: keypoints of {name!r}"
        values = matrix(row, "<f4", where)
        if values.shape[1] not in (2, 4, 6) or not in_range(values):
            raise FormatError(
                f"{where}: expected 2, 4 or 6 finite columns of numbers of at most "
                f"{MAX_NUMBER:g}, got {values.shape}"
            )
        return DatabaseKeypoints(values[:, :2].copy(), *shapes(values))

    def descriptors(self, name: str) -> np.ndarray[Any, np.dtype[Any]] | None:
        """(N, D) descriptors of an image, uint8 or float32; None if the database has none.

        Raises:
            FormatError: an unknown image, or damaged descriptors.
        """
        has_type = "type" in self.columns("descriptors")
        fields = ("rows", "cols", "data", *(("type",) if has_type else ()))
        row = self.row("descriptors", fields, self.image_id(name))
        if row is None:
            return None
        where = f"{self.path}: descriptors of {name!r}"
        values = matrix(row[:3], "u1", where)
        if not has_type or row[3] not in FLOAT_DESCRIPTORS:
            return values
        if values.shape[1] % 4:
            raise FormatError(f"{where}: {values.shape[1]} bytes are no single-precision numbers")
        numbers = np.ascontiguousarray(values).view("<f4")
        if not in_range(numbers):
            raise FormatError(f"{where}: expected finite numbers of at most {MAX_NUMBER:g}")
        return numbers

    def feature_types(self) -> Mapping[str, str]:
        """Type of the features of each image that has descriptors, in the order of the image ids.

        Types are COLMAP's names, such as SIFT; unknown ones are numbers.
        """
        has_type = "type" in self.columns("descriptors")
        fields = ("image_id", *(("type",) if has_type else ()))
        found = {}
        for image_id, *kind in self.rows("descriptors", fields, "WHERE rows > 0"):
            if image_id in self.names:
                number = kind[0] if kind else 0
                found[self.names[image_id]] = FEATURE_TYPES.get(number, str(number))
        return {name: found[name] for name in self.images.image_ids if name in found}

    def matches(self, name0: str, name1: str) -> Int32 | None:
        """(K, 2) keypoint indices of a pair, before verification; None if it was not matched.

        Raises:
            FormatError: an unknown image, or damaged matches.
        """
        pair_id, is_swapped = self._pair_id(name0, name1)
        row = self.row("matches", ("rows", "cols", "data"), pair_id, "pair_id")
        if row is None:
            return None
        return self._indices(row, (name0, name1), is_swapped)

    def two_view(self, name0: str, name1: str) -> DatabaseTwoView | None:
        """Verified matches of a pair; None if it was not verified.

        Raises:
            FormatError: an unknown image, or damaged matches.
        """
        pair_id, is_swapped = self._pair_id(name0, name1)
        columns = self.columns("two_view_geometries")
        optional = [c for c in ("F", "E", "H", "qvec", "tvec") if c in columns]
        fields = ("rows", "cols", "data", "config", *optional)
        row = self.row("two_view_geometries", fields, pair_id, "pair_id")
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
        for frame_id, image_id, sensor in self.rows("frame_data", fields, "ORDER BY frame_id"):
            if sensor == CAMERA_SENSOR and image_id in self.names:
                by_frame.setdefault(frame_id, []).append(self.names[image_id])
        return tuple(tuple(sorted(names)) for names in by_frame.values())

    def rigs(self) -> ColmapRigs:
        """Rigs with their cameras, and frames of images; none before COLMAP 3.12.

        Raises:
            FormatError: ids that do not fit each other, or a pose that is none.
        """
        found = check_rigs(self._raw_rigs(), self._raw_frames(), self.path, self.path)
        camera_of = {
            image_id: self.images.camera_ids[name] for image_id, name in self.names.items()
        }
        for frame_id, frame in found.frames.items():
            for camera_id, image_id in frame.image_ids.items():
                if camera_of.get(image_id, camera_id) != camera_id:
                    raise FormatError(
                        f"{self.path}: frame {frame_id} has image {image_id} of camera "
                        f"{camera_id}, but the image is of camera {camera_of[image_id]}"
                    )
        return found

    def position_priors(self) -> Mapping[str, PositionPrior]:
        """Image name -> prior of its camera's position; those without a finite one are left out.

        Raises:
            FormatError: a prior of another layout.
        """
        has_sensors = "corr_data_id" in self.columns("pose_priors")
        key = "corr_data_id" if has_sensors else "image_id"
        fields = (key, "position", "coordinate_system", *["corr_sensor_type"] * has_sensors)
        found = {}
        for image_id, blob, system, *sensor in self.rows("pose_priors", fields):
            if image_id not in self.names or (sensor and sensor[0] != CAMERA_SENSOR):
                continue
            where = f"{self.path}: prior of {self.names[image_id]!r}"
            position = matrix((1, 3, blob), "<f8", where)[0]
            if system not in SYSTEMS:
                raise FormatError(f"{where}: unknown coordinate system {system!r}")
            if np.isfinite(position).all():
                check_translation(position, where)
                found[self.names[image_id]] = PositionPrior(position, SYSTEMS[system])
        return found

    def _raw_rigs(self) -> Iterator[RawRig]:
        others: dict[int, list[RawSensor]] = {}
        fields = ("rig_id", "sensor_id", "sensor_type", "sensor_from_rig")
        for rig_id, sensor_id, kind, blob in self.rows("rig_sensors", fields):
            where = f"{self.path}: sensor {sensor_id} of rig {rig_id}"
            pose = None if blob in (None, b"") else matrix((1, 7, blob), "<f8", where)[0]
            check_whole(sensor_id, 0, 2**32, where)
            sensor = RawSensor(kind == CAMERA_SENSOR, sensor_id, pose)
            others.setdefault(check_whole(rig_id, 0, 2**32, where), []).append(sensor)
        for row in self.rows("rigs", ("rig_id", "ref_sensor_id", "ref_sensor_type")):
            rig_id, sensor_id = (
                check_whole(each, 0, 2**32, f"{self.path}: rigs") for each in row[:2]
            )
            reference = RawSensor(row[2] == CAMERA_SENSOR, sensor_id, None)
            yield RawRig(rig_id, reference, tuple(others.pop(rig_id, ())))
        if others:
            raise FormatError(
                f"{self.path}: table 'rig_sensors' has rig {next(iter(others))}, which is missing"
            )

    def _raw_frames(self) -> Iterator[RawFrame]:
        data: dict[int, list[RawData]] = {}
        where = f"{self.path}: frame_data"
        fields = ("frame_id", "sensor_id", "data_id", "sensor_type")
        for *ids, kind in self.rows("frame_data", fields):
            frame_id, *of_sensor = (check_whole(each, 0, 2**62, where) for each in ids)
            data.setdefault(frame_id, []).append(RawData(kind == CAMERA_SENSOR, *of_sensor))
        for row in self.rows("frames", ("frame_id", "rig_id"), "ORDER BY frame_id"):
            frame_id, rig_id = (check_whole(each, 0, 2**32, f"{self.path}: frames") for each in row)
            yield RawFrame(frame_id, rig_id, None, tuple(data.pop(frame_id, ())))
        if data:
            raise FormatError(f"{where}: frame {next(iter(data))} is missing in table 'frames'")

    @cached_property
    def _keypoint_counts(self) -> Mapping[Any, Any]:
        """Image id -> number of keypoints, as stored; a query for each pair would be slow."""
        return dict(self.rows("keypoints", ("image_id", "rows")))

    def _pair_id(self, name0: str, name1: str) -> tuple[int, bool]:
        """COLMAP's id of a pair, and True if it stores the pair in reversed order."""
        first, second = self.image_id(name0), self.image_id(name1)
        low, high = sorted((first, second))
        return low * PAIR_FACTOR + high, first > second

    def _pairs(self, table: str) -> Iterator[tuple[str, str]]:
        for (pair_id,) in self.rows(table, ("pair_id",), "ORDER BY pair_id"):
            where = f"{self.path}: {table}"
            first, second = divmod(check_whole(pair_id, 0, 2**62, where), PAIR_FACTOR)
            if first not in self.names or second not in self.names:
                raise FormatError(f"{where}: pair {pair_id} is of images that are missing")
            yield self.names[first], self.names[second]

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
            count = self._keypoint_counts.get(self.image_id(name), 2**31 - 1)
            if int(indices[:, side].max()) >= check_whole(count, 0, 2**31 - 1, where):
                raise FormatError(f"{where}: an index is beyond the {count} keypoints of {name!r}")
        return np.ascontiguousarray(indices.astype(np.int32))


def read_database_images(path: Path) -> DatabaseImages:
    """Read the names and intrinsics of all images of a database.

    Raises:
        FormatError: see ``ColmapDatabase``.
    """
    with ColmapDatabase(path) as database:
        return database.images
