"""Loads photos for the pictures of a report."""

from __future__ import annotations

from collections.abc import Callable

from hloc_lite.errors import HlocLiteError
from hloc_lite.io.image_sources import ImageSource
from hloc_lite.types import Photo


def photo_loader(source: ImageSource | None) -> Callable[[str], Photo | None]:
    """Return a function that loads a photo by name; None for photos that cannot be read."""

    def load(name: str) -> Photo | None:
        if source is None:
            return None
        try:
            return source.load(name)
        except HlocLiteError:
            return None

    return load
