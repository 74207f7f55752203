"""Text of NVM files: their models, cameras and point lines, before names and sizes are known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

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
    """Cameras of a model, and the lines of its points."""

    cameras: tuple[NvmCamera, ...]
    point_lines: tuple[NumberedLine, ...]


def parse_models(text: str, path: str) -> list[NvmModel]:
    """Models of an NVM file, in its order.

    Raises:
        FormatError: another header or layout, or fewer lines than announced.
    """
    lines = content_lines(text)
    num_rotation = _HEADERS[_header(lines, path)[0]]
    models = []
    position = 2 if _has_calibration_line(lines) else 1
    while position < len(lines) and lines[position][1] != "0":
        count, position = _count(lines, position, "cameras", path)
        listed = lines[position : position + count]
        cameras = tuple(_camera(line, num_rotation, path) for line in listed)
        position += count
        count, position = _count(lines, position, "points", path)
        models.append(NvmModel(cameras, tuple(lines[position : position + count])))
        position += count
    return models


def parse_calibration(text: str, path: str) -> Float64 | None:
    """(4,) fx cx fy cy of the header's ``FixedK``; None if it has none.

    Raises:
        FormatError: another header, or not four finite numbers with positive fx and fy.
    """
    _, *words = _header(content_lines(text[:10_000]), path)
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


def parse_points(model: NvmModel, path: str) -> Tracks:
    """Points and measurements of a model.

    Raises:
        FormatError: a line that is no point, or an image index out of range.
    """
    numbers = parse_numbers(path, model.point_lines)
    return parse_tracks(numbers, 0, len(model.point_lines), len(model.cameras))


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


def _count(lines: Sequence[NumberedLine], position: int, what: str, path: str) -> tuple[int, int]:
    """Count in a line, checked against the lines that follow, and the position after it."""
    if position >= len(lines):
        raise FormatError(f"{path}: expected a number of {what}, got the end: it is cut off")
    number, line = lines[position]
    left = len(lines) - position - 1
    return parse_count(line, f"{path}, line {number}", what, left), position + 1


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
