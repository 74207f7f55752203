"""Intrinsics that the user gives for images of files that have poses only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from hloc_lite.errors import FormatError
from hloc_lite.types import Camera

ANY_IMAGE = "*"
"""Name in a list of intrinsics whose line holds for all images that are not listed."""


def given_cameras(
    names: Iterable[str], given: Mapping[str, Camera] | None, where: str
) -> dict[str, Camera]:
    """Intrinsics of images, from those that the user has given.

    An image takes those of its own name; else those of the end of its path, ``1.png`` for
    ``rgb/1.png``; else those of ``ANY_IMAGE``.

    Args:
        names: images that have poses.
        given: image name or ``ANY_IMAGE`` -> intrinsics; None if the user has given none.
        where: file with the poses, for errors.

    Returns:
        Image name -> intrinsics, without the images that have none.

    Raises:
        FormatError: none are given, none fits, or two images would take the same line.
    """
    listed = list(names)
    if not given:
        raise FormatError(
            f"{where} has poses, but no intrinsics: give them with --cameras, in a file of lines "
            f"'NAME MODEL W H params...', or one line '{ANY_IMAGE} MODEL W H params...' for all "
            f"images. Focal lengths in EXIF are too inexact for poses that are kept"
        )
    lines = {name: line_of(name, given) for name in listed}
    taken = Counter(line for line in lines.values() if line not in (None, ANY_IMAGE))
    twice = next((line for line, count in taken.items() if count > 1), None)
    if twice is not None:
        both = [name for name, line in lines.items() if line == twice]
        raise FormatError(
            f"{where}: the intrinsics of {twice!r} may belong to {both[0]!r} or {both[1]!r}: give "
            f"names with their folders"
        )
    found = {name: given[line] for name, line in lines.items() if line is not None}
    if listed and not found:
        raise FormatError(
            f"{where}: none of the {len(listed)} images has intrinsics, first {listed[0]!r}; they "
            f"are given for {next(iter(given))!r}"
        )
    return found


def line_of(name: str, given: Mapping[str, Camera]) -> str | None:
    """Key of the given intrinsics that an image takes, see ``given_cameras``; None if none."""
    parts = name.split("/")
    ends = ("/".join(parts[start:]) for start in range(len(parts)))
    return next((key for key in (*ends, ANY_IMAGE) if key in given), None)
