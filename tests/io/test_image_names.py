"""Image names stay in their folder, wherever they come from."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path, PurePosixPath

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image

from hloc_lite.config import DepthConfig, ImagesConfig
from hloc_lite.errors import FormatError, HlocLiteError, ImageError
from hloc_lite.formats.colmap import read_model, write_model
from hloc_lite.formats.depth_images import DepthFolder
from hloc_lite.formats.hloc_lists import read_image_list, read_queries
from hloc_lite.formats.label_images import LabelFolder
from hloc_lite.io.image_names import is_reserved, leads_out, normalize_name, path_inside
from hloc_lite.io.image_sources import FileSource, FolderSource, MemorySource
from hloc_lite.maps.compress import compress_map
from hloc_lite.maps.map import Map
from tests.exact_scene import mapped_scene

OUTSIDE = [
    "../private.png", "a/../../private.png", "/etc/private.png", "C:/private.png", "C:private.png",
    "..\\private.png", "\\\\server\\share\\private.png", "\\private.png", "a\\..\\..\\private.png",
    "private.png\0",
]  # fmt: skip
INSIDE = ["a.png", "./a.png", "a/b.png", "..a.png", "a..png", "a\\b.png", "a b/c:d.png", "😀/x.png"]


def test_names_that_lead_out_are_told_from_others() -> None:
    assert [name for name in OUTSIDE if not leads_out(name)] == []
    assert [name for name in INSIDE if leads_out(name)] == []


@given(st.lists(st.sampled_from(["..", ".", "a", "C:", "/", "\\", "", "\0"]), max_size=6))
@example(["..", "/", "a"])
def test_a_joined_path_is_below_its_folder(parts: list[str]) -> None:
    name = "".join(parts)
    folder = Path("/x/photos")
    try:
        path = path_inside(folder, name)
    except ImageError:
        return
    steps = [step for step in path.parts if step != "."]
    assert ".." not in steps and path.is_relative_to(folder) and "\0" not in name


@pytest.mark.parametrize("name", OUTSIDE)
def test_sources_and_folders_read_nothing_outside(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "photos/a"
    folder.mkdir(parents=True)
    Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(tmp_path / "private.png")
    source = FolderSource(folder, (name,), ImagesConfig(), folder)
    for read in (
        lambda: source.load(name),
        lambda: source.fingerprint(name),
        lambda: FolderSource(folder, ("x.png",), mask_dir=folder)._mask_path(name),
        lambda: LabelFolder(folder).load(name, (4, 4)),
        lambda: DepthFolder(folder, DepthConfig()).load(name, (4, 4)),
        lambda: MemorySource({name: np.zeros((4, 4, 3), np.uint8)}),
    ):
        with pytest.raises((ImageError, FormatError), match="image name"):
            read()


@pytest.mark.parametrize("name", [name for name in OUTSIDE if "\0" not in name])
def test_lists_with_names_that_lead_out_are_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / "list.txt"
    path.write_text(f"a.png PINHOLE 4 4 4 4 2 2\n{name} PINHOLE 4 4 4 4 2 2\n", encoding="utf-8")
    with pytest.raises(FormatError, match=r"line 2: image name .* leaves the image folder"):
        read_queries(path)
    path.write_text(f"a.png\n{name}\n", encoding="utf-8")
    with pytest.raises(FormatError, match=r"line 2: image name .* leaves the image folder"):
        read_image_list(path)


def test_models_and_maps_with_names_that_lead_out_are_refused(tmp_path: Path) -> None:
    with mapped_scene() as (_, sfm_map):
        model = sfm_map.model
    for number, name in enumerate(OUTSIDE[:-1]):
        images = (replace(model.images[0], name=name), *model.images[1:])
        outside = replace(model, images=images)
        write_model(tmp_path / f"model{number}", outside)
        with pytest.raises(FormatError, match="leaves the image folder"):
            read_model(tmp_path / f"model{number}")
    features = {image.name: sfm_map.features[model.images[0].name] for image in outside.images}
    renamed = replace(
        sfm_map, model=outside, features=features,
        global_names=tuple(image.name for image in outside.images),
    )  # fmt: skip
    renamed.save(tmp_path / "full")
    compress_map(renamed, tmp_path / "compact")
    for folder in ("full", "compact"):
        with pytest.raises(HlocLiteError, match="leaves the image folder"):
            Map.open(tmp_path / folder)


def test_a_user_may_give_single_photos_by_any_path(tmp_path: Path) -> None:
    Image.fromarray(np.full((4, 4, 3), 9, np.uint8)).save(tmp_path / "a.png")
    for path in (tmp_path / "a.png", tmp_path / "b/../a.png"):
        (tmp_path / "b").mkdir(exist_ok=True)
        assert (FileSource((str(path),)).load(str(path)).pixels == 9).all()


@given(st.text(st.sampled_from("ab./\\ "), max_size=8))
def test_names_are_brought_to_the_normal_form_of_paths(name: str) -> None:
    assert normalize_name(name) == PurePosixPath(name).as_posix()


@pytest.mark.parametrize("name", [".. /a.jpg", "x/..  /a.jpg", "... /a.jpg", "x/....", "..."])
def test_parts_that_windows_shortens_to_the_parent_lead_out(name: str) -> None:
    assert leads_out(name)


@pytest.mark.parametrize("name", ["..a.jpg", "a..jpg", "x/..a/b.jpg", "a .jpg", "con", "12:30.jpg"])
def test_other_dots_and_names_do_not(name: str) -> None:
    assert leads_out(name) == (os.name == "nt" and name in ("con", "12:30.jpg"))


@pytest.mark.parametrize(
    ("name", "reserved"),
    [("CON", True), ("a/nul.jpg", True), ("aux .png", True), ("com1/a.jpg", True), ("a:b", True),
     ("console.jpg", False), ("a/b.con", False), ("com10.jpg", False)],
)  # fmt: skip
def test_devices_of_windows(name: str, reserved: bool) -> None:
    assert is_reserved(name.split("/"), windows=True) == reserved
    assert not is_reserved(name.split("/"), windows=False)


def test_names_too_long_for_the_system_are_absent_files(tmp_path: Path) -> None:
    """With the suffix of a mask or depth image, a name of 252 bytes has more than 255."""
    name = 248 * "n" + ".png"
    Image.new("RGB", (8, 8)).save(tmp_path / name)
    source = FolderSource(tmp_path, (name,), mask_dir=tmp_path)
    assert source.load(name).mask is None and source.fingerprint(name)
    assert LabelFolder(tmp_path).path(300 * "n") is None
    assert DepthFolder(tmp_path, DepthConfig()).path(300 * "n") is None
