"""Small photos of the formats that are read, and masks, for mutation."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from hloc_lite.config import ImagesConfig
from hloc_lite.io.images import read_mask, read_photo
from pipelines.benchmarks.robustness.sample_model import FormatSample

SIZE = (96, 64)
LIMITS = ImagesConfig(max_megapixels=50)
"""As those of the service. Memory grows with the pixels: 8 to 12 bytes each while decoding."""


def _photo(mode: str) -> Image.Image:
    """Gradient with some noise, of any of Pillow's modes."""
    rng = np.random.default_rng(3)
    x, y = np.meshgrid(np.linspace(0, 200, SIZE[0]), np.linspace(0, 200, SIZE[1]))
    pixels = np.stack([x, y, 0.5 * (x + y), np.full_like(x, 255)], axis=-1)
    pixels += rng.uniform(0, 40, pixels.shape)
    image = Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
    return image.convert(mode)


def _exif() -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "Maker"
    exif.get_ifd(0x8769)[0xA405] = 28
    return exif


def _writer(name: str, kind: str, mode: str, options: dict[str, Any]) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        import pillow_heif

        pillow_heif.register_heif_opener()
        _photo(mode).save(folder / name, kind, **options)

    return write


def _sample(title: str, name: str, kind: str, mode: str = "RGB", **options: Any) -> FormatSample:
    def read(folder: Path) -> object:
        photo = read_photo(folder / name, "photo", LIMITS)
        return [photo.pixels, photo.mask, dict(photo.exif)]

    write = _writer(name, kind, mode, options)
    return FormatSample(title, write, read, group="images", is_checked=kind == "PNG")


IMAGE_SAMPLES = (
    _sample("JPEG", "a.jpg", "JPEG", exif=_exif()),
    _sample("JPEG, progressive", "a.jpg", "JPEG", progressive=True, subsampling=0),
    _sample("PNG", "a.png", "PNG", "RGBA", exif=_exif()),
    _sample("PNG, palette", "a.png", "PNG", "P", transparency=3),
    _sample("WebP", "a.webp", "WEBP", exif=_exif()),
    _sample("WebP, lossless", "a.webp", "WEBP", "RGBA", lossless=True),
    _sample("TIFF", "a.tif", "TIFF", compression="tiff_adobe_deflate", exif=_exif()),
    _sample("TIFF, raw", "a.tif", "TIFF"),
    _sample("HEIF", "a.heic", "HEIF", exif=_exif()),
    _sample("AVIF", "a.avif", "AVIF", exif=_exif().tobytes()),
    _sample("BMP", "a.bmp", "BMP"),
    _sample("PPM", "a.ppm", "PPM"),
    FormatSample(
        "mask", _writer("a.png", "PNG", "L", {}),
        lambda folder: read_mask(folder / "a.png", SIZE, LIMITS),
        group="images", is_checked=True,
    ),
)  # fmt: skip
