"""COLMAP's database as tables: cameras and images, and rows of the others as they are asked for.

Schema: https://colmap.github.io/database.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

from hloc_lite.errors import FormatError
from hloc_lite.formats.colmap.binary import MODEL_IDS
from hloc_lite.formats.colmap.database_values import DatabaseImages
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
from hloc_lite.io.lazy_mapping import Closes
from hloc_lite.types import Camera

_MODEL_NAMES = {number: name for name, number in MODEL_IDS.items()}
_TABLES = (
    "cameras", "images", "keypoints", "descriptors", "matches", "two_view_geometries",
    "pose_priors", "rigs", "rig_sensors", "frames", "frame_data",
)  # fmt: skip


class DatabaseTables(Closes):
    """Tables of a COLMAP database, read from disk on access; the file is never written.

    Raises:
        FormatError: no database of COLMAP, damaged, or being written by another program.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._connection = open_database(path)
        try:
            self._columns = {
                table: table_columns(self._connection, path, table) for table in _TABLES
            }
            for table in ("cameras", "images"):
                if not self._columns[table]:
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
        for image_id, raw_name, camera_id in self.rows(
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

    @cached_property
    def names(self) -> Mapping[Any, str]:
        """COLMAP's image id -> image name."""
        return {image_id: name for name, image_id in self.images.image_ids.items()}

    def image_id(self, name: str) -> int:
        """COLMAP's id of an image.

        Raises:
            FormatError: there is no such image.
        """
        image_id = self.images.image_ids.get(name)
        if image_id is None:
            raise FormatError(f"{self.path} has no image {name!r}")
        return image_id

    def columns(self, table: str) -> tuple[str, ...]:
        """Names of the columns of a table; empty if the database has no such table."""
        return self._columns[table]

    def row(
        self, table: str, fields: tuple[str, ...], key: int, column: str = "image_id"
    ) -> Row | None:
        """Fields of the row with a key; None if there is none."""
        rows = self.rows(table, fields, f"WHERE {column} = ?", (key,))
        return next(rows, None)

    def rows(
        self, table: str, fields: tuple[str, ...], rest: str = "", values: Row = ()
    ) -> Iterator[Row]:
        """Rows of a table; none if it is missing, as in databases of other versions.

        Raises:
            FormatError: a column is missing, or the file is damaged.
        """
        columns = self._columns[table]
        if not columns:
            return iter(())
        missing = [field for field in fields if field not in columns]
        if missing:
            raise FormatError(f"{self.path}: table {table!r} has no column {missing[0]!r}")
        quoted = ", ".join(f'"{field}"' for field in fields)
        return read_rows(
            self._connection, self.path, f'SELECT {quoted} FROM "{table}" {rest}', values
        )

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def _cameras(self) -> Iterator[tuple[int, Camera]]:
        fields = ("camera_id", "model", "width", "height", "params", "prior_focal_length")
        for camera_id, model, width, height, params, prior in self.rows("cameras", fields):
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


def _checked_name(raw_name: Any, where: str) -> str:
    if not isinstance(raw_name, str) or not raw_name or leads_out(raw_name):
        raise FormatError(f"{where}: {str(raw_name)[:200]!r} is no name inside the image folder")
    return normalize_name(raw_name)
