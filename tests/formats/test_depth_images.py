"""Depth images: the same depths in every format; broken files are errors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import OpenEXR
import pytest
from PIL import Image

from hloc_lite.config import DepthConfig
from hloc_lite.errors import FormatError
from hloc_lite.formats import depth_images
from hloc_lite.formats.depth_images import DepthFolder, read_depth, write_colmap_depth

CONFIG = DepthConfig()
SIZE = (8, 6)
DEPTHS = (1 + np.arange(48).reshape(6, 8) / 4).astype(np.float32)


def stored(path: Path, depths: np.ndarray = DEPTHS) -> Path:
    if path.suffix == ".png":
        Image.fromarray(np.rint(depths * 1000).astype(np.uint16)).save(path)
    elif path.suffix == ".npy":
        np.save(path, depths)
    elif path.suffix == ".npz":
        np.savez_compressed(path, depth=depths, other=np.zeros(3))
    elif path.suffix == ".exr":
        header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}
        OpenEXR.File(header, {"Z": depths, "A": np.ones_like(depths)}).write(str(path))
    elif path.suffix == ".bin":
        write_colmap_depth(path, depths)
    else:
        Image.fromarray(depths.astype(np.float32)).save(path)
    return path


@pytest.mark.parametrize("name", ["d.png", "d.npy", "d.npz", "d.bin", "d.tif", "d.tiff", "d.exr"])
def test_every_format_gives_the_same_depths(tmp_path: Path, name: str) -> None:
    found = read_depth(stored(tmp_path / name), SIZE, CONFIG)
    np.testing.assert_allclose(found.depths, DEPTHS, rtol=1e-6)
    assert found.image_size == SIZE and found.is_metric and not found.is_inverse


def test_colmap_layout_is_width_height_channels_then_rows(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg.geometric.bin"
    path.write_bytes(b"3&2&1&" + np.arange(1, 7, dtype="<f4").tobytes())
    found = read_depth(path, (300, 200), CONFIG)
    assert found.depths.tolist() == [[1, 2, 3], [4, 5, 6]]


def test_invalid_depths_become_nan(tmp_path: Path) -> None:
    depths = DEPTHS.astype(np.float64)
    depths[0, :5] = [0, -1, np.nan, np.inf, 1e300]
    found = read_depth(stored(tmp_path / "d.npy", depths), SIZE, CONFIG).depths
    assert np.isnan(found[0, :5]).all() and np.isfinite(found).sum() == 43


def test_marks_of_16_bit_become_nan_and_the_default_step_is_1_mm(tmp_path: Path) -> None:
    path = tmp_path / "d.png"
    Image.fromarray(np.array([[0, 1], [1500, 65535]], np.uint16)).save(path)
    found = read_depth(path, (2, 2), CONFIG).depths
    np.testing.assert_allclose(found, [[np.nan, 0.001], [1.5, np.nan]], rtol=1e-6)


def test_another_step_scales_integers_only(tmp_path: Path) -> None:
    config = DepthConfig(integer_step=1 / 256)
    image = tmp_path / "d.png"
    Image.fromarray(np.full((6, 8), 512, np.uint16)).save(image)
    assert (read_depth(image, SIZE, config).depths == 2).all()
    assert (read_depth(stored(tmp_path / "d.npy"), SIZE, config).depths == DEPTHS).all()


@pytest.mark.parametrize(("values", "inverse"), [("relative", False), ("inverse", True)])
def test_relative_depth_may_have_8_bits(tmp_path: Path, values: str, inverse: bool) -> None:
    path = tmp_path / "d.png"
    Image.fromarray(np.full((6, 8), 7, np.uint8)).save(path)
    found = read_depth(path, SIZE, DepthConfig(values=values))
    assert (found.depths == 7).all() and not found.is_metric and found.is_inverse == inverse
    with pytest.raises(FormatError, match=r"8 bits.*depth\.values"):
        read_depth(path, SIZE, CONFIG)


@pytest.mark.parametrize("size", [(8, 6), (800, 600), (801, 600), (1024, 768), (4, 3)])
def test_another_resolution_is_read(tmp_path: Path, size: tuple[int, int]) -> None:
    assert read_depth(stored(tmp_path / "d.npy"), size, CONFIG).image_size == size


@pytest.mark.parametrize("size", [(6, 8), (800, 800), (1024, 512)])
def test_another_aspect_ratio_is_an_error(tmp_path: Path, size: tuple[int, int]) -> None:
    with pytest.raises(FormatError, match=f"8 x 6 pixels, its image {size[0]} x {size[1]}"):
        read_depth(stored(tmp_path / "d.npy"), size, CONFIG)


def write_bytes(content: bytes):
    return lambda path: path.write_bytes(content)


BROKEN = {
    "no image.png": (write_bytes(b"no image"), "cannot read depth map"),
    "empty.png": (write_bytes(b""), "cannot read depth map"),
    "rgb.png": (
        lambda path: Image.fromarray(np.zeros((6, 8, 3), np.uint8)).save(path),
        "3 channels",
    ),
    "text.npy": (write_bytes(b"1 2 3"), "not a .npy array"),
    "empty.npy": (write_bytes(b""), "not a .npy array"),
    "object.npy": (lambda path: np.save(path, np.array([None, 1])), "not a .npy array"),
    "words.npy": (
        lambda path: np.save(path, np.full((6, 8), "far")),
        "not hold an array of",
    ),
    "zip.npy": (write_bytes(b"PK\x03\x04 and so on"), "not a .npy array"),
    "line.npy": (lambda path: np.save(path, np.ones(48)), r"shape \(48,\)"),
    "cube.npy": (lambda path: np.save(path, np.ones((2, 6, 8))), r"shape \(2, 6, 8\)"),
    "tiny.npy": (lambda path: np.save(path, np.ones((1, 1))), "at least 2"),
    "short.bin": (write_bytes(b"8&6&1&" + bytes(40)), "damaged: 8 x 6 pixels take 192 bytes"),
    "long.bin": (write_bytes(b"8&6&1&" + bytes(200)), "damaged"),
    "normals.bin": (write_bytes(b"8&6&3&" + bytes(576)), "3 channels"),
    "other.bin": (write_bytes(bytes(300)), "width&height&channels"),
    "huge.bin": (write_bytes(b"99999&99999&1&"), "10000 megapixels, the limit is 50"),
    "d.exr": (write_bytes(b"v/1\x01"), "cannot read depth map"),
    "no zip.npz": (write_bytes(b"1 2 3"), r"not a \.npz archive"),
    "two.npz": (
        lambda path: np.savez(path, a=np.ones((6, 8)), b=np.ones((6, 8))),
        r"2 arrays \(a, b\)",
    ),
    "large.npz": (
        lambda path: np.savez_compressed(path, np.zeros((1, 1 << 26))),
        "more than depth.max_megapixels",
    ),
    "objects.npz": (lambda path: np.savez(path, np.array([None, 1])), r"not a \.npz archive"),
    "d.txt": (write_bytes(b"1 2"), "not a depth map of a known format"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_files_are_named(tmp_path: Path, name: str) -> None:
    write, message = BROKEN[name]
    write(tmp_path / name)
    with pytest.raises(FormatError, match=message) as error:
        read_depth(tmp_path / name, SIZE, CONFIG)
    assert str(tmp_path / name) in str(error.value)


@pytest.mark.parametrize("name", ["a.png", "a.npy", "a.bin", "a.tif"])
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(FormatError, match=rf"{name} does not exist"):
        read_depth(tmp_path / name, SIZE, CONFIG)


@pytest.mark.parametrize("name", ["d.png", "d.npy", "d.bin"])
def test_large_maps_are_refused(tmp_path: Path, name: str) -> None:
    path = stored(tmp_path / name, np.ones((100, 100)))
    with pytest.raises(FormatError, match=r"depth\.max_megapixels"):
        read_depth(path, (100, 100), DepthConfig(max_megapixels=0.005))


def test_the_folder_finds_files_by_image_name(tmp_path: Path) -> None:
    (tmp_path / "query" / "day").mkdir(parents=True)
    stored(tmp_path / "query" / "day" / "1.jpg.png")
    stored(tmp_path / "query" / "day" / "2.npy")
    stored(tmp_path / "3.jpg.geometric.bin")
    folder = DepthFolder(tmp_path, CONFIG)
    for name in ("query/day/1.jpg", "query/day/2.jpg", "3.jpg"):
        found = folder.load(name, SIZE)
        assert found is not None
        np.testing.assert_allclose(found.depths, DEPTHS, rtol=1e-6)
    assert folder.load("query/day/9.jpg", SIZE) is None


def test_the_name_with_suffix_is_preferred(tmp_path: Path) -> None:
    stored(tmp_path / "a.npy", DEPTHS)
    stored(tmp_path / "a.jpg.npy", 2 * DEPTHS)
    found = DepthFolder(tmp_path, CONFIG).load("a.jpg", SIZE)
    assert found is not None and found.depths[0, 0] == 2


def test_the_folder_must_exist_and_names_stay_in_it(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="does not exist"):
        DepthFolder(tmp_path / "none", CONFIG)
    for name in ("../a.jpg", "/a.jpg"):
        with pytest.raises(FormatError, match="leaves the depth folder"):
            DepthFolder(tmp_path, CONFIG).load(name, SIZE)


def test_many_channels_of_exr_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The library reads all channels at once."""
    exr = pytest.importorskip("OpenEXR")
    channels = {f"c{number}": np.ones((40, 40), np.float32) for number in range(8)}
    with exr.File({"compression": exr.ZIP_COMPRESSION}, channels | {"Z": channels["c0"]}) as file:
        file.write(str(tmp_path / "a.exr"))
    assert read_depth(tmp_path / "a.exr", (40, 40), DepthConfig()).depths.shape == (40, 40)
    monkeypatch.setattr(depth_images, "MAX_EXR_VALUES", 1000)
    with pytest.raises(FormatError, match="9 channels"):
        read_depth(tmp_path / "a.exr", (40, 40), DepthConfig(max_megapixels=0.002))
