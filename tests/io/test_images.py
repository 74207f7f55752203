"""Photos from disk: upright, in 8-bit RGB, with what EXIF says; broken ones are an ImageError."""

from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image
from PIL.TiffImagePlugin import IFDRational

from hloc_lite.config import ImagesConfig
from hloc_lite.errors import FormatError, ImageError
from hloc_lite.io.image_names import list_images
from hloc_lite.io.image_sources import FolderSource, MemorySource, folder_source
from hloc_lite.io.images import ImageTooLargeError, photo_from_bytes, read_mask, read_photo

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
"""What each EXIF orientation means, written out from the standard and not from Pillow."""


def exif(orientation: int | None = None, **detail: object) -> Image.Exif:
    found = Image.Exif()
    if orientation is not None:
        found[ExifTags.Base.Orientation] = orientation
    ifd = found.get_ifd(ExifTags.IFD.Exif)
    for name, value in detail.items():
        ifd[ExifTags.Base[name]] = value
    return found


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "webp"])
@pytest.mark.parametrize("orientation", STORED_FROM_UPRIGHT)
def test_photos_are_turned_upright(tmp_path: Path, orientation: int, suffix: str) -> None:
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
def test_orientations_that_do_not_exist_are_ignored(tmp_path: Path, orientation: int) -> None:
    Image.fromarray(quadrants()).save(tmp_path / "a.png", exif=exif(orientation))
    assert np.array_equal(read_photo(tmp_path / "a.png", "a", CONFIG).pixels, quadrants())


@pytest.mark.parametrize("orientation", [1, 6])
def test_focal_length_from_the_35mm_equivalent(tmp_path: Path, orientation: int) -> None:
    stored = np.ascontiguousarray(STORED_FROM_UPRIGHT[orientation](quadrants()))
    tags = exif(orientation, FocalLengthIn35mmFilm=27)
    Image.fromarray(stored).save(tmp_path / "a.jpg", exif=tags)
    found = read_photo(tmp_path / "a.jpg", "a", CONFIG).exif["focal_px"]
    # a 35 mm frame has a diagonal of 43.2666 mm, this photo one of 100 px
    assert found == pytest.approx(27 / 43.2666 * 100, rel=1e-4)


@pytest.mark.parametrize(("unit", "per_mm"), [(2, 1 / 25.4), (3, 1 / 10)])
def test_focal_length_from_the_sensor_survives_shrinking_and_turning(
    tmp_path: Path, unit: int, per_mm: float
) -> None:
    # the camera wrote 4000 x 3000 at 100 px/mm with a 40 mm lens: f = 4000 px, now 80 px
    tags = exif(
        FocalLength=IFDRational(40), FocalPlaneXResolution=IFDRational(round(100 / per_mm)),
        FocalPlaneResolutionUnit=unit, ExifImageWidth=4000, ExifImageHeight=3000,
    )  # fmt: skip
    Image.fromarray(quadrants()).save(tmp_path / "a.jpg", exif=tags)
    assert read_photo(tmp_path / "a.jpg", "a", CONFIG).exif["focal_px"] == pytest.approx(80, 1e-3)
    # pixels stored upright by an editor: the longer side is the height
    turned = exif(
        FocalLength=IFDRational(40), FocalPlaneXResolution=IFDRational(round(100 / per_mm)),
        FocalPlaneResolutionUnit=unit, ExifImageWidth=3000, ExifImageHeight=4000,
    )  # fmt: skip
    upright = np.ascontiguousarray(np.rot90(quadrants()))
    Image.fromarray(upright).save(tmp_path / "b.jpg", exif=turned)
    assert read_photo(tmp_path / "b.jpg", "b", CONFIG).exif["focal_px"] == pytest.approx(80, 1e-3)


def test_implausible_or_broken_focal_lengths_are_not_used(tmp_path: Path) -> None:
    for number, tags in enumerate(
        (
            exif(FocalLengthIn35mmFilm=0),
            exif(FocalLengthIn35mmFilm=60000),
            exif(FocalLength=IFDRational(5, 0), FocalPlaneXResolution=IFDRational(1, 0)),
            exif(FocalLength=IFDRational(5), FocalPlaneXResolution=IFDRational(9),
                 FocalPlaneResolutionUnit=99),
            exif(),
        )
    ):  # fmt: skip
        path = tmp_path / f"{number}.jpg"
        Image.fromarray(quadrants()).save(path, exif=tags)
        assert "focal_px" not in read_photo(path, "a", CONFIG).exif


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
def test_changed_bytes_give_an_image_or_an_image_error(tmp_path: Path, suffix: str) -> None:
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


