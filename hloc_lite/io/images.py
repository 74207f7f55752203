"""Image files: decoded to upright RGB within size limits, with their EXIF tags."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image, UnidentifiedImageError

from hloc_lite.config import ImagesConfig
from hloc_lite.errors import FormatError, ImageError
from hloc_lite.geometry.geodesy import Geodetic
from hloc_lite.io.exif import focal_length_px, gps_position, read_exif, read_orientation
from hloc_lite.io.unread_formats import (
    HEADER_BYTES,
    RAW_SUFFIXES,
    VIDEO_SUFFIXES,
    is_heif,
    is_raw,
    remedy,
    remedy_of_content,
)
from hloc_lite.types import Photo, UInt8

_TRANSPOSE = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""EXIF orientation -> operation that turns the stored pixels upright."""
_PIXEL_LIMIT_LOCK = threading.Lock()
IMAGE_FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "PPM", "HEIF", "AVIF")
"""Pillow's names of the formats that are read, from files and uploads alike. JPEG includes MPO.

Pillow knows many more, and goes by a file's content, whatever its name. For an EPS file it starts
another program (Ghostscript).
"""


class UnknownFormatError(ImageError):
    """A file or upload is not an image of ``IMAGE_FORMATS``."""


class ImageTooLargeError(ImageError):
    """An image has more bytes or pixels than configured."""


def read_photo(path: Path, name: str, config: ImagesConfig) -> Photo:
    """Decode an image file.

    Raises:
        ImageError: missing, too large, truncated, not an image, or pixels of other than 8 or 16
            bits.
    """
    check_file_size(path, "image", config)
    return _make_photo(name, _decode(path, f"image {path}", config))


def photo_from_bytes(data: bytes, name: str, config: ImagesConfig) -> Photo:
    """Decode an uploaded image in memory; nothing is written to disk.

    Raises:
        UnknownFormatError: not an image of ``IMAGE_FORMATS``.
        ImageTooLargeError: too many bytes or pixels.
        ImageError: truncated, or pixels of other than 8 or 16 bits.
    """
    _check_bytes(len(data), "the image", config)
    return _make_photo(name, _decode(io.BytesIO(data), "the image", config))


def _make_photo(name: str, decoded: _Decoded) -> Photo:
    """Photo whose mask leaves out what is wholly transparent; without a mask if nothing is."""
    pixels, alpha, exif = decoded
    focal = focal_length_px(exif, pixels.shape[1], pixels.shape[0])
    mask = None if alpha is None or alpha.all() else alpha > 0
    return Photo(name, pixels, mask, exif if focal is None else {**exif, "focal_px": focal})


def read_mask(path: Path, size: tuple[int, int], config: ImagesConfig) -> npt.NDArray[np.bool_]:
    """Read a mask image.

    Args:
        path: mask file.
        size: (width, height) of the masked image, pixels.
        config: size limits.

    Returns:
        (H, W) bool, False where the mask is black (COLMAP's convention).

    Raises:
        ImageError: unreadable.
        FormatError: the mask has another size than its image.
    """
    check_file_size(path, "mask", config)
    pixels = _decode(path, f"mask {path}", config).pixels
    if (pixels.shape[1], pixels.shape[0]) != size:
        raise FormatError(
            f"mask {path} has {pixels.shape[1]} x {pixels.shape[0]} pixels, "
            f"its image {size[0]} x {size[1]}"
        )
    return pixels.max(axis=2) > 0


class _Decoded(NamedTuple):
    pixels: UInt8
    """(H, W, 3) RGB."""
    alpha: UInt8 | None
    """(H, W) opacity; None if the format of the pixels has none."""
    exif: dict[str, float | str]


def _decode(source: Path | BinaryIO, what: str, config: ImagesConfig) -> _Decoded:
    """Decode an image; ``what`` names the image or mask in errors."""
    try:
        with open_image(source) as image:
            check_pixels(image, what, config)
            _check_mode(image, what)
            exif = read_exif(image)
            orientation = read_orientation(image)
            if config.exif_rotation and orientation in _TRANSPOSE:
                exif["orientation"] = orientation
            turned = _load_turned(image, upright=config.exif_rotation)
            return _Decoded(_to_rgb8(turned), _opacity(turned), exif)
    except ImageError:
        raise
    except UnidentifiedImageError as error:
        raise UnknownFormatError(f"cannot read {what}: {error}") from None
    except Exception as error:  # Pillow's decoders raise many kinds of errors on broken files
        raise ImageError(f"cannot read {what}: {short_reason(error)}") from None


def read_image_bytes(path: Path, what: str, config: ImagesConfig) -> bytes:
    """Return the encoded bytes of an image file within the size limit (else ImageError)."""
    check_file_size(path, what, config)
    try:
        return path.read_bytes()
    except OSError as error:
        raise ImageError(f"cannot read {what} {path}: {short_reason(error)}") from None


def check_file_size(path: Path, what: str, config: ImagesConfig) -> None:
    """Raise ImageError if a file is missing or larger than configured."""
    try:
        num_bytes = path.stat().st_size
    except FileNotFoundError:
        raise ImageError(f"{what} {path} does not exist") from None
    except OSError as error:
        raise ImageError(f"cannot read {what} {path}: {short_reason(error)}") from None
    _check_bytes(num_bytes, f"{what} {path}", config)


