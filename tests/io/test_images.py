"""Image files: orientation, pixel formats, limits; broken files are an ImageError."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import EpsImagePlugin, Image

from hloc_lite.config import DepthConfig, ImagesConfig
from hloc_lite.errors import FormatError, ImageError
from hloc_lite.formats.depth_images import read_depth
from hloc_lite.formats.label_images import read_label_map
from hloc_lite.io.images import (
    ImageTooLargeError,
    exif_position,
    photo_from_bytes,
    read_mask,
    read_photo,
)
from tests.io.photos import CONFIG, HEIGHT, STORED_FROM_UPRIGHT, WIDTH, exif, quadrants


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "webp"])
@pytest.mark.parametrize("orientation", STORED_FROM_UPRIGHT)
def test_photos_are_turned_upright_by_exif(tmp_path: Path, orientation: int, suffix: str) -> None:
    path = tmp_path / f"photo.{suffix}"
    stored = np.ascontiguousarray(STORED_FROM_UPRIGHT[orientation](quadrants()))
    options = {"quality": 95} if suffix == "jpg" else {"lossless": True} if suffix == "webp" else {}
    Image.fromarray(stored).save(path, exif=exif(orientation), **options)
    upright = read_photo(path, "p", CONFIG)
    assert (upright.width, upright.height) == (WIDTH, HEIGHT)
    assert np.abs(upright.pixels.astype(int) - quadrants()).mean() < 3
    raw = read_photo(path, "p", ImagesConfig(exif_rotation=False))
    assert np.abs(raw.pixels.astype(int) - stored).mean() < 3


@pytest.mark.parametrize("orientation", [0, 9, 77])
def test_invalid_orientations_are_ignored(tmp_path: Path, orientation: int) -> None:
    Image.fromarray(quadrants()).save(tmp_path / "a.png", exif=exif(orientation))
    assert np.array_equal(read_photo(tmp_path / "a.png", "a", CONFIG).pixels, quadrants())


def _modes() -> dict[str, Image.Image]:
    rgb = Image.fromarray(quadrants())
    grey16 = quadrants()[..., 0].astype(np.uint16) * 256 + 77
    rgba = rgb.convert("RGBA")
    rgba.putalpha(128)
    return {
        "grey.png": rgb.convert("L"),
        "grey_alpha.png": rgba.convert("LA"),
        "rgba.png": rgba,
        "palette.png": rgb.convert("P", palette=Image.Palette.ADAPTIVE),
        "grey16.png": Image.fromarray(grey16),
        "grey16.tif": Image.fromarray(grey16),
        "cmyk.jpg": rgb.convert("CMYK"),
        "ycbcr.jpg": rgb.convert("YCbCr"),
        "rgb.bmp": rgb,
        "rgb.ppm": rgb,
        "grey.pgm": rgb.convert("L"),
    }


@pytest.mark.parametrize("name", _modes())
def test_every_pixel_format_becomes_8_bit_rgb(tmp_path: Path, name: str) -> None:
    _modes()[name].save(tmp_path / name)
    pixels = read_photo(tmp_path / name, name, CONFIG).pixels
    assert pixels.shape == (HEIGHT, WIDTH, 3) and pixels.dtype == np.uint8
    assert np.abs(pixels.astype(int) - quadrants()).mean() < 3


def test_bilevel_images_are_black_and_white(tmp_path: Path) -> None:
    Image.fromarray(quadrants()).convert("1", dither=Image.Dither.NONE).save(tmp_path / "a.png")
    assert set(np.unique(read_photo(tmp_path / "a.png", "a", CONFIG).pixels)) == {0, 255}


def _encoded(suffix: str) -> bytes:
    buffer = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    Image.fromarray(noise).save(buffer, {"jpg": "JPEG", "tif": "TIFF"}.get(suffix, suffix.upper()))
    return buffer.getvalue()


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif", "bmp", "ppm"])
def test_truncated_files_are_image_errors(tmp_path: Path, suffix: str) -> None:
    whole, path = _encoded(suffix), tmp_path / f"broken.{suffix}"
    for length in np.linspace(0, 0.9 * len(whole), 25).astype(int):
        path.write_bytes(whole[:length])
        with pytest.raises(ImageError, match=f"broken.{suffix}"):
            read_photo(path, "x", CONFIG)


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "bmp", "ppm"])
def test_corrupted_bytes_give_an_image_or_an_image_error(tmp_path: Path, suffix: str) -> None:
    rng = np.random.default_rng(1)
    whole, path = _encoded(suffix), tmp_path / f"broken.{suffix}"
    for _ in range(60):
        data = bytearray(whole)
        for at in rng.integers(0, min(300, len(data)), 4):
            data[at] = rng.integers(256)
        path.write_bytes(data)
        try:
            assert read_photo(path, "x", CONFIG).pixels.dtype == np.uint8
        except ImageError as error:
            assert str(path) in str(error)


def test_files_that_are_not_images_are_image_errors(tmp_path: Path) -> None:
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "text.jpg").write_text("hello")
    (tmp_path / "random.png").write_bytes(np.random.default_rng(0).bytes(5000))
    (tmp_path / "folder.jpg").mkdir()
    for name in ("empty.jpg", "text.jpg", "random.png", "folder.jpg", "missing.jpg"):
        with pytest.raises(ImageError, match=name):
            read_photo(tmp_path / name, name, CONFIG)


def test_limits_are_checked_before_decoding(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(quadrants()).save(path)
    with pytest.raises(ImageError, match="max_megapixels"):
        read_photo(path, "a", ImagesConfig(max_megapixels=0.004))
    with pytest.raises(ImageError, match="max_file_mb"):
        read_photo(path, "a", ImagesConfig(max_file_mb=1e-5))
    with pytest.raises(ImageTooLargeError, match="the image has"):
        photo_from_bytes(path.read_bytes(), "a", ImagesConfig(max_file_mb=1e-5))
    # a header that promises 2^31 pixels a side must not reserve memory for them
    huge = bytearray(path.read_bytes())
    huge[16:24] = b"\x7f\xff\xff\xff" * 2
    path.write_bytes(huge)
    with pytest.raises(ImageError):
        read_photo(path, "a", CONFIG)


def test_pillows_pixel_limit_does_not_apply(tmp_path: Path, monkeypatch) -> None:
    Image.fromarray(quadrants()).save(tmp_path / "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)  # Pillow's own, far below the image
    assert read_photo(tmp_path / "a.png", "a.png", CONFIG).pixels.shape == quadrants().shape
    assert Image.MAX_IMAGE_PIXELS == 100
    small = CONFIG.model_copy(update={"max_megapixels": 1e-3})
    with pytest.raises(ImageError, match=r"images\.max_megapixels"):
        read_photo(tmp_path / "a.png", "a.png", small)


@pytest.mark.parametrize("kind", ["float32", "int32"])
def test_pixels_of_unknown_range_are_refused(tmp_path: Path, kind: str) -> None:
    Image.fromarray((quadrants()[..., 0] / 255).astype(kind)).save(tmp_path / "a.tif")
    with pytest.raises(ImageError, match=r"cannot read image .*a\.tif.*8 or 16 bits"):
        read_photo(tmp_path / "a.tif", "a", CONFIG)


@pytest.mark.parametrize("suffix", ["png", "tif", "pgm"])
def test_16_bit_images_keep_their_range(tmp_path: Path, suffix: str) -> None:
    grey = (quadrants()[..., 0].astype(np.uint16) << 8) | 255
    Image.fromarray(grey).save(tmp_path / f"a.{suffix}")
    assert np.array_equal(read_photo(tmp_path / f"a.{suffix}", "a", CONFIG).pixels, quadrants())


def test_errors_call_a_mask_a_mask(tmp_path: Path) -> None:
    (tmp_path / "m.png").write_bytes(b"no picture")
    with pytest.raises(ImageError, match=r"cannot read mask .*m\.png"):
        read_mask(tmp_path / "m.png", (WIDTH, HEIGHT), CONFIG)
    with pytest.raises(ImageError, match=r"mask .*missing\.png does not exist"):
        read_mask(tmp_path / "missing.png", (WIDTH, HEIGHT), CONFIG)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif"])
def test_other_formats_start_no_program(tmp_path: Path, monkeypatch, suffix: str) -> None:
    def start(*_: object) -> None:
        raise AssertionError("Ghostscript was started")

    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", start)
    path = tmp_path / f"a{suffix}"
    Image.fromarray(quadrants()).save(path, "EPS")
    with Image.open(path) as image, pytest.raises(AssertionError, match="Ghostscript"):
        image.load()  # Pillow goes by the content
    size = (WIDTH, HEIGHT)
    readers = [
        lambda: read_photo(path, "a", CONFIG),
        lambda: photo_from_bytes(path.read_bytes(), "a", CONFIG),
        lambda: read_mask(path, size, CONFIG),
        lambda: exif_position(path, CONFIG),
        lambda: read_label_map(path, size),
        lambda: read_depth(path.with_suffix(".png"), size, DepthConfig()),
    ]
    path.with_suffix(".png").write_bytes(path.read_bytes())
    for read in readers:
        with pytest.raises((ImageError, FormatError), match="none of JPEG, PNG"):
            read()
