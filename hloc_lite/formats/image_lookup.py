"""Names and sizes of images that a model file names inexactly and without their size.

Such files have ``./`` or backslashes in names, the suffix of another copy of the images, and no
width and height. Both are found in given intrinsics or in the image folder.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath

from PIL import Image

from hloc_lite.errors import FormatError
from hloc_lite.formats.given_intrinsics import line_of
from hloc_lite.io.exif import read_orientation
from hloc_lite.io.image_names import SUFFIXES, is_unicode, leads_out, normalize_name
from hloc_lite.io.images import open_image, short_reason
from hloc_lite.io.regular_files import is_file
from hloc_lite.types import Camera


@dataclass(frozen=True, eq=False, kw_only=True)
class ImageLookup:
    """Sources of image names and sizes, in this order: cameras, then the folder."""

    cameras: Mapping[str, Camera] = field(default_factory=dict)
    """Image name, end of its path or ``ANY_IMAGE`` -> given intrinsics, see ``given_cameras``."""
    folder: Path | None = None
    """Image folder that names are relative to."""
    suffixes: Mapping[str, str] = field(default_factory=dict)
    """Suffix in the file -> suffix of the images, such as ``{".png": ".jpg"}``."""

    def find_name(self, written: str, where: str) -> str:
        """Name of the image that a file calls ``written``, in normal form.

        Another suffix is taken if only that image is known.

        Raises:
            FormatError: the name is empty or leads out of the image folder.
        """
        name = clean_name(written, where)
        suffix = PurePosixPath(name).suffix
        if suffix in self.suffixes:
            name = without_suffix(name) + self.suffixes[suffix]
        if name in self.cameras:
            return name
        same_stem = self._names_by_stem.get(without_suffix(name), [])
        if len(same_stem) == 1:
            return same_stem[0]
        return (self.folder and find_file(self.folder, name)) or name

    def find_camera(self, name: str) -> Camera | None:
        """Given intrinsics of an image by its exact name; None if there are none."""
        line = line_of(name, self.cameras)
        return None if line is None else self.cameras[line]

    def find_size(self, name: str) -> tuple[int, int] | None:
        """(width, height) of an image by its exact name; None if unknown.

        Raises:
            FormatError: the file is no readable image.
        """
        camera = self.find_camera(name)
        if camera is not None:
            return camera.width, camera.height
        if self.folder is None or not is_file(self.folder / name):
            return None
        return upright_size(self.folder / name)

    @cached_property
    def _names_by_stem(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for name in self.cameras:
            found.setdefault(without_suffix(name), []).append(name)
        return found


def clean_name(written: str, where: str) -> str:
    """Image name in normal form, with slashes.

    Raises:
        FormatError: it is empty, contains NUL, is no Unicode text, or leads out of the image
            folder.
    """
    name = normalize_name(written.strip().replace("\\", "/"))
    if name in (".", "") or leads_out(name) or not is_unicode(name):
        raise FormatError(
            f"{where}: image name {written[:200]!r} is empty or leaves the image folder; names "
            f"must be relative"
        )
    return name


def without_suffix(name: str) -> str:
    """Name without the suffix of its last part."""
    return name.removesuffix(PurePosixPath(name).suffix)


def find_file(folder: Path, name: str) -> str | None:
    """Name of an image below the folder, the given one or with another suffix; None if missing.

    Args:
        folder: image folder.
        name: from ``clean_name``, with or without suffix.
    """
    if is_file(folder / name):
        return name
    for stem in dict.fromkeys((name, without_suffix(name))):
        for suffix in SUFFIXES:
            for candidate in (stem + suffix, stem + suffix.upper()):
                if is_file(folder / candidate):
                    return candidate
    return None


def upright_size(path: Path) -> tuple[int, int]:
    """(width, height) of an image file after its EXIF rotation, without decoding it.

    Raises:
        FormatError: unreadable, or no image.
    """
    try:
        with open_image(path, with_pixels=False) as image:
            turned = read_orientation(image) in (5, 6, 7, 8)
            return _swapped(image) if turned else image.size
    except Exception as error:  # Pillow raises many kinds on damaged files
        raise FormatError(f"{path}: its size cannot be read: {short_reason(error)}") from None


def _swapped(image: Image.Image) -> tuple[int, int]:
    return image.height, image.width
