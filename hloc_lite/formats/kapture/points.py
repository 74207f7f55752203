"""Points and observations of kapture: ``points3d.txt`` and ``observations.txt``."""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hloc_lite.errors import FormatError
from hloc_lite.formats.kapture.tables import (
    column_header,
    finite_number,
    read_rows,
    relative_name,
    whole_number,
    write_rows,
)
from hloc_lite.io.number_range import MAX_NUMBER, in_range
from hloc_lite.types import Float64, Int64, UInt8, freeze_field

XYZ_COLUMNS = "X, Y, Z"
XYZ_RGB_COLUMNS = "X, Y, Z, R, G, B"
OBSERVATION_COLUMNS = "point3d_id, keypoints_type, [image_path, feature_id]*"
Observations = Mapping[str, Mapping[str, Int64]]
"""Type of keypoints -> image -> (K, 2) keypoint and point, both counted from 0."""


@dataclass(frozen=True, eq=False)
class Points3d:
    """Points of a reconstruction; a point's number is its row."""

    xyz: Float64
    """(M, 3) world."""
    rgb: UInt8 | None = None
    """(M, 3); None without colours."""

    def __post_init__(self) -> None:
        freeze_field(self, "xyz", np.float64, None, 3)
        if self.rgb is not None:
            freeze_field(self, "rgb", np.uint8, len(self.xyz), 3)


def read_points3d(path: Path) -> Points3d:
    """Read points; all lines have 3 or all have 6 values, as the column header says if it is clear.

    Raises:
        FormatError: a bad line (with its number), or colours that are no bytes.
    """
    header = column_header(path).replace(" ", "")
    stated = {XYZ_COLUMNS.replace(" ", ""): 3, XYZ_RGB_COLUMNS.replace(" ", ""): 6}.get(header)
    count = stated
    values = array("d")
    for cells, where in read_rows(path, XYZ_RGB_COLUMNS, 3, 6):
        count = count or len(cells)
        if len(cells) != count or count not in (3, 6):
            source = "the header" if stated else "the first point"
            raise FormatError(f"{where}: expected {count} values as {source}, got {len(cells)}")
        values.extend([finite_number(cell, "each value of a point", where) for cell in cells])
    table = np.array(values, np.float64).reshape(-1, count or 3)
    if not in_range(table[:, :3]):
        raise FormatError(
            f"{path}: a point is farther than {MAX_NUMBER:g}: the file is damaged, or its columns "
            f"are in another order"
        )
    if table.shape[1] == 3:
        return Points3d(table)
    rgb = table[:, 3:]
    if ((rgb < 0) | (rgb > 255) | (rgb != np.floor(rgb))).any():
        raise FormatError(f"{path}: colours are whole numbers from 0 to 255")
    return Points3d(np.ascontiguousarray(table[:, :3]), rgb.astype(np.uint8))


def write_points3d(path: Path, points: Points3d) -> None:
    """Write points, with colours if they have any."""
    if points.rgb is None:
        write_rows(path, XYZ_COLUMNS, points.xyz.tolist())
        return
    rows = zip(points.xyz.tolist(), points.rgb.tolist(), strict=True)
    write_rows(path, XYZ_RGB_COLUMNS, ([*xyz, *rgb] for xyz, rgb in rows))


def read_observations(path: Path, num_points: int) -> dict[str, dict[str, Int64]]:
    """Read which keypoints observe which point.

    Lines of format 1.0 have no type of keypoints: theirs is empty.

    Args:
        path: ``observations.txt``.
        num_points: number of points in ``points3d.txt``.

    Returns:
        Type of keypoints -> image -> (K, 2) keypoint and point, in ascending order.

    Raises:
        FormatError: a bad line (with its number), a point that does not exist, or a keypoint that
            observes two points.
    """
    found: dict[str, _Observed] = {}
    for (number, *rest), where in read_rows(path, OBSERVATION_COLUMNS, 1):
        point = whole_number(number, "point3d_id", where)
        if not 0 <= point < num_points:
            raise FormatError(f"{where}: point {point} does not exist, there are {num_points}")
        keypoints_type = rest.pop(0) if len(rest) % 2 else ""
        observed = found.setdefault(keypoints_type, _Observed())
        for name, index in zip(rest[::2], rest[1::2], strict=True):
            observed.add(point, name, whole_number(index, "feature_id", where), where)
    return {each: observed.by_image(path, each) for each, observed in found.items()}


