"""Photos from folders or memory: decoded, upright, within size limits, with what EXIF says."""

from __future__ import annotations

import hashlib
import io
import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Protocol

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image, UnidentifiedImageError

from hloc_lite.config import ImagesConfig
from hloc_lite.errors import FormatError, ImageError
from hloc_lite.io.image_names import SUFFIXES, check_relative, is_unicode, list_images
from hloc_lite.types import Photo, UInt8

_DIAGONAL_35MM = float(np.hypot(36.0, 24.0))
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""EXIF orientation -> what turns the stored pixels upright."""
_OPENING = threading.Lock()
UPLOAD_FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "PPM")
"""Pillow's names of what is decoded for strangers: none of them starts other programs."""


class UnknownFormatError(ImageError):
    """Bytes that are no image of ``UPLOAD_FORMATS``."""


class ImageTooLargeError(ImageError):
    """An image of more bytes or pixels than configured."""


class ImageSource(Protocol):
    """Where photos come from: names, and how to load each."""

    @property
    def names(self) -> tuple[str, ...]: ...

    def load(self, name: str) -> Photo:
        """The decoded photo. Raises ImageError if it cannot be."""

    def fingerprint(self, name: str) -> str:
        """16 hex digits of the image's (and its mask's) content. Raises ImageError."""


@dataclass(frozen=True)
class FolderSource:
    """Images of a folder by their relative names; masks as COLMAP names them (NAME.png)."""

    root: Path
    names: tuple[str, ...]
    config: ImagesConfig = field(default_factory=ImagesConfig)
    mask_dir: Path | None = None

    def load(self, name: str) -> Photo:
        photo = read_photo(self.root / name, name, self.config)
        mask_path = self._mask_path(name)
        if mask_path is None:
            return photo
        mask = read_mask(mask_path, (photo.width, photo.height), self.config)
        return Photo(photo.name, photo.pixels, mask, photo.exif)

    def fingerprint(self, name: str) -> str:
        digest = hashlib.sha256(_read_bytes(self.root / name, "image", self.config))
        mask_path = self._mask_path(name)
        if mask_path is not None:
            digest.update(_read_bytes(mask_path, "mask", self.config))
        return digest.hexdigest()[:16]

    def _mask_path(self, name: str) -> Path | None:
        path = None if self.mask_dir is None else self.mask_dir / f"{name}.png"
        return path if path is not None and path.is_file() else None


@dataclass(frozen=True, eq=False)
class MemorySource:
    """Images given as (H, W, 3) uint8 RGB arrays.

    Raises:
        ImageError: a name that no list or map could hold.
    """

    images: Mapping[str, npt.NDArray[np.uint8]]

    def __post_init__(self) -> None:
        for name in self.images:
            if not isinstance(name, str) or not name or set(name) & set("\n\r\0"):
                raise ImageError(
                    f"an image cannot be called {name!r}: names are text of one line, not empty"
                )
            if not is_unicode(name):
                raise ImageError(f"the image name {name!r} is not UTF-8: choose another")

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(sorted(self.images))

    def load(self, name: str) -> Photo:
        return Photo(name, self._pixels(name))

    def fingerprint(self, name: str) -> str:
        pixels = np.ascontiguousarray(self._pixels(name))
        digest = hashlib.sha256(str(pixels.shape).encode())
        digest.update(pixels.data)
        return digest.hexdigest()[:16]

    def _pixels(self, name: str) -> npt.NDArray[np.uint8]:
        if name not in self.images:
            raise ImageError(f"no image {name!r} was given")
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
    """Refuse what is no folder (ImageError)."""
    if not root.is_dir():
        what = "is a file" if root.exists() else "does not exist"
        raise ImageError(f"image folder {root} {what}")


def folder_source(
    root: Path,
    config: ImagesConfig,
    names: Sequence[str] | None = None,
    mask_dir: Path | None = None,
) -> FolderSource:
    """The folder's images (all below it, sorted), or those of a list.

    Raises:
        ImageError: no such folder, no image in it, or a listed one is missing.
    """
    check_image_folder(root)
    if mask_dir is not None and not mask_dir.is_dir():
        raise ImageError(f"mask folder {mask_dir} does not exist")
    found = list_images(root) if names is None else tuple(sorted(set(names)))
    if not found and names is not None:
        raise ImageError("the image list is empty: expected a name a line, relative to the folder")
    if not found:
        raise ImageError(f"no images below {root}: expected files ending in {', '.join(SUFFIXES)}")
    check_relative(found)
    # os.path's: False also for what cannot be a name, such as a line of 300 characters
    missing = [name for name in found if not os.path.isfile(root / name)]
    if missing:
        raise ImageError(
            f"{len(missing)} of {len(found)} listed images are not below {root}, first: "
            f"{missing[0][:200]!r}. Names are paths relative to the image folder"
        )
    if mask_dir is not None and not any((mask_dir / f"{name}.png").is_file() for name in found):
        raise ImageError(
            f"mask folder {mask_dir} has no mask for any image: expected names like "
            f"{found[0] + '.png'!r}"
        )
    return FolderSource(root, found, config, mask_dir)