@pytest.mark.filterwarnings("ignore:::PIL")
def test_broken_exif_does_not_cost_the_photo(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    tags = exif(6, FocalLengthIn35mmFilm=27, LensMake="x" * 50)
    Image.fromarray(quadrants()).save(path, exif=tags, quality=95)
    whole = bytearray(path.read_bytes())
    start = whole.index(b"Exif\0\0") + 14
    end = start + 100
    rng = np.random.default_rng(2)
    for _ in range(100):
        data = bytearray(whole)
        for at in rng.integers(start, end, 3):
            data[at] = rng.integers(256)
        path.write_bytes(data)
        assert sorted(read_photo(path, "a", CONFIG).pixels.shape) == [3, HEIGHT, WIDTH]


def test_what_is_no_image_says_so(tmp_path: Path) -> None:
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


def test_masks_are_those_of_colmap(tmp_path: Path) -> None:
    (tmp_path / "images/a b").mkdir(parents=True)
    (tmp_path / "masks/a b").mkdir(parents=True)
    for name in ("a b/x.jpg", "y.jpg"):
        Image.fromarray(quadrants()).save(tmp_path / "images" / name)
    black_left = np.full((HEIGHT, WIDTH), 255, np.uint8)
    black_left[:, :40] = 0
    Image.fromarray(black_left).save(tmp_path / "masks/a b/x.jpg.png")
    source = folder_source(tmp_path / "images", CONFIG, mask_dir=tmp_path / "masks")
    mask = source.load("a b/x.jpg").mask
    assert mask is not None and not mask[:, :40].any() and mask[:, 40:].all()
    assert source.load("y.jpg").mask is None
    before = source.fingerprint("a b/x.jpg")
    Image.fromarray(255 - black_left).save(tmp_path / "masks/a b/x.jpg.png")
    assert source.fingerprint("a b/x.jpg") != before


def test_masks_of_another_size_or_name_are_refused(tmp_path: Path) -> None:
    Image.fromarray(quadrants()).save(tmp_path / "a.png")
    Image.fromarray(quadrants()[:50]).save(tmp_path / "m.png")
    with pytest.raises(FormatError, match=r"80 x 50 pixels.*80 x 60"):
        read_mask(tmp_path / "m.png", (WIDTH, HEIGHT), CONFIG)
    (tmp_path / "masks").mkdir()
    (tmp_path / "masks/a_mask.png").touch()
    with pytest.raises(ImageError, match=r"no mask for any image.*'a\.png\.png'"):
        folder_source(tmp_path, CONFIG, ["a.png"], tmp_path / "masks")


def test_the_configured_limit_of_pixels_is_the_only_one(tmp_path: Path, monkeypatch) -> None:
    Image.fromarray(quadrants()).save(tmp_path / "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)  # Pillow's own, far below the image
    assert read_photo(tmp_path / "a.png", "a.png", CONFIG).pixels.shape == quadrants().shape
    assert Image.MAX_IMAGE_PIXELS == 100
    small = CONFIG.model_copy(update={"max_megapixels": 1e-3})
    with pytest.raises(ImageError, match=r"images\.max_megapixels"):
        read_photo(tmp_path / "a.png", "a.png", small)


def test_folders_are_listed_whole_and_sorted(tmp_path: Path) -> None:
    for name in ("b/x.JPG", "a/x.jpg", "ä ö/😀.png", "a.txt", "#1.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert list_images(tmp_path) == ("#1.jpg", "a/x.jpg", "b/x.JPG", "ä ö/😀.png")


def test_bad_folders_and_lists_say_what_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="does not exist"):
        folder_source(tmp_path / "nowhere", CONFIG)
    with pytest.raises(ImageError, match="no images below"):
        folder_source(tmp_path, CONFIG)
    with pytest.raises(ImageError, match="image list is empty"):
        folder_source(tmp_path, CONFIG, [])
    (tmp_path / "a.jpg").touch()
    with pytest.raises(ImageError, match=r"1 of 2 listed images.*'b\.jpg'"):
        folder_source(tmp_path, CONFIG, ["a.jpg", "b.jpg"])
    with pytest.raises(ImageError, match="1 of 1 listed images"):
        folder_source(tmp_path, CONFIG, ["a.jpg, " * 100])
    for name in ("../a.jpg", "/etc/a.jpg", "x/../../a.jpg"):
        with pytest.raises(ImageError, match="leaves the image folder"):
            folder_source(tmp_path, CONFIG, [name])
    with pytest.raises(ImageError, match="mask folder"):
        folder_source(tmp_path, CONFIG, ["a.jpg"], tmp_path / "no masks")


def test_names_that_are_not_utf8_are_refused(tmp_path: Path) -> None:
    try:
        with open(os.fsencode(tmp_path) + b"/stra\xdfe.jpg", "wb"):
            pass
    except OSError:
        pytest.skip("this file system has Unicode names only")
    with pytest.raises(ImageError, match="not UTF-8"):
        list_images(tmp_path)


def test_fingerprints_follow_the_content(tmp_path: Path) -> None:
    Image.fromarray(quadrants()).save(tmp_path / "a.png")
    source = FolderSource(tmp_path, ("a.png",))
    first = source.fingerprint("a.png")
    assert first == source.fingerprint("a.png") and len(first) == 16
    Image.fromarray(quadrants()[::-1]).save(tmp_path / "a.png")
    assert source.fingerprint("a.png") != first
    with pytest.raises(ImageError, match="missing"):
        source.fingerprint("missing")
    wide, high = np.zeros((2, 8, 3), np.uint8), np.zeros((8, 2, 3), np.uint8)
    memory = MemorySource({"wide": wide, "high": high})
    assert memory.names == ("high", "wide")
    assert memory.fingerprint("wide") != memory.fingerprint("high")


@pytest.mark.parametrize("kind", ["float32", "int32"])
def test_pixels_of_unknown_range_are_refused_and_not_black(tmp_path: Path, kind: str) -> None:
    Image.fromarray((quadrants()[..., 0] / 255).astype(kind)).save(tmp_path / "a.tif")
    with pytest.raises(ImageError, match=r"cannot read image .*a\.tif.*8 or 16 bits"):
        read_photo(tmp_path / "a.tif", "a", CONFIG)


@pytest.mark.parametrize("suffix", ["png", "tif", "pgm"])
def test_16_bits_keep_their_range(tmp_path: Path, suffix: str) -> None:
    grey = (quadrants()[..., 0].astype(np.uint16) << 8) | 255
    Image.fromarray(grey).save(tmp_path / f"a.{suffix}")
    assert np.array_equal(read_photo(tmp_path / f"a.{suffix}", "a", CONFIG).pixels, quadrants())


def test_broken_masks_are_called_masks(tmp_path: Path) -> None:
    (tmp_path / "m.png").write_bytes(b"no picture")
    with pytest.raises(ImageError, match=r"cannot read mask .*m\.png"):
        read_mask(tmp_path / "m.png", (WIDTH, HEIGHT), CONFIG)
    with pytest.raises(ImageError, match=r"mask .*missing\.png does not exist"):
        read_mask(tmp_path / "missing.png", (WIDTH, HEIGHT), CONFIG)


def test_linked_folders_are_followed_once(tmp_path: Path) -> None:
    for name in ("root/x/a.jpg", "elsewhere/deep/b.jpg"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).touch()
    links = {
        "root/day": "elsewhere", "root/again": "elsewhere", "root/w": "root/x",
        "root/x/up": "root", "root/out": ".", "elsewhere/deep/back": "elsewhere",
    }  # fmt: skip
    try:
        for link, target in links.items():
            (tmp_path / link).symlink_to(tmp_path / target, target_is_directory=True)
    except OSError:
        pytest.skip("no symbolic links here")
    assert list_images(tmp_path / "root") == ("again/deep/b.jpg", "x/a.jpg")


def test_photos_in_formats_that_are_not_read_are_counted(tmp_path: Path, caplog) -> None:
    for name in ("a.jpg", "b.HEIC", "x/c.heic", "d.dng", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert list_images(tmp_path) == ("a.jpg",)
    (record,) = caplog.records
    assert record.levelname == "WARNING" and "1 .dng, 2 .heic" in record.getMessage()


@pytest.mark.parametrize("name", ["", "a\nb", "a\0b", "a\udcff", 5])
def test_names_of_arrays_are_text_of_one_line(name) -> None:
    with pytest.raises(ImageError, match="name"):
        MemorySource({name: quadrants()})


@pytest.mark.parametrize(
    "pixels", [np.zeros((0, 0, 3), np.uint8), quadrants()[..., 0], quadrants() / 255, None, "a.jpg"]
)
def test_arrays_that_are_no_photos_are_image_errors(pixels) -> None:
    source = MemorySource({"a": pixels})
    for read in (source.fingerprint, source.load):
        with pytest.raises(ImageError, match=r"expected an array of uint8 \(H, W, 3\)"):
            read("a")
