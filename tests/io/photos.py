"""Test photos: four grey quadrants, stored with any EXIF tags."""

from __future__ import annotations

import numpy as np
from PIL import ExifTags, Image

from hloc_lite.config import ImagesConfig

CONFIG = ImagesConfig()
WIDTH, HEIGHT = 80, 60


def quadrants() -> np.ndarray:
    """(60, 80, 3): four grey levels, so that each orientation looks different."""
    pixels = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    pixels[:30, :40], pixels[:30, 40:], pixels[30:, :40], pixels[30:, 40:] = 40, 90, 140, 200
    return pixels


STORED_FROM_UPRIGHT = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, 1),  # the camera was turned: pixels lie a quarter counter-clockwise
    7: lambda a: np.rot90(a.swapaxes(0, 1), 2),
    8: lambda a: np.rot90(a, -1),
}
"""EXIF orientations, written out from the standard and not from Pillow."""


def exif(orientation: int | None = None, **detail: object) -> Image.Exif:
    found = Image.Exif()
    if orientation is not None:
        found[ExifTags.Base.Orientation] = orientation
    ifd = found.get_ifd(ExifTags.IFD.Exif)
    for name, value in detail.items():
        ifd[ExifTags.Base[name]] = value
    return found
