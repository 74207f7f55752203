"""Image sources: named photos from a folder or from memory."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from hloc_lite.config import ImagesConfig
from hloc_lite.errors import ImageError
from hloc_lite.io.image_names import (
    SUFFIXES,
    check_relative,
    is_unicode,
    leads_out,
    list_images,
    natural_key,
    path_inside,
)
from hloc_lite.io.images import read_image_bytes, read_mask, read_photo
from hloc_lite.io.regular_files import is_file
from hloc_lite.io.unread_formats import remedy
from hloc_lite.types import Photo


class ImageSource(Protocol):
    """Named photos that can be loaded one by one."""

    @property
    def names(self) -> tuple[str, ...]: ...

    def load(self, name: str) -> Photo:
        """Return the decoded photo. Raises ImageError if it cannot be read."""

    def fingerprint(self, name: str) -> str:
        """Return 16 hex digits that identify the content of the image and its mask.

        Raises ImageError if it cannot be read.
        """


@dataclass(frozen=True)
class FolderSource:
    """Images of a folder by relative names; masks are called NAME.png, as in COLMAP."""

    root: Path
    names: tuple[str, ...]
    config: ImagesConfig = field(default_factory=ImagesConfig)
    mask_dir: Path | None = None

    def load(self, name: str) -> Photo:
        photo = read_photo(path_inside(self.root, name), name, self.config)
        mask_path = self._mask_path(name)
        if mask_path is None:
            return photo
        mask = read_mask(mask_path, (photo.width, photo.height), self.config)
        if photo.mask is not None:
            mask = mask & photo.mask
        return replace(photo, mask=mask)

    def fingerprint(self, name: str) -> str:
        digest = hashlib.sha256(
            read_image_bytes(path_inside(self.root, name), "image", self.config)
        )
        mask_path = self._mask_path(name)
        if mask_path is not None:
            digest.update(read_image_bytes(mask_path, "mask", self.config))
        return digest.hexdigest()[:16]

    def _mask_path(self, name: str) -> Path | None:
        path = None if self.mask_dir is None else path_inside(self.mask_dir, f"{name}.png")
        return path if path is not None and is_file(path) else None


def photo_hashes(source: ImageSource, fingerprints: Mapping[str, str]) -> dict[str, str]:
    """Name -> fingerprint of each photo without its mask: that of its file, if it has one.

    Args:
        source: the photos.
        fingerprints: name -> fingerprint, of those to hash.

    Raises:
        ImageError: a file cannot be read.
    """
    if not isinstance(source, FolderSource) or source.mask_dir is None:
        return dict(fingerprints)
    unmasked = FolderSource(source.root, source.names, source.config)
    return {name: unmasked.fingerprint(name) for name in fingerprints}


@dataclass(frozen=True)
class FileSource:
    """Image files by their own paths, as a user gives them."""

    names: tuple[str, ...]
    config: ImagesConfig = field(default_factory=ImagesConfig)

    def load(self, name: str) -> Photo:
        return read_photo(Path(name), name, self.config)

    def fingerprint(self, name: str) -> str:
        data = read_image_bytes(Path(name), "image", self.config)
        return hashlib.sha256(data).hexdigest()[:16]


@dataclass(frozen=True, eq=False)
class MemorySource:
    """Images given as (H, W, 3) uint8 RGB arrays.

    Raises:
        ImageError: a name that image lists and maps cannot store.
    """

    images: Mapping[str, npt.NDArray[np.uint8]]

    def __post_init__(self) -> None:
        for name in self.images:
            if not isinstance(name, str) or not name or set(name) & set("\n\r\0"):
                raise ImageError(
                    f"invalid image name {name!r}: expected one line of text that is not empty"
                )
            if not is_unicode(name):
                raise ImageError(f"the image name {name!r} is not valid Unicode: choose another")
            if leads_out(name):
                raise ImageError(f"the image name {name!r} is no relative path: choose another")

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(sorted(self.images, key=natural_key))

    def load(self, name: str) -> Photo:
        return Photo(name, self._pixels(name))

    def fingerprint(self, name: str) -> str:
        pixels = np.ascontiguousarray(self._pixels(name))
        digest = hashlib.sha256(str(pixels.shape).encode())
        digest.update(pixels.data)
        return digest.hexdigest()[:16]

    def _pixels(self, name: str) -> npt.NDArray[np.uint8]:
        if name not in self.images:
            raise ImageError(f"no image is named {name!r}")
        pixels = self.images[name]
        found = f"{pixels.dtype} {pixels.shape}" if isinstance(pixels, np.ndarray) else type(pixels)
        if not (
            isinstance(pixels, np.ndarray)
            and pixels.dtype == np.uint8
            and pixels.shape[2:] == (3,)
            and pixels.size > 0
        ):
            raise ImageError(f"expected an array of uint8 (H, W, 3) with H, W > 0, got {found}")
        return pixels


def check_image_folder(root: Path) -> None:
    """Raise ImageError if ``root`` is not a folder."""
    if not root.is_dir():
        what = "is a file" if root.exists() else "does not exist"
        told = remedy(root.suffix)
        raise ImageError(f"image folder {root} {what}" + (f": {told}" if told else ""))


def folder_source(
    root: Path,
    config: ImagesConfig,
    names: Sequence[str] | None = None,
    mask_dir: Path | None = None,
) -> FolderSource:
    """Return a source of all images below a folder, or of the named ones.

    Raises:
        ImageError: no such folder, no image in it, or a listed image is missing.
    """
    check_image_folder(root)
    if mask_dir is not None and not mask_dir.is_dir():
        raise ImageError(f"mask folder {mask_dir} does not exist")
    found = list_images(root) if names is None else tuple(sorted(set(names), key=natural_key))
    if not found and names is not None:
        raise ImageError(
            "the image list is empty: expected one name per line, relative to the folder"
        )
    if not found:
        raise ImageError(f"no images below {root}: expected files ending in {', '.join(SUFFIXES)}")
    check_relative(found)
    # os.path.isfile is False, not an error, for names too long for the file system
    missing = [name for name in found if not os.path.isfile(root / name)]
    if missing:
        raise ImageError(
            f"{len(missing)} of {len(found)} listed images are not below {root}, first: "
            f"{missing[0][:200]!r}. Names are paths relative to the image folder"
        )
    if mask_dir is not None and not any(is_file(mask_dir / f"{name}.png") for name in found):
        raise ImageError(
            f"mask folder {mask_dir} has no mask for any image: expected names like "
            f"{found[0] + '.png'!r}"
        )
    return FolderSource(root, found, config, mask_dir)
