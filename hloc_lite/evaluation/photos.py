"""Loads photos for the pictures of a report."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from hloc_lite.config import ImagesConfig
from hloc_lite.errors import HlocLiteError
from hloc_lite.io.images import read_photo
from hloc_lite.types import Photo


def photo_loader(root: Path | None, config: ImagesConfig) -> Callable[[str], Photo | None]:
    """Return a loader of photos below ``root``; it returns None for photos that cannot be read."""

    def load(name: str) -> Photo | None:
        if root is None:
            return None
        try:
            return read_photo(root / name, name, config)
        except HlocLiteError:
            return None

    return load