def read_photo(path: Path, name: str, config: ImagesConfig) -> Photo:
    """Decode one image file.

    Raises:
        ImageError: missing, too large, truncated, not an image, or with pixels that are not 8 or 16
            bits.
    """
    check_file_size(path, "image", config)
    return _photo(name, *_decode(path, f"image {path}", config))


def photo_from_bytes(data: bytes, name: str, config: ImagesConfig) -> Photo:
    """Decode an image that was sent, without writing it anywhere.

    Raises:
        UnknownFormatError: no image, or one of a format that is not taken from strangers.
        ImageTooLargeError: too many bytes or pixels.
        ImageError: truncated, or with pixels that are not 8 or 16 bits.
    """
    _check_bytes(len(data), "the image", config)
    return _photo(name, *_decode(io.BytesIO(data), "the image", config, UPLOAD_FORMATS))


def _photo(name: str, pixels: UInt8, exif: dict[str, float | str]) -> Photo:
    focal = _focal_px(exif, pixels.shape[1], pixels.shape[0])
    return Photo(name, pixels, None, exif if focal is None else {**exif, "focal_px": focal})


def read_mask(path: Path, size: tuple[int, int], config: ImagesConfig) -> npt.NDArray[np.bool_]:
    """(H, W) bool, False where the mask image is black (COLMAP's convention).

    Raises:
        ImageError: unreadable.
        FormatError: of another size than its image, (width, height) in pixels.
    """
    check_file_size(path, "mask", config)
    pixels, _ = _decode(path, f"mask {path}", config)
    if (pixels.shape[1], pixels.shape[0]) != size:
        raise FormatError(
            f"mask {path} has {pixels.shape[1]} x {pixels.shape[0]} pixels, "
            f"its image {size[0]} x {size[1]}"
        )
    return pixels.max(axis=2) > 0


def _decode(
    source: Path | BinaryIO,
    what: str,
    config: ImagesConfig,
    formats: tuple[str, ...] | None = None,
) -> tuple[UInt8, dict[str, float | str]]:
    """(H, W, 3) pixels and EXIF; ``what`` (image or mask, and which) is named in errors."""
    try:
        with opened_image(source, formats) as image:
            check_pixels(image, what, config)
            _check_mode(image, what)
            exif = _exif_of(image)
            return _to_rgb8(_turned(image, upright=config.exif_rotation)), exif
    except ImageError:
        raise
    except UnidentifiedImageError as error:
        if formats is None:
            raise ImageError(f"cannot read {what}: {short_reason(error)}") from None
        known = ", ".join(formats)
        raise UnknownFormatError(f"cannot read {what}: it is none of {known}") from None
    except Exception as error:  # Pillow's decoders raise all sorts of errors on broken files
        raise ImageError(f"cannot read {what}: {short_reason(error)}") from None


def _read_bytes(path: Path, what: str, config: ImagesConfig) -> bytes:
    check_file_size(path, what, config)
    try:
        return path.read_bytes()
    except OSError as error:
        raise ImageError(f"cannot read {what} {path}: {short_reason(error)}") from None


def check_file_size(path: Path, what: str, config: ImagesConfig) -> None:
    """Refuse a file that is missing or larger than configured (ImageError)."""
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
def opened_image(
    source: Path | BinaryIO, formats: tuple[str, ...] | None = None
) -> Iterator[Image.Image]:
    """The image, not yet decoded. Pillow's own limit of 179 megapixels is lifted for that time:
    ours is checked next, and configurable."""
    with _OPENING:
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            image = Image.open(source, formats=formats)
        finally:
            Image.MAX_IMAGE_PIXELS = limit
    with image:
        yield image


def check_pixels(image: Image.Image, what: str, config: ImagesConfig) -> None:
    """Refuse an image of more pixels than configured (ImageError), before it is decoded."""
    megapixels = image.width * image.height / 1e6
    if megapixels > config.max_megapixels:
        raise ImageTooLargeError(
            f"{what} has {megapixels:.0f} megapixels, the limit is "
            f"{config.max_megapixels:g} (images.max_megapixels)"
        )


