"""Refusal of images that cost far more to read than their size and pixels tell."""

from __future__ import annotations

from typing import BinaryIO

from PIL import Image, UnidentifiedImageError

from hloc_lite.io.heif_boxes import heif_fault
from hloc_lite.io.jpeg_markers import jpeg_fault
from hloc_lite.io.png_chunks import png_fault
from hloc_lite.io.tiff_tiles import tiff_fault
from hloc_lite.io.unread_formats import is_heif

_PNG_START = b"\x89PNG\r\n\x1a\n"
_JPEG_START = b"\xff\xd8"
_TIFF_STARTS = (b"II", b"MM")
_SLOW_MEGAPIXELS = 2.0
"""Largest image that one of Pillow's decoders in Python reads. They take 5 s for 3 megapixels (PPM
with a maximum other than 255), and 10 s for 29 kB that stand for 50 (run lengths in BMP)."""
_ANIMATED_MEGAPIXELS = 16.0
"""Largest animation, of which the first frame is read: the decoder of WebP takes 17 bytes per
pixel."""
_CMYK_MEGAPIXELS = 16.0
"""Largest progressive JPEG with 4 channels, which takes 12 bytes per pixel while it is decoded."""


def check_costs(file: BinaryIO, start: bytes, *, with_pixels: bool) -> None:
    """Refuse an encoded image whose structure makes decoders work or store without bound.

    Nothing is decoded; it takes some microseconds, and a search through the bytes of a JPEG.

    Args:
        file: seekable; its position is moved.
        start: first bytes of the file.
        with_pixels: False if only the size and the EXIF tags will be read.

    Raises:
        UnidentifiedImageError: says what the image has too much of.
    """
    fault = None
    if start.startswith(_JPEG_START):
        fault = jpeg_fault(file, with_scans=with_pixels)
    elif start.startswith(_PNG_START):
        fault = png_fault(file, with_pixels=with_pixels)
    elif start.startswith(_TIFF_STARTS):
        fault = tiff_fault(file)
    elif is_heif(start) and with_pixels:
        fault = heif_fault(file)
    if fault is not None:
        raise CostlyImageError(fault)


class CostlyImageError(UnidentifiedImageError):
    """An image costs more to decode than any that a camera or program writes."""


def check_decoder(image: Image.Image) -> None:
    """Refuse a large image of a kind that Pillow decodes slowly or with much memory.

    Raises:
        CostlyImageError: says the kind and the limit.
    """
    names = {tile.codec_name for tile in getattr(image, "tile", ())}
    megapixels = image.width * image.height / 1e6
    is_animated = image.format == "WEBP" and getattr(image, "is_animated", False)
    if is_animated and megapixels > _ANIMATED_MEGAPIXELS:
        raise CostlyImageError(
            f"an animated {image.format} is read up to {_ANIMATED_MEGAPIXELS:g} megapixels, it has "
            f"{megapixels:.0f}: convert it to JPEG or PNG"
        )
    if megapixels > _CMYK_MEGAPIXELS and image.mode == "CMYK" and "progressive" in image.info:
        raise CostlyImageError(
            f"a progressive JPEG in CMYK is read up to {_CMYK_MEGAPIXELS:g} megapixels, it has "
            f"{megapixels:.0f}: convert it to RGB"
        )
    if megapixels > _SLOW_MEGAPIXELS and names & set(Image.DECODERS):
        raise CostlyImageError(
            f"this kind of {image.format} ({', '.join(sorted(names))}) is read up to "
            f"{_SLOW_MEGAPIXELS:g} megapixels, it has {megapixels:.0f}: convert it to PNG"
        )
