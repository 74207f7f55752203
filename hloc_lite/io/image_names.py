"""Image names: POSIX paths relative to an image folder."""

from __future__ import annotations

import logging
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

from hloc_lite.errors import ImageError
from hloc_lite.io.unread_formats import remedy

logger = logging.getLogger(__name__)
SUFFIXES = (
    ".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".webp", ".bmp", ".tif", ".tiff", ".ppm",
    ".pgm", ".heic", ".heif", ".hif", ".avif",
)  # fmt: skip
"""Suffixes of the photos that are read, in lower case."""
_DEVICES = frozenset(
    {"CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"}
    | {f"{name}{digit}" for name in ("COM", "LPT") for digit in "123456789¹²³"}
)
"""Names of devices, with any suffix and in every folder of Windows."""


def list_images(root: Path) -> tuple[str, ...]:
    """Return the names of all files below ``root`` with a suffix of ``SUFFIXES``, in natural order.

    Linked folders are followed, but no folder is listed twice. A warning counts files in image
    formats that cannot be read, and videos.

    Raises:
        ImageError: a file name that is not UTF-8, which text files and maps cannot store.
    """
    names, unread = [], Counter[str]()
    for folder, files in _folders(root):
        for file in files:
            path = folder / file
            suffix = path.suffix.lower()
            unread[suffix] += remedy(suffix) is not None
            if suffix in SUFFIXES and path.is_file():
                names.append(path.relative_to(root).as_posix())
    names.sort(key=natural_key)
    _warn_of_unread(root, +unread)
    for name in names:
        if not is_unicode(name):
            raise ImageError(f"the file name {name!r} below {root} is not UTF-8: rename it")
    return tuple(names)


def _warn_of_unread(root: Path, counts: Mapping[str, int]) -> None:
    """Warn of files that look like photos or videos, each kind with its remedy."""
    by_remedy: dict[str, list[str]] = {}
    for suffix, count in sorted(counts.items()):
        by_remedy.setdefault(str(remedy(suffix)), []).append(f"{count} {suffix}")
    for reason, kinds in by_remedy.items():
        logger.warning("left out below %s: %s: %s", root, ", ".join(kinds), reason)


def _folders(root: Path) -> Iterator[tuple[Path, list[str]]]:
    """Yield all folders from the root on with their files: linked ones last, each only once."""
    top = os.path.realpath(root)
    seen: set[str] = set()
    pending = [str(root)]
    while pending:
        links: list[str] = []
        for start in pending:
            for folder, subfolders, files in os.walk(start):
                real = os.path.realpath(folder)
                # a link to a parent of the root would loop, too
                if real in seen or (real != top and Path(top).is_relative_to(real)):
                    subfolders.clear()
                    continue
                seen.add(real)
                inner = (os.path.join(folder, name) for name in sorted(subfolders))
                links += (path for path in inner if os.path.islink(path))
                yield Path(folder), files
        pending = links


def check_relative(names: Iterable[str]) -> None:
    """Refuse names that lead out of the image folder, or contain NUL.

    Raises:
        ImageError: names the first of them.
    """
    for name in names:
        if leads_out(name):
            raise ImageError(
                f"image name {name[:200]!r} leaves the image folder; names are relative"
            )


def leads_out(name: str) -> bool:
    """Return True if a path of that name below a folder may lie outside of it on some system.

    Names of maps and lists come from others: ``../private.jpg`` would put a photo into a report.
    So ``..``, absolute paths and drives are refused, with slashes of both kinds. Windows ignores
    dots and spaces at the end of a part: ``.. `` leads out there. Links are not looked at: folders
    are the user's own.
    """
    parts = name.replace("\\", "/").split("/")
    has_drive = name[1:2] == ":" and name[0].isascii() and name[0].isalpha()
    is_up = ".." in name and any(p.startswith("..") and not p.rstrip(". ") for p in parts)
    is_absolute = len(parts) > 1 and not parts[0]
    return is_up or is_absolute or has_drive or "\0" in name or is_reserved(parts)


def is_reserved(parts: Sequence[str], *, windows: bool = os.name == "nt") -> bool:
    """Return True if a part names a device of Windows or a stream of a file: CON, nul.jpg, a:b."""
    return windows and any(
        ":" in part or part.split(".")[0].rstrip(" ").upper() in _DEVICES for part in parts
    )


def path_inside(folder: Path, name: str) -> Path:
    """Path of an image, mask or other file by its name in a folder.

    Raises:
        ImageError: the name leads out of the folder.
    """
    check_relative([name])
    return folder / name


def natural_key(name: str) -> tuple[tuple[object, ...], str]:
    """Sort key that compares runs of digits as numbers: ``frame2`` comes before ``frame10``.

    Names that differ only in leading zeros are ordered as text.
    """
    parts: list[object] = list(re.split("([0-9]+)", name))
    for index in range(1, len(parts), 2):  # every other part is digits
        digits = str(parts[index]).lstrip("0")
        parts[index] = (len(digits), digits)
    return tuple(parts), name


def is_unicode(name: str) -> bool:
    """Return True if a file name can be written as UTF-8; its bytes on disk may be invalid."""
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def normalize_name(name: str) -> str:
    """Return an image name as image sources list it: ``./a`` is ``a``, ``x//a`` is ``x/a``.

    Lists made by scripts and by ``find`` have such names.
    """
    is_normal = name and name[0] != "." and name[-1] != "/"
    if is_normal and "//" not in name and "/." not in name:
        return name  # almost all are; lists have millions
    return PurePosixPath(name).as_posix()
