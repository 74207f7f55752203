"""Decoding of an open image to upright RGB and opacity, with little memory.

Pillow holds 4 bytes per pixel. Its conversions of whole images would add up to 16, so they work on
strips here.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from PIL import Image

from hloc_lite.errors import ImageError
from hloc_lite.io.exif import read_orientation
from hloc_lite.types import UInt8

TRANSPOSE = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""EXIF orientation -> operation that turns the stored pixels upright."""
_EXCHANGES_AXES = frozenset({5, 6, 7, 8})
_BACKWARDS = frozenset({3, 4, 6, 7})
"""Orientations whose last stored rows come first: at the top, or with exchanged axes on the left.
"""
_STRIP_PIXELS = 1 << 20
"""Pixels that are converted at a time, with 12 MB at most."""


class DecodedPixels(NamedTuple):
    """Pixels of an image."""

    rgb: UInt8
    """(H, W, 3)."""
    alpha: UInt8 | None
    """(H, W) opacity; None if the format of the pixels has none."""


def decode_pixels(image: Image.Image, *, upright: bool) -> DecodedPixels:
    """Decode an image.

    ``ImageOps.exif_transpose`` fails on other tags that are broken, and Pillow's TIFF reader
    transposes unasked.

    Args:
        image: open, not yet decoded.
        upright: True to turn it by EXIF's orientation, False to keep it as it is stored.

    Raises:
        ImageError: a damaged WebP file; Pillow raises many other kinds of errors.
    """
    stated = read_orientation(image)
    stored = _load(image)
    remaining = read_orientation(image)  # gone if the reader has transposed the image
    if upright:
        orientation = remaining
    else:
        orientation = {6: 8, 8: 6}.get(stated, stated) if remaining != stated else 1
    return _turned(stored, orientation)


def _load(image: Image.Image) -> Image.Image:
    """Decode an image as it is stored."""
    if image.format == "WEBP" and not getattr(image, "is_animated", False):
        return _load_webp(image)
    image.load()
    return image


def _load_webp(image: Image.Image) -> Image.Image:
    """Decode a still WebP image by OpenCV, to the same values.

    Pillow's decoder is one of animations, which takes 17 bytes per pixel.
    """
    import cv2

    file = image.fp  # type: ignore[attr-defined]
    file.seek(0)
    data = np.frombuffer(file.read(), np.uint8)
    pixels = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.shape[:2] != (image.height, image.width):
        raise ImageError("it is a WebP file that is damaged or incomplete")
    code = cv2.COLOR_BGRA2RGBA if pixels.shape[2] == 4 else cv2.COLOR_BGR2RGB
    return Image.fromarray(cv2.cvtColor(pixels, code, dst=pixels))


def _turned(stored: Image.Image, orientation: int) -> DecodedPixels:
    """RGB and opacity of a decoded image, turned; a large one strip by strip."""
    width, height = stored.size
    operation = TRANSPOSE.get(orientation)
    has_alpha = stored.has_transparency_data
    if width * height <= _STRIP_PIXELS:
        whole = stored if operation is None else stored.transpose(operation)
        return DecodedPixels(_rgb8(whole), _opacity(whole) if has_alpha else None)
    shape = (width, height) if orientation in _EXCHANGES_AXES else (height, width)
    rgb = np.empty((*shape, 3), np.uint8)
    alpha = np.empty(shape, np.uint8) if has_alpha else None
    for first, last in _strips(width, height):
        strip = stored.crop((0, first, width, last))
        if operation is not None:
            strip = strip.transpose(operation)
        start, end = (height - last, height - first) if orientation in _BACKWARDS else (first, last)
        across = np.s_[:, start:end] if orientation in _EXCHANGES_AXES else np.s_[start:end]
        rgb[across] = _rgb8(strip)
        if alpha is not None:
            alpha[across] = _opacity(strip)
    return DecodedPixels(rgb, alpha)


def _strips(width: int, height: int) -> Iterator[tuple[int, int]]:
    """First row and the one after the last of each strip."""
    step = max(1, _STRIP_PIXELS // width)
    for first in range(0, height, step):
        yield first, min(first + step, height)


def _rgb8(image: Image.Image) -> UInt8:
    if image.mode.startswith("I;16") or image.mode == "I":
        # 16-bit grey: its upper byte; Pillow's conversion would clip at 255
        grey = np.clip(np.asarray(image, np.int64) >> 8, 0, 255).astype(np.uint8)
        return np.repeat(grey[..., None], 3, axis=2)
    # convert() would copy an image that is RGB already
    return np.asarray(image if image.mode == "RGB" else image.convert("RGB"))


def _opacity(image: Image.Image) -> UInt8:
    straight = image.convert("LA") if image.mode == "La" else image
    return np.asarray(straight.convert("RGBA").getchannel("A"))
