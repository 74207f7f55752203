"""COLMAP's text model files: cameras.txt, images.txt, points3D.txt."""

from __future__ import annotations

import re
from array import array
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np

from hloc_lite.errors import FormatError
from hloc_lite.formats.colmap.raw import (
    MAX_POINT_ID,
    NO_POINT_ID,
    RawImage,
    RawPoints,
    empty_points,
    make_camera,
)
from hloc_lite.io.files import text_lines
from hloc_lite.types import Camera, Float64, Int64

T = TypeVar("T")
_STATED_COUNT = re.compile(r"^#\s*Number of (?:cameras|images|points|rigs|frames): (\d+)")


def read_cameras(path: Path) -> list[tuple[int, Camera]]:
    """Return camera ids and cameras.

    Raises:
        FormatError: a bad line (with its number), or fewer cameras than the file's head states.
    """
    head = CountedLines(path)
    cameras = [_parse_camera(where, line) for where, line in head.content_lines() if line]
    head.check_count(len(cameras))
    return cameras


def read_images(path: Path) -> list[RawImage]:
    """Return images; each has two lines, the second may be empty.

    Raises:
        FormatError: a bad line (with its number), or fewer images than the file's head states.
    """
    head = CountedLines(path)
    images = list(_parse_images(head.content_lines()))
    head.check_count(len(images))
    return images


def read_points(path: Path) -> RawPoints:
    """Return the points; their tracks are skipped.

    Raises:
        FormatError: a bad line (with its number), or fewer points than the file's head states.
    """
    head = CountedLines(path)
    ids, numbers, rgb = array("q"), array("d"), array("B")
    for where, line in head.content_lines():
        if line:
            point_id, values, color = _parse_point(where, line)
            ids.append(point_id)
            numbers.extend(values)
            rgb.extend(color)
    head.check_count(len(ids))
    if not ids:
        return empty_points()
    table = np.array(numbers).reshape(-1, 4)
    return RawPoints(
        np.array(ids, np.int64), table[:, :3], np.array(rgb).reshape(-1, 3), table[:, 3]
    )


class CountedLines:
    """Lines of a file, and the number of entries that COLMAP's comment at its head states."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._stated: re.Match[str] | None = None
        self._last = ""

    def content_lines(self) -> Iterator[tuple[str, str]]:
        """Place of each line without a comment, and the line; none of the rest is in memory."""
        for number, line in enumerate(text_lines(self.path, keep_ends=True), start=1):
            self._last = line
            if not line.startswith("#"):
                yield f"{self.path}, line {number}", line.strip()
            elif self._stated is None:
                self._stated = _STATED_COUNT.match(line)

    def check_count(self, found: int) -> None:
        """Check the number of entries, when all lines were read.

        Raises:
            FormatError: the comment states another one, or the last line does not end.
        """
        if self._stated is None:
            return
        has_end = self._last.endswith("\n")
        if int(self._stated[1]) != found or not has_end:
            raise FormatError(
                f"{self.path} is cut off: its head states {self._stated[0]!r}, {found} were found"
                + ("" if has_end else ", and its last line does not end")
                + ". If you changed the file on purpose, remove that comment"
            )


def _parse_camera(where: str, line: str) -> tuple[int, Camera]:
    words = line.split()
    if len(words) < 5:
        raise FormatError(f"{where}: expected 'CAMERA_ID MODEL WIDTH HEIGHT PARAMS...'")
    camera_id, width, height = parse_words(int, [words[0], *words[2:4]], where)
    params = np.array(parse_words(float, words[4:], where))
    return camera_id, make_camera(camera_id, words[1], width, height, params, where)


def _parse_images(lines: Iterator[tuple[str, str]]) -> Iterator[RawImage]:
    for where, line in lines:
        if not line:
            continue  # between images; the empty line of an image without points is taken below
        words = line.split(maxsplit=9)  # the name is the rest: it may contain spaces
        if len(words) != 10:
            raise FormatError(f"{where}: expected 'IMAGE_ID QW QX QY QZ TX TY TZ CAMERA_ID NAME'")
        image_id, camera_id = parse_words(int, [words[0], words[8]], where)
        pose = np.array(parse_words(float, words[1:8], where))
        where_points, points_line = next(lines, (where, ""))
        xy, ids = _parse_points2D(points_line.split(), where_points)
        yield RawImage(image_id, pose[:4], pose[4:], camera_id, words[9], xy, ids)


def _parse_points2D(words: Sequence[str], where: str) -> tuple[Float64, Int64]:
    hint = "expected 'X Y POINT3D_ID' for each point of the image above, or an empty line"
    if len(words) % 3:
        raise FormatError(f"{where}: {hint}")
    try:
        xy = np.array([list(map(float, words[0::3])), list(map(float, words[1::3]))]).T
        ids = [int(word) for word in words[2::3]]
    except ValueError as error:
        raise FormatError(f"{where}: {hint}; {error}") from None
    valid = [value if 0 <= value <= MAX_POINT_ID else NO_POINT_ID for value in ids]
    return xy, np.array(valid, np.int64)


def _parse_point(where: str, line: str) -> tuple[int, list[float], list[int]]:
    words = line.split(maxsplit=8)
    if len(words) < 8:
        raise FormatError(f"{where}: expected 'POINT3D_ID X Y Z R G B ERROR TRACK...'")
    point_id, *rgb = parse_words(int, [words[0], *words[4:7]], where)
    if not 0 <= point_id <= MAX_POINT_ID or not all(0 <= value <= 255 for value in rgb):
        raise FormatError(f"{where}: expected an id >= 0 and colours of 0 to 255")
    return point_id, parse_words(float, [*words[1:4], words[7]], where), rgb


def parse_words(kind: Callable[[str], T], words: Sequence[str], where: str) -> list[T]:
    """Words as numbers.

    Raises:
        FormatError: a word is none; names ``where``.
    """
    try:
        return [kind(word) for word in words]
    except ValueError as error:
        raise FormatError(f"{where}: {error}") from None
