"""Names of images: the files of a folder that are photos, and names that may be used."""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from hloc_lite.errors import ImageError

logger = logging.getLogger(__name__)
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".ppm", ".pgm")
UNREAD_SUFFIXES = (
    ".heic", ".heif", ".avif", ".jxl", ".jp2", ".gif",
    ".dng", ".cr2", ".cr3", ".nef", ".arw", ".orf", ".raf", ".rw2", ".pef", ".srw", ".raw",
)  # fmt: skip
"""Formats of photos that need other decoders, and raw data of sensors."""


def list_images(root: Path) -> tuple[str, ...]:
    """Sorted POSIX names, relative to the root, of all files that look like images.

    Linked folders are followed, but no folder is listed twice. Photos in formats that are not read
    are counted in a warning.

    Raises:
        ImageError: a file name that is not UTF-8, which no text file or map could hold.
    """
    names, unread = [], Counter[str]()
    for folder, files in _folders(root):
        for file in files:
            path = folder / file
            suffix = path.suffix.lower()
            unread[suffix] += suffix in UNREAD_SUFFIXES
            if suffix in SUFFIXES and path.is_file():
                names.append(path.relative_to(root).as_posix())
    names.sort()
    if unread.total():
        kinds = ", ".join(f"{count} {suffix}" for suffix, count in sorted((+unread).items()))
        logger.warning(
            "photos below %s that are not read: %s; convert them to JPEG or PNG to use them",
            root, kinds,
        )  # fmt: skip
    for name in names:
        if not is_unicode(name):
            raise ImageError(f"the file name {name!r} below {root} is not UTF-8: rename it")
    return tuple(names)


def _folders(root: Path) -> Iterator[tuple[Path, list[str]]]:
    """All folders from the root on with their files; linked ones last, and each only once."""
    top = os.path.realpath(root)
    seen: set[str] = set()
    waiting = [str(root)]
    while waiting:
        links: list[str] = []
        for start in waiting:
            for folder, subfolders, files in os.walk(start):
                real = os.path.realpath(folder)
                # a link to a folder around the root is a loop, too
                if real in seen or (real != top and Path(top).is_relative_to(real)):
                    subfolders.clear()
                    continue
                seen.add(real)
                inner = (os.path.join(folder, name) for name in sorted(subfolders))
                links += (path for path in inner if os.path.islink(path))
                yield Path(folder), files
        waiting = links


def check_relative(names: Iterable[str]) -> None:
    """Refuse names that lead out of the image folder.

    Raises:
        ImageError: with the first such name.
    """
    for name in names:
        if Path(name).is_absolute() or ".." in Path(name).parts:
            raise ImageError(f"image name {name!r} leaves the image folder; names are relative")


def is_unicode(name: str) -> bool:
    """Whether a file's name can be written as UTF-8 (it cannot if its bytes on disk are not)."""
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def normalize_name(name: str) -> str:
    """Return an image name as image sources list it: ``./a`` is ``a``, ``x//a`` is ``x/a``.

    Lists made by scripts and by ``find`` have such names.
    """
    return PurePosixPath(name).as_posix()
