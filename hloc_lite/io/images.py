"""Image files: decoded to upright RGB within size limits, with their EXIF tags."""

from __future__ import annotations

import io
import stat
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image, UnidentifiedImageError

from hloc_lite.config import ImagesConfig
from hloc_lite.errors import FormatError, ImageError
from hloc_lite.geometry.geodesy import Geodetic
from hloc_lite.io.exif import focal_length_px, gps_position, read_exif, read_orientation
from hloc_lite.io.image_costs import CostlyImageError, check_costs, check_decoder
from hloc_lite.io.image_pixels import TRANSPOSE, decode_pixels
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
            _check_mode(image)
            exif = read_exif(image)
            orientation = read_orientation(image)
            if config.exif_rotation and orientation in TRANSPOSE:
                exif["orientation"] = orientation
            return _Decoded(*decode_pixels(image, upright=config.exif_rotation), exif)
    except (ImageTooLargeError, UnknownFormatError):
        raise
    except CostlyImageError as error:
        raise ImageError(f"cannot read {what}: {error}") from None
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
        status = path.stat()
    except FileNotFoundError:
        raise ImageError(f"{what} {path} does not exist") from None
    except (OSError, ValueError) as error:  # the latter for NUL in a name
        raise ImageError(f"cannot read {what} {path}: {short_reason(error)}") from None
    if not stat.S_ISREG(status.st_mode):
        raise ImageError(f"{what} {path} is no file")
    _check_bytes(status.st_size, f"{what} {path}", config)


def _check_bytes(num_bytes: int, what: str, config: ImagesConfig) -> None:
    if num_bytes > 1e6 * config.max_file_mb:
        raise ImageTooLargeError(
            f"{what} has {num_bytes / 1e6:.0f} MB, the limit is {config.max_file_mb:g} "
            f"(images.max_file_mb)"
        )


@contextmanager
def open_image(source: Path | BinaryIO, *, with_pixels: bool = True) -> Iterator[Image.Image]:
    """Open an image of ``IMAGE_FORMATS`` without decoding it.

    Pillow's limit of 179 megapixels is lifted meanwhile: ours is configurable and checked next.

    Args:
        source: file, or its bytes.
        with_pixels: False if only the size and the EXIF tags will be read, which reads less.

    Raises:
        UnidentifiedImageError: an image of another format, or none.
        CostlyImageError: it costs far more to decode than its size and pixels tell.
        ImageError: the path is that of a pipe, a folder, or a device.
    """
    start = _first_bytes(source, with_pixels=with_pixels)
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
        if with_pixels:
            check_decoder(image)
        yield image


def _register_heif() -> None:
    """Teach Pillow to open HEIF files; a second call has no effect."""
    import pillow_heif

    pillow_heif.register_heif_opener()


def _first_bytes(source: Path | BinaryIO, *, with_pixels: bool) -> bytes:
    """First bytes of a file, which tell its format, once its structure is checked."""
    with ExitStack() as stack:
        if isinstance(source, Path):
            if not stat.S_ISREG(source.stat().st_mode):  # to open a pipe would wait for its writer
                raise ImageError(f"{source} is no file")
            source = stack.enter_context(source.open("rb"))
        start = source.read(HEADER_BYTES)
        check_costs(source, start, with_pixels=with_pixels)
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


def _check_mode(image: Image.Image) -> None:
    """Refuse pixels of unknown range: clipped to 0..255 they would be black or white."""
    # Pillow opens some 16-bit PNG and PGM files as mode I, too
    if image.mode == "F" or (image.mode == "I" and image.format not in ("PNG", "PPM")):
        kind = "floating-point numbers" if image.mode == "F" else "32-bit integers"
        raise ImageError(
            f"its pixels are {kind}, which is not supported: convert it to 8 or 16 bits"
        )


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
        with open_image(path, with_pixels=False) as image:
            gps = image.getexif().get_ifd(ExifTags.IFD.GPSInfo)
    except Exception as error:  # Pillow raises many kinds of errors on broken files
        raise ImageError(f"cannot read image {path}: {short_reason(error)}") from None
    return gps_position(gps)
