"""COLMAP's text model files: cameras.txt, images.txt, points3D.txt."""

from __future__ import annotations

import re
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
from hloc_lite.io.files import read_text
from hloc_lite.types import Camera, Float64, Int64

T = TypeVar("T")
_STATED_COUNT = re.compile(
    r"^#\s*Number of (?:cameras|images|points|rigs|frames): (\d+)", re.MULTILINE
)


def read_cameras(path: Path) -> list[tuple[int, Camera]]:
    """Return camera ids and cameras.

    Raises:
        FormatError: a bad line (with its number), or fewer cameras than the file's head states.
    """
    text = read_text(path)
    cameras = [_parse_camera(where, line) for where, line in content_lines(path, text) if line]
    return check_count(path, text, cameras)


def read_images(path: Path) -> list[RawImage]:
    """Return images; each has two lines, the second may be empty.

    Raises:
        FormatError: a bad line (with its number), or fewer images than the file's head states.
    """
    text = read_text(path)
    return check_count(path, text, list(_parse_images(content_lines(path, text))))


def read_points(path: Path) -> RawPoints:
    """Return the points; their tracks are skipped.

    Raises:
        FormatError: a bad line (with its number), or fewer points than the file's head states.
    """
    text = read_text(path)
    rows = [_parse_point(where, line) for where, line in content_lines(path, text) if line]
    check_count(path, text, rows)
    if not rows:
        return empty_points()
    ids, numbers, rgb = zip(*rows, strict=True)
    table = np.array(numbers)
    return RawPoints(np.array(ids, np.int64), table[:, :3], np.array(rgb, np.uint8), table[:, 3])


def content_lines(path: Path, text: str) -> Iterator[tuple[str, str]]:
    """Yield the place and the text of each line that is no comment; empty ones, too."""
    # not splitlines(): it also splits at characters that names may contain (such as U+2028)
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.startswith("#"):
            yield f"{path}, line {number}", line.strip()


def check_count(path: Path, text: str, found: list[T]) -> list[T]:
    """Return ``found`` if COLMAP's comment at the head of the file states the same number."""
    stated = _STATED_COUNT.search(text)
    if stated is None:
        return found
    if int(stated[1]) != len(found) or not text.endswith("\n"):
        raise FormatError(
            f"{path} is cut off: its head states {stated[0]!r}, {len(found)} were found"
            + ("" if text.endswith("\n") else ", and its last line does not end")
            + ". If you changed the file on purpose, remove that comment"
        )
    return found


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
        xy = np.array([words[0::3], words[1::3]], np.float64).T
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