def _check_mode(image: Image.Image, what: str) -> None:
    """Refuse pixels whose range nothing tells: cut off at 0 and 255 they would be black."""
    # mode I is also what some 16-bit PNG and PGM files come as
    if image.mode == "F" or (image.mode == "I" and image.format not in ("PNG", "PPM")):
        kind = "floating-point numbers" if image.mode == "F" else "32-bit integers"
        raise ImageError(
            f"cannot read {what}: its pixels are {kind}, which is not supported: convert it "
            f"to 8 or 16 bits"
        )


def _turned(image: Image.Image, *, upright: bool) -> Image.Image:
    """The pixels upright as EXIF's orientation says, or as they are stored.

    Pillow's own function fails on other broken tags, and its TIFF reader turns without being asked.
    """
    stated = _orientation(image)
    image.load()
    left = _orientation(image)  # gone if the reader has turned the image
    if upright:
        return image.transpose(_TURNS[left]) if left in _TURNS else image
    if stated in _TURNS and left != stated:
        return image.transpose(_TURNS[{6: 8, 8: 6}.get(stated, stated)])
    return image


def _orientation(image: Image.Image) -> int:
    try:
        found = image.getexif().get(ExifTags.Base.Orientation)
    except Exception:  # as in _exif_of
        return 1
    return found if isinstance(found, int) else 1


def _to_rgb8(image: Image.Image) -> UInt8:
    if image.mode.startswith("I;16") or image.mode == "I":
        # 16-bit grey: its upper byte; PIL's own conversion would clip at 255
        grey = np.clip(np.asarray(image, np.int64) >> 8, 0, 255).astype(np.uint8)
        return np.repeat(grey[..., None], 3, axis=2)
    # Pillow would copy what is RGB already
    return np.asarray(image if image.mode == "RGB" else image.convert("RGB"))


def _exif_of(image: Image.Image) -> dict[str, float | str]:
    try:
        exif = image.getexif()
        detail = exif.get_ifd(ExifTags.IFD.Exif)
    except Exception:  # EXIF is optional and often broken; PIL raises all sorts of errors on it
        return {}
    found: dict[str, float | str] = {}
    for key, tag in (("make", ExifTags.Base.Make), ("model", ExifTags.Base.Model)):
        if exif.get(tag):
            found[key] = str(exif[tag]).strip("\0 ")
    numbers = {
        "focal_mm": detail.get(ExifTags.Base.FocalLength),
        "focal_35mm": detail.get(ExifTags.Base.FocalLengthIn35mmFilm),
        "plane_x_resolution": detail.get(ExifTags.Base.FocalPlaneXResolution),
        "plane_unit": detail.get(ExifTags.Base.FocalPlaneResolutionUnit),
        "plane_width": detail.get(ExifTags.Base.ExifImageWidth),
        "plane_height": detail.get(ExifTags.Base.ExifImageHeight),
    }
    for key, value in numbers.items():
        try:
            number = float(value) if value is not None else 0.0
        except (TypeError, ValueError, ZeroDivisionError):
            continue
        if np.isfinite(number) and number > 0:
            found[key] = number
    return found


def _focal_px(exif: Mapping[str, float | str], width: int, height: int) -> float | None:
    """Focal length in pixels of an image of that size, from the 35 mm equivalent or the sensor."""
    side = max(width, height)
    focal = None
    if "focal_35mm" in exif:
        focal = float(exif["focal_35mm"]) * float(np.hypot(width, height)) / _DIAGONAL_35MM
    elif "focal_mm" in exif and "plane_x_resolution" in exif:
        mm_per_unit = {2.0: 25.4, 3.0: 10.0, 4.0: 1.0}.get(float(exif.get("plane_unit", 2.0)))
        if mm_per_unit is not None:
            focal = float(exif["focal_mm"]) * float(exif["plane_x_resolution"]) / mm_per_unit
            # the resolution holds at the size the camera wrote, not after later shrinking
            written = [float(exif[key]) for key in ("plane_width", "plane_height") if key in exif]
            focal *= side / max(written, default=side)
    plausible = focal is not None and 0.2 * side < focal < 30 * side
    return focal if plausible else None


def short_reason(error: BaseException) -> str:
    """The first line of what an error says."""
    text = str(error).splitlines()[0] if str(error) else type(error).__name__
    return text[:200]
