"""Names of images in hloc's HDF5 files, and its pixel convention."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from hloc_lite.errors import FormatError
from hloc_lite.io.image_names import is_unicode, leads_out, normalize_name
from hloc_lite.types import Float32

PIXEL_OFFSET = 0.5
"""Added to hloc's pixels, where (0, 0) is the centre of the first pixel; COLMAP has (0.5, 0.5)."""


def from_hloc_pixels(points: Float32) -> Float32:
    """(..., 2) pixels of this package for those in a file of hloc."""
    return points + points.dtype.type(PIXEL_OFFSET)


def to_hloc_pixels(points: Float32) -> Float32:
    """(..., 2) pixels as hloc writes them, for those of this package."""
    return points - points.dtype.type(PIXEL_OFFSET)


def pair_key(name: str) -> str:
    """Name of an image's group in a matches file: ``-`` stands for ``/``."""
    return name.replace("/", "-")


def names_by_key(names: Iterable[str]) -> Mapping[str, tuple[str, ...]]:
    """Images of each key of a matches file; more than one: the key is ambiguous."""
    found: dict[str, list[str]] = defaultdict(list)
    for name in dict.fromkeys(names):
        found[pair_key(name)].append(name)
    return {key: tuple(same) for key, same in found.items()}


def check_stored_name(name: str, where: str) -> str:
    """The name itself if it can be an image's name in an HDF5 file.

    Raises:
        FormatError: it is not in normal form, leads out of the image folder, or is not Unicode.
    """
    if not name or name == "." or not is_unicode(name) or leads_out(name):
        raise FormatError(
            f"{where}: {name[:200]!r} is no image name; names are relative to the image folder"
        )
    if normalize_name(name) != name:
        raise FormatError(
            f"{where}: image name {name[:200]!r} has parts that mean nothing; write "
            f"{normalize_name(name)[:200]!r}"
        )
    return name
