"""Kinds of photos and other files: HEIC, AVIF, JPEG by other names, alpha, videos, camera RAW."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pillow_heif
import pytest
from PIL import ExifTags, Image, ImagePalette, TiffImagePlugin

from hloc_lite.errors import ImageError
from hloc_lite.io.image_names import list_images
from hloc_lite.io.image_sources import folder_source
from hloc_lite.io.images import UnknownFormatError, photo_from_bytes, read_photo
from hloc_lite.io.unread_formats import HEADER_BYTES, is_heif, remedy, remedy_of_content
from tests.io.photos import CONFIG, HEIGHT, STORED_FROM_UPRIGHT, WIDTH, exif, quadrants


@pytest.mark.parametrize("suffix", ["jfif", "jpe", "mpo", "heic", "HEIF", "avif"])
def test_photos_of_phones_and_browsers_are_read(tmp_path: Path, suffix: str) -> None:
    kind = {"heic": "HEIF", "heif": "HEIF", "avif": "AVIF", "mpo": "MPO"}.get(
        suffix.lower(), "JPEG"
    )
    pillow_heif.register_heif_opener()
    Image.fromarray(quadrants()).save(
        tmp_path / f"a.{suffix}", kind, exif=exif(FocalLengthIn35mmFilm=28).tobytes()
    )
    assert list_images(tmp_path) == (f"a.{suffix}",)
    photo = read_photo(tmp_path / f"a.{suffix}", "a", CONFIG)
    assert np.abs(photo.pixels.astype(int) - quadrants()).mean() < 4
    assert photo.mask is None
    assert photo.exif["focal_px"] == pytest.approx(28 * np.hypot(WIDTH, HEIGHT) / np.hypot(36, 24))
    uploaded = photo_from_bytes((tmp_path / f"a.{suffix}").read_bytes(), "a", CONFIG)
    assert np.array_equal(uploaded.pixels, photo.pixels)


@pytest.mark.parametrize("orientation", STORED_FROM_UPRIGHT)
def test_heic_photos_are_upright(tmp_path: Path, orientation: int) -> None:
    pillow_heif.register_heif_opener()
    stored = np.ascontiguousarray(STORED_FROM_UPRIGHT[orientation](quadrants()))
    Image.fromarray(stored).save(tmp_path / "a.heic", exif=exif(orientation).tobytes())
    found = read_photo(tmp_path / "a.heic", "a", CONFIG).pixels
    assert found.shape == quadrants().shape
    assert np.abs(found.astype(int) - quadrants()).mean() < 4


def test_damaged_heic_is_said(tmp_path: Path) -> None:
    pillow_heif.register_heif_opener()
    Image.fromarray(quadrants()).save(tmp_path / "whole.heic")
    (tmp_path / "a.heic").write_bytes((tmp_path / "whole.heic").read_bytes()[:40])
    with pytest.raises(ImageError, match="damaged or incomplete"):
        read_photo(tmp_path / "a.heic", "a", CONFIG)


CUT_OUT = np.full((HEIGHT, WIDTH), 255, np.uint8)
CUT_OUT[:, :30] = 0
CUT_OUT[:5, 40:] = 1  # nearly transparent pixels still show the photo


def with_alpha(mode: str) -> Image.Image:
    rgba = Image.fromarray(np.dstack([quadrants(), CUT_OUT]))
    if mode != "P":
        return rgba.convert(mode)
    indices = quadrants()[..., 0] // 40
    indices[CUT_OUT == 0] = 255
    image = Image.fromarray(indices)
    image.putpalette(ImagePalette.ImagePalette("RGB", [v // 3 for v in range(768)]))
    image.info["transparency"] = 255
    return image


@pytest.mark.parametrize(
    ("mode", "suffix"),
    [("RGBA", "png"), ("LA", "png"), ("P", "png"), ("RGBA", "webp"), ("RGBA", "tif"),
     ("RGBA", "avif"), ("RGBA", "heic")],
)  # fmt: skip
def test_transparent_pixels_are_masked(tmp_path: Path, mode: str, suffix: str) -> None:
    pillow_heif.register_heif_opener()
    image = with_alpha(mode)
    lossless = {"lossless": True} if suffix == "webp" else {}
    if suffix in ("avif", "heic"):
        lossless = {"quality": 100}
    image.save(tmp_path / f"a.{suffix}", **lossless)
    mask = read_photo(tmp_path / f"a.{suffix}", "a", CONFIG).mask
    assert mask is not None
    assert (mask == (CUT_OUT > 0)).mean() > 0.97
    assert mask[20:, 40:].all() and not mask[20:, :20].any()


def test_alpha_turns_with_the_photo(tmp_path: Path) -> None:
    stored = np.ascontiguousarray(STORED_FROM_UPRIGHT[6](np.dstack([quadrants(), CUT_OUT])))
    Image.fromarray(stored).save(tmp_path / "a.png", exif=exif(6))
    photo = read_photo(tmp_path / "a.png", "a", CONFIG)
    assert photo.mask is not None and np.array_equal(photo.mask, CUT_OUT > 0)


def test_opaque_alpha_changes_nothing(tmp_path: Path) -> None:
    opaque = np.dstack([quadrants(), np.full((HEIGHT, WIDTH), 255, np.uint8)])
    Image.fromarray(opaque).save(tmp_path / "a.png")
    photo = read_photo(tmp_path / "a.png", "a", CONFIG)
    assert photo.mask is None and np.array_equal(photo.pixels, quadrants())


def test_alpha_and_mask_files_add_up(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "masks").mkdir()
    with_alpha("RGBA").save(tmp_path / "images/a.png")
    lower = np.full((HEIGHT, WIDTH), 255, np.uint8)
    lower[:30] = 0
    Image.fromarray(lower).save(tmp_path / "masks/a.png.png")
    source = folder_source(tmp_path / "images", CONFIG, mask_dir=tmp_path / "masks")
    mask = source.load("a.png").mask
    assert mask is not None and np.array_equal(mask, (CUT_OUT > 0) & (lower > 0))


def video(brand: bytes = b"isom") -> bytes:
    return b"\x00\x00\x00\x1cftyp" + brand + bytes(50)


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (video(), "ffmpeg"),
        (video(b"qt  "), "ffmpeg"),
        (b"\x1aE\xdf\xa3" + bytes(50), "ffmpeg"),
        (b"RIFF\0\0\0\0AVI LIST", "ffmpeg"),
        (video(b"crx "), "dcraw"),
        (b"FUJIFILMCCD-RAW 0201", "dcraw"),
        (b"II*\0\x10\0\0\0CR\x02\0", "dcraw"),
    ],
)
def test_videos_and_raw_are_told_by_their_content(content: bytes, word: str) -> None:
    with pytest.raises(UnknownFormatError, match=word):
        photo_from_bytes(content, "a", CONFIG)


@pytest.mark.parametrize(
    ("name", "word"),
    [("a.MOV", "ffmpeg"), ("a.mp4", "ffmpeg"), ("a.NEF", "dcraw"), ("a.jxl", "convert it")],
)
def test_videos_and_raw_are_told_by_their_suffix(tmp_path: Path, name: str, word: str) -> None:
    (tmp_path / name).write_bytes(b"unknown content")
    with pytest.raises(UnknownFormatError, match=word):
        read_photo(tmp_path / name, name, CONFIG)
    with pytest.raises(ImageError, match=word):
        folder_source(tmp_path / name, CONFIG)


@pytest.mark.parametrize("tags", [{50706: b"\1\4\0\0"}, {254: 1}])
def test_thumbnails_of_raw_files_are_no_photos(tags: dict[int, object]) -> None:
    written = TiffImagePlugin.ImageFileDirectory_v2()
    for tag, value in tags.items():
        written[tag] = value
    out = io.BytesIO()
    Image.fromarray(quadrants()).save(out, "TIFF", tiffinfo=written)
    with pytest.raises(UnknownFormatError, match="dcraw"):
        photo_from_bytes(out.getvalue(), "a", CONFIG)
    assert ExifTags.Base.DNGVersion == 50706


def test_left_out_files_are_counted_by_remedy(tmp_path: Path, caplog) -> None:
    for name in ("a.jpg", "b.MP4", "x/c.mov", "d.dng", "e.gif", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert list_images(tmp_path) == ("a.jpg",)
    texts = [record.getMessage() for record in caplog.records]
    assert len(texts) == 3 and all(record.levelname == "WARNING" for record in caplog.records)
    for found, word in (("1 .mov, 1 .mp4", "ffmpeg"), ("1 .dng", "dcraw"), ("1 .gif", "convert")):
        assert any(found in text and word in text for text in texts)


def test_photos_have_no_remedy() -> None:
    for kind in ("JPEG", "PNG", "TIFF", "WEBP", "BMP", "PPM"):
        out = io.BytesIO()
        Image.fromarray(quadrants()).save(out, kind)
        start = out.getvalue()[:HEADER_BYTES]
        assert remedy_of_content(start) is None and not is_heif(start)
    assert remedy(".jpg") is None and remedy("") is None
