"""Images that cost more than their size tells are refused before a decoder sees them."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

if sys.platform == "win32":
    pytest.skip("the makers of the files need fork", allow_module_level=True)

from hloc_lite.config import ImagesConfig
from hloc_lite.errors import ImageError
from hloc_lite.io import image_pixels
from hloc_lite.io.images import exif_position, open_image, photo_from_bytes, read_photo
from pipelines.benchmarks.robustness import image_bombs as bombs
from tests.io.photos import STORED_FROM_UPRIGHT, exif

CONFIG = ImagesConfig(max_megapixels=50)
COSTLY = {
    "more than 100 scans": lambda: bombs.jpeg_with_scans(101),
    "more than 4096 segments": lambda: bombs.jpeg_with(b"\xff\xfe\x00\x02" * 5000),
    "belong to no segment": lambda: bombs.jpeg_with(b"\xff" * 70_000),
    "chunks": lambda: bombs.png_with(bombs.png_chunk(b"abCd", b"") * 2000),
    "tiles of 4096 x 4096": lambda: bombs.tiff_with_tile(4096),
    "much larger than the image": lambda: bombs.tiff_with_tile(4096, twice=True),
    "strips or tiles": lambda: bombs.tiff_with_strips(1_100_000),
    "bmp_rle": lambda: bombs.bmp_of_runs(1500),
    "ppm": lambda: b"P6 2000 1500 254\n" + bytes(100),
    "its tiles have": lambda: bombs.heif_with_tiles(60_000),
    "animated WEBP": bombs.BOMBS["WebP, animated"],
    "CMYK": lambda: bombs.encoded("JPEG", "CMYK", 4100, progressive=True),
}


@pytest.mark.parametrize("message", COSTLY)
def test_costly_images_are_refused(tmp_path: Path, message: str) -> None:
    data = COSTLY[message]()
    (tmp_path / "a").write_bytes(data)
    with pytest.raises(ImageError, match=message):
        photo_from_bytes(data, "a", CONFIG)
    with pytest.raises(ImageError, match=message):
        read_photo(tmp_path / "a", "a", CONFIG)


@pytest.mark.parametrize(
    "data",
    [
        bombs.jpeg_with_scans(99),
        bombs.jpeg_with(b"\xff" * 60),
        bombs.png_with(bombs.png_chunk(b"abCd", b"") * 900),
        bombs.tiff_with_tile(256),
        bombs.encoded("JPEG", side=64, progressive=True) + b"\xff\xda\0\0" * 500,
        b"P6 20 15 254\n" + bytes(900),
    ],
)
def test_odd_images_are_read(data: bytes) -> None:
    assert photo_from_bytes(data, "a", CONFIG).pixels.shape[2] == 3


def test_headers_are_bounded_without_decoding(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(bombs.jpeg_with(b"\xff\xfe\x00\x02" * 5000))
    with pytest.raises(ImageError, match="segments"):
        exif_position(tmp_path / "a.jpg", CONFIG)
    (tmp_path / "b.jpg").write_bytes(bombs.jpeg_with_scans(500))
    with open_image(tmp_path / "b.jpg", with_pixels=False) as image:
        assert image.size == (16, 16)


@pytest.mark.parametrize("place", [50, 100, -40, -16])
def test_damaged_pixels_of_png_are_refused(place: int) -> None:
    """Masks, labels and depths are PNG: a flipped bit gave other values."""
    rng = np.random.default_rng(0)
    buffer = io.BytesIO()
    Image.fromarray(rng.integers(0, 9, (40, 60), dtype=np.uint8)).save(buffer, "PNG")
    data = bytearray(buffer.getvalue())
    data[place] ^= 1
    with pytest.raises(ImageError, match=r"checksum|truncated"):
        photo_from_bytes(bytes(data), "a", CONFIG)


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "LA", "P", "I;16"])
@pytest.mark.parametrize("orientation", STORED_FROM_UPRIGHT)
def test_strips_make_the_same_pixels(
    monkeypatch: pytest.MonkeyPatch, mode: str, orientation: int
) -> None:
    rng = np.random.default_rng(1)
    image = Image.fromarray(rng.integers(0, 256, (37, 23, 4), dtype=np.uint8))
    image = (
        Image.fromarray(np.asarray(image.convert("L"), np.uint16) * 251)
        if mode == "I;16"
        else image.convert(mode)
    )
    buffer = io.BytesIO()
    options = {"transparency": 3} if mode == "P" else {}
    image.save(buffer, "PNG", exif=exif(orientation), **options)
    whole = photo_from_bytes(buffer.getvalue(), "a", CONFIG)
    monkeypatch.setattr(image_pixels, "_STRIP_PIXELS", 100)
    strips = photo_from_bytes(buffer.getvalue(), "a", CONFIG)
    assert np.array_equal(whole.pixels, strips.pixels)
    assert (whole.mask is None) == (strips.mask is None)
    assert whole.mask is None or np.array_equal(whole.mask, strips.mask)


@pytest.mark.parametrize("options", [{"quality": 80}, {"lossless": True}])
@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_webp_is_decoded_as_by_pillow(mode: str, options: dict[str, object]) -> None:
    rng = np.random.default_rng(2)
    blocks = np.kron(rng.integers(0, 256, (6, 9, 4), dtype=np.uint8), np.ones((8, 8, 1), np.uint8))
    buffer = io.BytesIO()
    Image.fromarray(blocks).convert(mode).save(buffer, "WEBP", **options)
    photo = photo_from_bytes(buffer.getvalue(), "a", CONFIG)
    with Image.open(buffer) as image:
        assert np.array_equal(photo.pixels, np.asarray(image.convert("RGB")))
        alpha = np.asarray(image.convert("RGBA"))[..., 3]
    assert photo.mask is None or np.array_equal(photo.mask, alpha > 0)


@pytest.mark.parametrize("name", ["JPEG, progressive", "WebP, lossless", "PNG, 16 bits"])
def test_large_photos_take_no_more_than_said(tmp_path: Path, name: str) -> None:
    """The service's config says how much; 862, 1054 and 847 MB before."""
    (tmp_path / "a").write_bytes(bombs.LARGE[name]())
    outcome, megabytes, _ = bombs.read_cost(tmp_path / "a")
    assert outcome == "read" and megabytes <= bombs.MAX_MB
