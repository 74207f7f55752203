"""Photos for the pictures of a report: shown where they can be read, left out where not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from hloc_lite.config import ImagesConfig
from hloc_lite.errors import HlocLiteError
from hloc_lite.io.images import read_photo
from hloc_lite.types import Photo


def photo_loader(root: Path | None, config: ImagesConfig) -> Callable[[str], Photo | None]:
    """Name -> photo of that folder, or None if there is none to be had."""

    def load(name: str) -> Photo | None:
        if root is None:
            return None
        try:
            return read_photo(root / name, name, config)
        except HlocLiteError:
            return None

    return load