def _check_bytes(num_bytes: int, what: str, config: ImagesConfig) -> None:
    if num_bytes > 1e6 * config.max_file_mb:
        raise ImageTooLargeError(
            f"{what} has {num_bytes / 1e6:.0f} MB, the limit is {config.max_file_mb:g} "
            f"(images.max_file_mb)"
        )


@contextmanager
def open_image(source: Path | BinaryIO) -> Iterator[Image.Image]:
    """Open an image of ``IMAGE_FORMATS`` without decoding it.

    Pillow's limit of 179 megapixels is lifted meanwhile: ours is configurable and checked next.

    Raises:
        UnidentifiedImageError: an image of another format, or none.
    """
    start = _first_bytes(source)
    kind = source.suffix.lower() if isinstance(source, Path) else ""
    # Pillow would open the thumbnail of some
    told = remedy(kind) if kind in (*VIDEO_SUFFIXES, *RAW_SUFFIXES) else remedy_of_content(start)
    if told is not None:
        raise UnidentifiedImageError(told)
    with _PIXEL_LIMIT_LOCK:
        _register_heif()
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            image = Image.open(source, formats=IMAGE_FORMATS)
        except UnidentifiedImageError:
            damaged = "it is a HEIF or AVIF file that is damaged or incomplete"
            reason = remedy(kind) or f"it is none of {', '.join(IMAGE_FORMATS)}"
            raise UnidentifiedImageError(damaged if is_heif(start) else reason) from None
        finally:
            Image.MAX_IMAGE_PIXELS = limit
    with image:
        if is_raw(image):
            raise UnidentifiedImageError(remedy(".dng"))
        yield image


def _register_heif() -> None:
    """Teach Pillow to open HEIF files; a second call has no effect."""
    import pillow_heif

    pillow_heif.register_heif_opener()


def _first_bytes(source: Path | BinaryIO) -> bytes:
    """First bytes of a file, which tell its format."""
    if isinstance(source, Path):
        with source.open("rb") as file:
            return file.read(HEADER_BYTES)
    start = source.read(HEADER_BYTES)
    source.seek(0)
    return start


def check_pixels(image: Image.Image, what: str, config: ImagesConfig) -> None:
    """Raise ImageError if an image that is not yet decoded has more pixels than configured."""
    megapixels = image.width * image.height / 1e6
    if megapixels > config.max_megapixels:
        raise ImageTooLargeError(
            f"{what} has {megapixels:.0f} megapixels, the limit is "
            f"{config.max_megapixels:g} (images.max_megapixels)"
        )


def _check_mode(image: Image.Image, what: str) -> None:
    """Refuse pixels of unknown range: clipped to 0..255 they would be black or white."""
    # Pillow opens some 16-bit PNG and PGM files as mode I, too
    if image.mode == "F" or (image.mode == "I" and image.format not in ("PNG", "PPM")):
        kind = "floating-point numbers" if image.mode == "F" else "32-bit integers"
        raise ImageError(
            f"cannot read {what}: its pixels are {kind}, which is not supported: convert it "
            f"to 8 or 16 bits"
        )


def _load_turned(image: Image.Image, *, upright: bool) -> Image.Image:
    """Decode the image, upright by EXIF's orientation or as it is stored.

    ``ImageOps.exif_transpose`` fails on other tags that are broken, and Pillow's TIFF reader
    transposes unasked.
    """
    stated = read_orientation(image)
    image.load()
    remaining = read_orientation(image)  # gone if the reader has transposed the image
    if upright:
        return image.transpose(_TRANSPOSE[remaining]) if remaining in _TRANSPOSE else image
    if stated in _TRANSPOSE and remaining != stated:
        return image.transpose(_TRANSPOSE[{6: 8, 8: 6}.get(stated, stated)])
    return image


def _to_rgb8(image: Image.Image) -> UInt8:
    if image.mode.startswith("I;16") or image.mode == "I":
        # 16-bit grey: its upper byte; Pillow's conversion would clip at 255
        grey = np.clip(np.asarray(image, np.int64) >> 8, 0, 255).astype(np.uint8)
        return np.repeat(grey[..., None], 3, axis=2)
    # convert() would copy an image that is RGB already
    return np.asarray(image if image.mode == "RGB" else image.convert("RGB"))


def _opacity(image: Image.Image) -> UInt8 | None:
    """(H, W) alpha of a decoded image, or of its palette; None if it has none."""
    if not image.has_transparency_data:
        return None
    straight = image.convert("LA") if image.mode == "La" else image
    return np.asarray(straight.convert("RGBA").getchannel("A"))


def short_reason(error: BaseException) -> str:
    """Return the first line of an error's message, or its type if it has none."""
    text = str(error).splitlines()[0] if str(error) else type(error).__name__
    return text[:200]


def exif_position(path: Path, config: ImagesConfig) -> Geodetic | None:
    """Return a photo's GPS position from EXIF; None if it is absent or lacks the altitude.

    The altitude is returned as stored: mostly above sea level, but files hardly ever say so.

    Raises:
        ImageError: missing, too large, or not an image.
    """
    check_file_size(path, "image", config)
    try:
        with open_image(path) as image:
            gps = image.getexif().get_ifd(ExifTags.IFD.GPSInfo)
    except Exception as error:  # Pillow raises many kinds of errors on broken files
        raise ImageError(f"cannot read image {path}: {short_reason(error)}") from None
    return gps_position(gps)
