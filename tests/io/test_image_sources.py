"""Image sources: folders, lists, masks, arrays."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from hloc_lite.errors import FormatError, ImageError
from hloc_lite.io.image_names import list_images, natural_key
from hloc_lite.io.image_sources import FolderSource, MemorySource, folder_source
from hloc_lite.io.images import read_mask
from tests.io.photos import CONFIG, HEIGHT, WIDTH, quadrants


def test_masks_follow_colmaps_convention(tmp_path: Path) -> None:
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


def test_folders_are_listed_recursively_and_sorted(tmp_path: Path) -> None:
    for name in ("b/x.JPG", "a/x.jpg", "ä ö/😀.png", "a.txt", "#1.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert list_images(tmp_path) == ("#1.jpg", "a/x.jpg", "b/x.JPG", "ä ö/😀.png")


def test_bad_folders_and_lists_are_explained(tmp_path: Path) -> None:
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


def test_fingerprints_depend_on_the_content(tmp_path: Path) -> None:
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


@pytest.mark.parametrize("name", ["", "a\nb", "a\0b", "a\udcff", 5])
def test_invalid_names_of_arrays_are_refused(name) -> None:
    with pytest.raises(ImageError, match="name"):
        MemorySource({name: quadrants()})


@pytest.mark.parametrize(
    "pixels", [np.zeros((0, 0, 3), np.uint8), quadrants()[..., 0], quadrants() / 255, None, "a.jpg"]
)
def test_arrays_that_are_not_photos_are_image_errors(pixels) -> None:
    source = MemorySource({"a": pixels})
    for read in (source.fingerprint, source.load):
        with pytest.raises(ImageError, match=r"expected an array of uint8 \(H, W, 3\)"):
            read("a")


def test_names_are_in_natural_order(tmp_path: Path) -> None:
    ordered = ["2/a10.jpg", "10/a9.jpg", "frame1.jpg", "frame2.jpg", "frame10.jpg", "frame010.jpg"]
    ordered.sort(key=natural_key)
    assert ordered == [
        "2/a10.jpg", "10/a9.jpg", "frame1.jpg", "frame2.jpg", "frame010.jpg", "frame10.jpg",
    ]  # fmt: skip
    for name in ordered:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert list(list_images(tmp_path)) == ordered
    assert list(folder_source(tmp_path, CONFIG, ordered[::-1]).names) == ordered
    assert list(MemorySource({n: quadrants() for n in ordered[::-1]}).names) == ordered


@given(st.lists(st.text(st.sampled_from("ab012./"), min_size=1), unique=True))
def test_natural_order_is_total(names: list[str]) -> None:
    assert len({natural_key(name) for name in names}) == len(names)
    assert sorted(names, key=natural_key) == sorted(sorted(names), key=natural_key)