def write_observations(path: Path, observations: Observations) -> None:
    """Write observations, sorted by point; raises as ``write_rows``."""
    rows: list[tuple[object, ...]] = []
    for keypoints_type, images in observations.items():
        by_point: dict[int, list[object]] = {}
        for name in sorted(images):
            for keypoint, point in images[name].tolist():
                by_point.setdefault(point, []).extend([name, keypoint])
        # an empty type is how format 1.0 writes them
        named = [keypoints_type] if keypoints_type else []
        rows += [(point, *named, *by_point[point]) for point in sorted(by_point)]
    write_rows(path, OBSERVATION_COLUMNS, rows)


def _clash(path: Path, keypoints_type: str, image: str, keypoint: int, point: int) -> FormatError:
    """Error of a keypoint that observes a point and another one, with the line of the latter."""
    wheres = (
        where
        for (number, *rest), where in read_rows(path, OBSERVATION_COLUMNS, 1)
        for name, index in zip(rest[len(rest) % 2 :: 2], rest[len(rest) % 2 + 1 :: 2], strict=True)
        if (rest[0] if len(rest) % 2 else "") == keypoints_type
        and int(number) != point
        and int(index) == keypoint
        and relative_name(name, where) == image
    )
    return FormatError(
        f"{next(wheres)}: keypoint {keypoint} of {image!r} observes point {point}, too"
    )


class _Observed:
    """Observations of one type of keypoints, in three arrays: a city has ten million."""

    def __init__(self) -> None:
        self._rows: dict[str, int] = {}
        self._row_of: dict[str, int] = {}
        self._images, self._keypoints, self._points = array("i"), array("q"), array("q")

    def add(self, point: int, written: str, keypoint: int, where: str) -> None:
        """Add an observation.

        Raises:
            FormatError: a name that leads out of the folder, or a negative keypoint.
        """
        row = self._row_of.get(written)
        if row is None:
            name = relative_name(written, where)
            row = self._row_of[written] = self._rows.setdefault(name, len(self._rows))
        if keypoint < 0:
            raise FormatError(f"{where}: keypoint {keypoint} of {written!r} is negative")
        self._images.append(row)
        self._keypoints.append(keypoint)
        self._points.append(point)

    def by_image(self, path: Path, keypoints_type: str) -> dict[str, Int64]:
        """Image -> (K, 2) keypoint and point, in ascending order; repetitions count once.

        Raises:
            FormatError: a keypoint that observes two points.
        """
        images = np.frombuffer(self._images, np.int32)
        keypoints = np.frombuffer(self._keypoints, np.int64)
        points = np.frombuffer(self._points, np.int64)
        order = np.lexsort((points, keypoints, images))
        images, pairs = images[order], np.empty((len(order), 2), np.int64)
        pairs[:, 0], pairs[:, 1] = keypoints[order], points[order]
        is_same = (images[1:] == images[:-1]) & (pairs[1:, 0] == pairs[:-1, 0])
        clashes = np.flatnonzero(is_same & (pairs[1:, 1] != pairs[:-1, 1]))
        names = list(self._rows)
        if len(clashes):
            first = int(clashes[0])
            image, (keypoint, point) = names[images[first]], pairs[first].tolist()
            raise _clash(path, keypoints_type, image, keypoint, point)
        kept = np.concatenate([np.ones(min(len(images), 1), np.bool_), ~is_same])
        if not kept.all():
            images, pairs = images[kept], pairs[kept]
        ends = np.searchsorted(images, np.arange(len(names) + 1))
        return {
            name: pairs[start:end]
            for name, start, end in zip(names, ends[:-1].tolist(), ends[1:].tolist(), strict=True)
        }
