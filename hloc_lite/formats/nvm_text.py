"""Text of NVM files: their models, cameras and point lines, before names and sizes are known."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, dropwhile, islice
from typing import TypeVar

import numpy as np

from hloc_lite.errors import FormatError
from hloc_lite.formats.pose_text import pose_from_matrix, pose_from_quat
from hloc_lite.formats.track_lists import (
    NumberedLine,
    Tracks,
    bounded_numbers,
    content_lines,
    parse_count,
    parse_numbers,
    parse_tracks,
)
from hloc_lite.types import Float64, Rigid3

T = TypeVar("T")
_HEADERS = {"NVM_V3": 4, "NVM_V3_R9T": 9}
"""First word -> numbers of a rotation. R9T has matrices and, unlike V3, translations."""


@dataclass(frozen=True, eq=False)
class NvmCamera:
    """One camera line."""

    name: str
    """As written, quotation marks read as spaces."""
    focal_px: float
    cam_from_world: Rigid3
    misread: Rigid3
    """Pose if the position is a translation, or the translation a position."""
    radial: float
    where: str
    """File and line."""


@dataclass(frozen=True, eq=False)
class NvmModel:
    """Cameras of a model, and where its points are; they are read on demand."""

    cameras: tuple[NvmCamera, ...]
    num_points: int
    """Lines of points."""
    count_line: int
    """Number of the line in front of them, which holds their count."""


def parse_models(text_lines: Iterable[str], path: str) -> list[NvmModel]:
    """Models of an NVM file, in its order.

    Args:
        text_lines: all lines of the file.
        path: file, for errors.

    Raises:
        FormatError: another header or layout, or fewer lines than announced.
    """
    lines = content_lines(text_lines)
    head = list(islice(lines, 2))
    num_rotation = _HEADERS[_header(head, path)[0]]
    lines = chain(head[2 if _has_calibration_line(head) else 1 :], lines)
    models = []
    for line in lines:
        if line[1] == "0":
            break
        cameras = _announced(lines, line, "cameras", path)
        count_line = next(lines, None)
        if count_line is None:
            raise FormatError(f"{path}: expected a number of points, got the end: it is cut off")
        found = tuple(_camera(each, num_rotation, path) for each in cameras)
        num_points = len(_announced((None for _ in lines), count_line, "points", path))
        models.append(NvmModel(found, num_points, count_line[0]))
    return models


def parse_calibration(text_lines: Iterable[str], path: str) -> Float64 | None:
    """(4,) fx cx fy cy of the header's ``FixedK``; None if it has none.

    Args:
        text_lines: lines of the file, of which the first ones are read.
        path: file, for errors.

    Raises:
        FormatError: another header, or not four finite numbers with positive fx and fy.
    """
    _, *words = _header(list(islice(content_lines(text_lines), 2)), path)
    if not words:
        return None
    if words[0] != "FixedK" or len(words) != 5:
        raise FormatError(
            f"{path}, line 1: expected 'NVM_V3' or 'NVM_V3 FixedK fx cx fy cy', got {words[:8]} "
            f"after the version"
        )
    numbers = bounded_numbers(words[1:], f"{path}, line 1")
    if not (numbers[0] > 0 and numbers[2] > 0):
        raise FormatError(f"{path}, line 1: expected fx and fy above 0, got {numbers}")
    return np.array(numbers)


def parse_points(model: NvmModel, text_lines: Iterable[str], path: str) -> Tracks:
    """Points and measurements of a model.

    Args:
        model: of this file.
        text_lines: all lines of the file.
        path: file, for errors.

    Raises:
        FormatError: a line that is no point, or an image index out of range.
    """
    behind = dropwhile(lambda line: line[0] <= model.count_line, content_lines(text_lines))
    numbers = parse_numbers(path, islice(behind, model.num_points))
    return parse_tracks(numbers, 0, model.num_points, len(model.cameras))


def centered(rotation: Float64, center: Float64) -> Rigid3:
    """cam_from_world of its (3, 3) rotation and the (3,) camera centre."""
    return Rigid3(rotation, -rotation @ center)


def _header(lines: Sequence[NumberedLine], path: str) -> list[str]:
    words = lines[0][1].split() if lines else []
    if not words or words[0] not in _HEADERS:
        raise FormatError(
            f"{path}, line 1: expected an NVM file, which starts with NVM_V3, got "
            f"{' '.join(words)[:40]!r}"
        )
    return words + (lines[1][1].split() if _has_calibration_line(lines) else [])


def _has_calibration_line(lines: Sequence[NumberedLine]) -> bool:
    """True if ``FixedK`` stands in the second line instead of the first."""
    return len(lines) > 1 and lines[1][1].split()[0] == "FixedK"


def _announced(lines: Iterator[T], count_line: NumberedLine, what: str, path: str) -> list[T]:
    """As many of the following lines as a line announces."""
    number, text = count_line
    is_count = text.isascii() and text.isdigit() and len(text) <= 18
    found = list(islice(lines, int(text) if is_count else None))
    parse_count(text, f"{path}, line {number}", what, len(found))
    return found


def _camera(line: NumberedLine, num_rotation: int, path: str) -> NvmCamera:
    number, text = line
    where = f"{path}, line {number}"
    num_numbers = num_rotation + 6
    parts = text.rsplit(maxsplit=num_numbers)
    if len(parts) != num_numbers + 1:
        raise FormatError(
            f"{where}: expected a name and {num_numbers} numbers (focal length, rotation, "
            f"position, radial distortion, 0), got {text[:80]!r}"
        )
    values = bounded_numbers(parts[1:], where)
    rotation, given = values[1 : 1 + num_rotation], values[1 + num_rotation : 4 + num_rotation]
    is_translation = num_rotation == 9
    if is_translation:
        as_translation = pose_from_matrix(
            np.column_stack([np.array(rotation).reshape(3, 3), given]), where
        )
    else:
        as_translation = pose_from_quat(rotation, given, where)
    as_center = centered(as_translation.rotation, as_translation.translation)
    if not values[0] > 0:
        raise FormatError(f"{where}: expected a focal length above 0, got {values[0]:g}")
    return NvmCamera(
        parts[0].replace('"', " "),
        values[0],
        as_translation if is_translation else as_center,
        as_center if is_translation else as_translation,
        values[4 + num_rotation],
        where,
    )
