"""Label images and label tables."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hloc_lite.config import ImagesConfig
from hloc_lite.errors import FormatError, ImageError
from hloc_lite.formats.label_images import (
    READY_TABLES,
    TRAIN_IDS,
    LabelFolder,
    read_label_map,
    read_label_table,
)

LABELS = np.array([[0, 10, 255], [2, 18, 8]], np.uint8)
SIZE = (3, 2)


def save(path: Path, pixels: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


def table_file(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "table.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_train_ids_are_read_unchanged(tmp_path):
    label_map = read_label_map(save(tmp_path / "a.png", LABELS), SIZE)
    assert np.array_equal(label_map.labels, LABELS)
    assert label_map.labels.dtype == np.uint8
    assert label_map.image_size == SIZE


def test_palette_images_are_read_by_index(tmp_path):
    image = Image.fromarray(LABELS, mode="L").copy()
    image.putpalette([7] * 768)
    image.save(tmp_path / "a.png")
    assert np.array_equal(read_label_map(tmp_path / "a.png", SIZE).labels, LABELS)


def test_a_smaller_label_image_of_the_same_aspect_ratio_is_read(tmp_path):
    path = save(tmp_path / "a.png", LABELS)
    assert read_label_map(path, (3000, 2001)).image_size == (3000, 2001)


@pytest.mark.parametrize("size", [(200, 300), (301, 220), (300, 100), (10, 10)])
def test_another_aspect_ratio_is_refused(tmp_path, size):
    path = save(tmp_path / "a.png", np.zeros((200, 300), np.uint8))
    with pytest.raises(FormatError, match=r"300 x 200 pixels, its image"):
        read_label_map(path, size)


def test_the_folder_prefers_colmaps_mask_names(tmp_path):
    save(tmp_path / "sub/b.jpg.png", LABELS)
    save(tmp_path / "sub/b.png", np.zeros((2, 3), np.uint8))
    save(tmp_path / "sub/c.png", LABELS)
    folder = LabelFolder(tmp_path)
    assert folder.load("sub/b.jpg", SIZE).labels[1, 1] == 18
    assert folder.load("sub/c.jpg", SIZE).labels[1, 1] == 18
    assert folder.load("c.jpg", SIZE) is None
    with pytest.raises(ImageError, match="leaves"):
        folder.load("../sub/c.jpg", SIZE)
    with pytest.raises(FormatError, match="does not exist"):
        LabelFolder(tmp_path / "none")


def test_cityscapes_label_ids_without_a_table_are_recognized(tmp_path):
    path = save(tmp_path / "a.png", np.array([[7, 33, 23]], np.uint8))
    with pytest.raises(FormatError, match=r"2 values .*: 23, 33.*look like Cityscapes label ids"):
        read_label_map(path, (3, 1))
    table = read_label_table("cityscapes-label-ids")
    assert read_label_map(path, (3, 1), table).labels.tolist() == [[0, 18, 10]]


def test_16_bit_ids_are_mapped_by_a_table(tmp_path):
    path = save(tmp_path / "a.png", np.array([[40000, 7, 9]], np.uint16))
    table = table_file(tmp_path, 'others = "unknown"\n[ids]\n40000 = "sky"\n7 = 2\n')
    assert read_label_map(path, (3, 1), read_label_table(table)).labels.tolist() == [[10, 2, 255]]


def test_unlisted_ids_are_named(tmp_path):
    path = save(tmp_path / "a.png", np.array([[1, 5, 9]], np.uint8))
    table = read_label_table(table_file(tmp_path, '[ids]\n1 = "road"\n'))
    with pytest.raises(FormatError, match=r"2 values .*: 5, 9"):
        read_label_map(path, (3, 1), table)


@pytest.mark.parametrize("alpha", [False, True])
def test_colours_are_mapped_by_a_table(tmp_path, alpha):
    pixels = np.array([[[70, 130, 180], [220, 20, 60], [1, 2, 3]]], np.uint8)
    if alpha:
        pixels = np.concatenate([pixels, np.full((1, 3, 1), 255, np.uint8)], axis=2)
    path = save(tmp_path / "a.png", pixels)
    table = read_label_table("cityscapes-colours")
    assert read_label_map(path, (3, 1), table).labels.tolist() == [[10, 11, 255]]
    strict = read_label_table(table_file(tmp_path, '[colours]\n"70, 130, 180" = "sky"\n'))
    with pytest.raises(FormatError, match=r"220,20,60"):
        read_label_map(path, (3, 1), strict)


def test_other_pixel_formats_are_refused(tmp_path):
    colour = save(tmp_path / "c.png", np.zeros((2, 3, 3), np.uint8))
    grey = save(tmp_path / "g.png", LABELS)
    bits = save(tmp_path / "b.png", np.zeros((2, 3), bool))
    for path in (colour, bits):
        with pytest.raises(FormatError, match="expected one integer"):
            read_label_map(path, SIZE)
    with pytest.raises(FormatError, match="expected 8-bit RGB"):
        read_label_map(grey, SIZE, read_label_table("cityscapes-colours"))


def test_files_that_are_not_png_are_refused(tmp_path):
    Image.fromarray(LABELS).save(tmp_path / "a.jpg")
    (tmp_path / "a.jpg").rename(tmp_path / "a.png")
    with pytest.raises(FormatError, match="JPEG"):
        read_label_map(tmp_path / "a.png", SIZE)
    (tmp_path / "t.png").write_bytes(b"no image at all")
    with pytest.raises(FormatError, match="cannot read label map"):
        read_label_map(tmp_path / "t.png", SIZE)
    with pytest.raises(ImageError, match="does not exist"):
        read_label_map(tmp_path / "none.png", SIZE)


def test_truncated_and_too_large_files_are_refused(tmp_path):
    noise = np.random.default_rng(0).integers(0, 19, (200, 200), dtype=np.uint8)
    data = save(tmp_path / "a.png", noise).read_bytes()
    for length in (20, 100, len(data) // 2):
        (tmp_path / "t.png").write_bytes(data[:length])
        with pytest.raises(FormatError, match="cannot read label map"):
            read_label_map(tmp_path / "t.png", (200, 200))
    with pytest.raises(ImageError, match="megapixels"):
        read_label_map(tmp_path / "a.png", (200, 200), config=ImagesConfig(max_megapixels=0.039))
    with pytest.raises(ImageError, match="MB"):
        read_label_map(tmp_path / "a.png", (200, 200), config=ImagesConfig(max_file_mb=0.001))


def test_corrupted_bytes_give_labels_or_an_error(tmp_path):
    noise = np.random.default_rng(0).integers(0, 19, (20, 30), dtype=np.uint8)
    data = save(tmp_path / "a.png", noise).read_bytes()
    rng = np.random.default_rng(1)
    refused = 0
    for _ in range(200):
        broken = bytearray(data)
        for position in rng.integers(0, len(data), 3):
            broken[position] ^= 1 << int(rng.integers(0, 8))
        (tmp_path / "b.png").write_bytes(broken)
        try:
            assert read_label_map(tmp_path / "b.png", (30, 20)).labels.shape == (20, 30)
        except (FormatError, ImageError):
            refused += 1
    assert refused > 100


def test_ready_tables_map_known_classes():
    tables = {name: read_label_table(name) for name in READY_TABLES}
    ids, ade = tables["cityscapes-label-ids"].ids, tables["ade20k"].ids
    assert sorted(v for v in ids.values() if v != 255) == list(range(19))
    assert [ids[i] for i in (7, 11, 23, 24, 26, 33)] == [0, 2, 10, 11, 13, 18]
    assert sorted(tables["cityscapes-colours"].colours.values()) == list(range(19))
    known = {"wall": 1, "sky": 3, "road": 7, "person": 13, "car": 21, "fence": 33, "bus": 81}
    known |= {"truck": 84, "pole": 94, "bicycle": 128, "traffic light": 137}
    assert {name: ade[i] for name, i in known.items()} == {name: TRAIN_IDS[name] for name in known}
    assert max(ade) <= 150 and min(ade) >= 1
    coco = tables["coco-stuff"].ids
    known = {"person": 0, "car": 2, "traffic light": 9, "fence": 112, "road": 148, "sky": 156}
    assert {name: coco[i] for name, i in known.items()} == {name: TRAIN_IDS[name] for name in known}
    assert max(coco) <= 181 and coco[168] == TRAIN_IDS["vegetation"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "expected one table"),
        ("[ids]\n", "expected one table"),
        ("ids = 3", "expected one table"),
        ('[ids]\n1 = "road"\n[colours]\n"1,2,3" = "road"', "expected one table"),
        ('[ids]\n1 = "road"\n[more]', "expected one table"),
        ('[ids]\n70000 = "road"', "ids are 0 to 65535"),
        ('[ids]\n-1 = "road"', "ids are 0 to 65535"),
        ('[ids]\n1 = "raod"', "'raod' is neither"),
        ("[ids]\n1 = 19", "19 is neither"),
        ("[ids]\n1 = true", "True is neither"),
        ('[colours]\n"1,2" = "road"', 'colours are "R,G,B"'),
        ('[colours]\n"1,2,256" = "road"', 'colours are "R,G,B"'),
        ('others = 77\n[ids]\n1 = "road"', "77 is neither"),
        ("[ids", "not readable TOML"),
    ],
)
def test_bad_tables_are_explained(tmp_path, text, words):
    with pytest.raises(FormatError, match=words):
        read_label_table(table_file(tmp_path, text))


def test_missing_table_names_the_ready_ones(tmp_path):
    with pytest.raises(FormatError, match="cityscapes-label-ids"):
        read_label_table(tmp_path / "none.toml")
