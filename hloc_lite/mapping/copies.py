"""Copies among the photos of a map: the same file twice, and folders of smaller versions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import PurePosixPath

from hloc_lite.errors import HlocLiteError
from hloc_lite.io.image_sources import FolderSource, ImageSource
from hloc_lite.io.images import open_image

_SMALLER_FOLDER = re.compile("(.+)_([0-9]+)")
"""``images_2`` holds the photos of ``images`` at half the size (a habit of radiance fields)."""
SIZE_TOLERANCE_PX = 2
"""Rounding of a smaller version's sides; folders of other photos have the same size."""


def find_copies(image_hashes: Mapping[str, str], source: ImageSource) -> dict[str, str]:
    """Name -> reason for each photo that is a copy of one that is kept.

    Args:
        image_hashes: name -> fingerprint of the image's bytes, in the order of preference.
    """
    copies: dict[str, str] = {}
    first: dict[str, str] = {}
    for name, digest in image_hashes.items():
        if digest in first:
            copies[name] = f"the same file as {first[digest]!r}"
        first.setdefault(digest, name)
    if isinstance(source, FolderSource):
        stems = {str(PurePosixPath(name).with_suffix("")): name for name in image_hashes}
        for name in image_hashes:
            larger = _larger_version(name, stems, source)
            if larger is not None:
                copies[name] = f"a smaller copy of {larger!r}"
    return copies


def _larger_version(name: str, stems: Mapping[str, str], source: FolderSource) -> str | None:
    """Name of the same photo in the folder of full size; None if there is none."""
    *folders, file = PurePosixPath(name).with_suffix("").parts
    for index, folder in enumerate(folders):
        found = _SMALLER_FOLDER.fullmatch(folder)
        if found is None:
            continue
        full = "/".join([*folders[:index], found[1], *folders[index + 1 :], file])
        if full in stems and _is_smaller(source, name, stems[full], int(found[2])):
            return stems[full]
    return None


def _is_smaller(source: FolderSource, small: str, large: str, factor: int) -> bool:
    """Return True if a photo has the size of another one divided by a factor of 2 or more."""
    try:
        with open_image(source.root / small, with_pixels=False) as image:
            size = image.size
        with open_image(source.root / large, with_pixels=False) as image:
            full = image.size
    except (OSError, HlocLiteError, ValueError):
        return False
    off = (abs(side * factor - whole) for side, whole in zip(size, full, strict=True))
    return factor > 1 and max(off) <= SIZE_TOLERANCE_PX * factor
