"""Finds the map image that a query photo is itself, by the content of its file."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path, PurePosixPath

from hloc_lite.config import ImagesConfig
from hloc_lite.errors import HlocLiteError
from hloc_lite.io.images import read_image_bytes
from hloc_lite.maps.map import Map


class OwnPhotos:
    """Map images by the content of their files.

    The name of a file does not tell: ``photos/1.jpg`` may be the map's ``1.jpg``, and a file of
    another folder may have the same name. Maps record the content of their photos; of a map that
    does not, the photos themselves are compared, where they are still at hand.
    """

    def __init__(self, sfm_map: Map) -> None:
        self._photos = sfm_map.photos
        self._names = {image.name for image in sfm_map.model.images}
        images = sfm_map.report.get("images")
        self._by_hash: dict[str, str] = {}
        for name, entry in images.items() if isinstance(images, Mapping) else ():
            if isinstance(entry, Mapping) and isinstance(entry.get("photo"), str):
                self._by_hash[entry["photo"]] = name

    def find(self, name: str, file_hash: str | None) -> str | None:
        """Name of the map image that a photo is; None if it is none, or that is unknown.

        Args:
            name: name or path of the photo.
            file_hash: ``hash_file`` of the photo; None if it is not from a file.
        """
        if name in self._names:
            return name
        if file_hash is None:
            return None
        return self._by_hash.get(file_hash) or self._find_in_folder(name, file_hash)

    def _find_in_folder(self, name: str, file_hash: str) -> str | None:
        """Compare the photo with the map photos of the same file name, which still exist."""
        if self._photos is None:
            return None
        last = PurePosixPath(Path(name).as_posix()).name
        for candidate in self._names:
            if PurePosixPath(candidate).name == last:
                with suppress(HlocLiteError):  # it is no longer there
                    if self._photos.fingerprint(candidate) == file_hash:
                        return candidate
        return None


def hash_file(path: Path, config: ImagesConfig) -> str:
    """16 hex digits that identify the content of an image file, as ``ImageSource.fingerprint``.

    Raises:
        ImageError: missing or too large.
    """
    return hashlib.sha256(read_image_bytes(path, "image", config)).hexdigest()[:16]
