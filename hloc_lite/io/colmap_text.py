"""COLMAP's text models: the three files as raw values, each bad line named."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np

from hloc_lite.errors import FormatError, ShapeError
from hloc_lite.geometry.cameras import check_camera
from hloc_lite.io.files import read_text
from hloc_lite.types import Camera, Float64, Int64

T = TypeVar("T")
RawImage = tuple[int, np.ndarray, np.ndarray, int, str, Float64, Int64]
"""image id, quaternion (w x y z), translation, camera id, name, (N, 2) pixels, (N,) point ids."""
RawPoints = tuple[Int64, Float64, np.ndarray, Float64]
"""(M,) ids, (M, 3) xyz, (M, 3) rgb, (M,) errors in pixels."""
MAX_ID = 2**63 - 1
NO_ID = -1
MAX_IMAGE_ID = 2**31 - 2
"""COLMAP's databases hold no larger one."""
MAX_SIDE_PX = 10**6
"""No image is larger; a damaged size easily is."""
_STATED_COUNT = re.compile(r"^#\s*Number of (?:cameras|images|points): (\d+)", re.MULTILINE)


def file_camera(
    camera_id: int, model: str, width: int, height: int, params: Float64, where: str
) -> Camera:
    """A camera out of a file.

    Raises:
        FormatError: numbers that cannot be a camera's; ``where`` and the id are named.
    """
    if not 0 <= camera_id < 2**31 or max(width, height) > MAX_SIDE_PX:
        raise FormatError(f"{where}: camera {camera_id} of {width} x {height} px is out of range")
    try:
        return check_camera(Camera(model, width, height, params))
    except (FormatError, ShapeError) as error:
        raise FormatError(f"{where}: camera {camera_id}: {error}") from None


def read_cameras(path: Path) -> list[tuple[int, Camera]]:
    """Ids and cameras of cameras.txt.

    Raises:
        FormatError: a bad line, or fewer cameras than the file's head says.
    """
    text = read_text(path)
    cameras = [_camera(where, line) for where, line in _content_lines(path, text) if line]
    return _counted(path, text, cameras)


def read_images(path: Path) -> list[RawImage]:
    """The images of images.txt, two lines each; the second may be empty.

    Raises:
        FormatError: a bad line, or fewer images than the file's head says.
    """
    text = read_text(path)
    return _counted(path, text, list(_images(_content_lines(path, text))))


def read_points(path: Path) -> RawPoints:
    """The points of points3D.txt without their tracks.

    Raises:
        FormatError: a bad line, or fewer points than the file's head says.
    """
    text = read_text(path)
    rows = [_point(where, line) for where, line in _content_lines(path, text) if line]
    _counted(path, text, rows)
    if not rows:
        return empty_points()
    ids, numbers, rgb = zip(*rows, strict=True)
    table = np.array(numbers)
    return np.array(ids, np.int64), table[:, :3], np.array(rgb, np.uint8), table[:, 3]


def empty_points() -> RawPoints:
    """No points."""
    return np.empty(0, np.int64), np.empty((0, 3)), np.empty((0, 3), np.uint8), np.empty(0)


def _content_lines(path: Path, text: str) -> Iterator[tuple[str, str]]:
    # not splitlines(): it also breaks at characters that names may contain (U+2028 and the like)
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.startswith("#"):
            yield f"{path}, line {number}", line.strip()


def _counted(path: Path, text: str, found: list[T]) -> list[T]:
    """``found``, if it is as many as the comment at the file's head says (COLMAP writes one)."""
    stated = _STATED_COUNT.search(text)
    if stated is None:
        return found
    if int(stated[1]) != len(found) or not text.endswith("\n"):
        raise FormatError(
            f"{path} is cut off: {stated[0]!r} stands at its head, {len(found)} were found"
            + ("" if text.endswith("\n") else ", and its last line does not end")
            + ". If you changed the file on purpose, remove that comment"
        )
    return found


def _camera(where: str, line: str) -> tuple[int, Camera]:
    words = line.split()
    if len(words) < 5:
        raise FormatError(f"{where}: expected 'CAMERA_ID MODEL WIDTH HEIGHT PARAMS...'")
    camera_id, width, height = _parse(int, [words[0], *words[2:4]], where)
    params = np.array(_parse(float, words[4:], where))
    return camera_id, file_camera(camera_id, words[1], width, height, params, where)


def _images(lines: Iterator[tuple[str, str]]) -> Iterator[RawImage]:
    for where, line in lines:
        if not line:
            continue  # blank lines between images; that of an image without points is taken below
        words = line.split(maxsplit=9)  # the name is the rest: it may contain spaces
        if len(words) != 10:
            raise FormatError(f"{where}: expected 'IMAGE_ID QW QX QY QZ TX TY TZ CAMERA_ID NAME'")
        image_id, camera_id = _parse(int, [words[0], words[8]], where)
        pose = np.array(_parse(float, words[1:8], where))
        where_points, points_line = next(lines, (where, ""))
        xy, ids = _observations(points_line.split(), where_points)
        yield image_id, pose[:4], pose[4:], camera_id, words[9], xy, ids


def _observations(words: Sequence[str], where: str) -> tuple[Float64, Int64]:
    hint = "expected 'X Y POINT3D_ID' for each point of the image above, or an empty line"
    if len(words) % 3:
        raise FormatError(f"{where}: {hint}")
    try:
        xy = np.array([words[0::3], words[1::3]], np.float64).T
        ids = [int(word) for word in words[2::3]]
    except ValueError as error:
        raise FormatError(f"{where}: {hint}; {error}") from None
    return xy, np.array([value if 0 <= value <= MAX_ID else NO_ID for value in ids], np.int64)


def _point(where: str, line: str) -> tuple[int, list[float], list[int]]:
    words = line.split(maxsplit=8)
    if len(words) < 8:
        raise FormatError(f"{where}: expected 'POINT3D_ID X Y Z R G B ERROR TRACK...'")
    point_id, *rgb = _parse(int, [words[0], *words[4:7]], where)
    if not 0 <= point_id <= MAX_ID or not all(0 <= value <= 255 for value in rgb):
        raise FormatError(f"{where}: expected an id >= 0 and colours of 0 to 255")
    return point_id, _parse(float, [*words[1:4], words[7]], where), rgb


def _parse(kind: Callable[[str], T], words: Sequence[str], where: str) -> list[T]:
    try:
        return [kind(word) for word in words]
    except ValueError as error:
        raise FormatError(f"{where}: {error}") from None
