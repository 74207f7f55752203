"""Segmenters: class names, tiles, label files and the Cityscapes network."""

from __future__ import annotations

import itertools
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from hloc_lite import registry
from hloc_lite.config import SemanticsConfig
from hloc_lite.consistency.class_table import synonyms, train_id, train_ids
from hloc_lite.consistency.label_picture import label_picture
from hloc_lite.consistency.labels import CLASS_NAMES
from hloc_lite.consistency.segmentation_litert import (
    LiteRtSegmenter,
    brighten,
    join_tiles,
    tile_spans,
)
from hloc_lite.errors import (
    FormatError,
    MissingDependencyError,
    UnknownNameError,
    WeightsError,
)
from hloc_lite.io.weights import WeightsStore
from hloc_lite.registry import SEGMENTERS, Runtime
from hloc_lite.types import LabelMap, Photo
from tests.weights_stores import NoWeights, OneFile

CARD = "deeplab-edgetpu-cityscapes"
NO_WEIGHTS = Runtime(NoWeights())


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("road", "road"),
        ("building, edifice", "building"),
        ("person, individual, someone, somebody, mortal, soul", "person"),
        ("sky-other-merged", "sky"),
        ("pavement-merged", "sidewalk"),
        ("wall-brick", "wall"),
        ("Traffic_Light", "traffic light"),
        ("traffic light, traffic signal, stoplight", "traffic light"),
        ("signboard, sign", "traffic sign"),
        ("streetlight, street lamp", "pole"),
        ("construction--structure--building", "building"),
        ("Traffic Sign (Front)", "traffic sign"),
        ("minibike, motorbike", "motorcycle"),
    ],
)
def test_class_names_of_other_data_sets(name, expected):
    assert CLASS_NAMES[train_id(name)] == expected


@pytest.mark.parametrize("name", ["bed", "LABEL_0", "", "other", "water-other", "sculpture", "--"])
def test_names_without_counterpart_are_unknown(name):
    assert train_id(name) == 255


def test_every_class_has_its_own_name():
    assert [train_id(name) for name in CLASS_NAMES] == list(range(19))
    assert set(synonyms().values()) == set(range(19))


def test_ids_without_a_name_are_unknown():
    assert train_ids({0: "wall", 3: "sky", 2: "bed"}).tolist() == [3, 255, 255, 10]
    assert len(train_ids({})) == 0


@given(st.integers(1, 3000), st.integers(1, 3000), st.floats(1, 10))
def test_tiles_cover_the_photo_within_max_aspect(a, b, max_aspect):
    length, across = max(a, b), min(a, b)
    spans = tile_spans(length, across, max_aspect)
    assert spans[0][0] == 0 and spans[-1][1] == length
    assert len({stop - start for start, stop in spans}) == 1
    assert spans[0][1] <= max_aspect * across + 0.5
    assert all(after[0] <= this[1] for this, after in itertools.pairwise(spans))
    assert (len(spans) == 1) == (length <= round(max_aspect * across))


@given(st.integers(10, 300), st.integers(10, 900), st.sampled_from([0, 1]))
def test_join_tiles_restore_the_columns(across, length, axis):
    length = max(across, length)
    spans = tile_spans(length, across, 1.0)
    picture = np.broadcast_to(np.arange(length) * 255 // length, (across, length)).astype(np.uint8)
    picture = picture if axis == 1 else picture.T
    tiles = [picture[:, a:b] if axis == 1 else picture[a:b] for a, b in spans]
    assert np.array_equal(join_tiles(tiles, spans, axis), picture)


def test_brighten_halves_saturation_and_raises_the_value():
    blue = brighten(np.full((2, 2, 3), (0, 0, 64), np.uint8))
    # V 64 -> 255 sqrt(64 / 255) = 128, S 255 -> 128
    assert np.abs(blue[0, 0].astype(int) - (64, 64, 128)).max() <= 1
    grey = brighten(np.full((2, 2, 3), 64, np.uint8))
    assert (grey == 128).all()


def test_missing_litert_names_the_extra(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)

    with pytest.raises(MissingDependencyError, match=r'pip install "hloc-lite\[semantics\]"'):
        registry.create(SEGMENTERS, CARD, SemanticsConfig(), Runtime(OneFile(tmp_path / CARD)))


def test_missing_transformers_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(MissingDependencyError, match=r'pip install "hloc-lite\[hf\]"'):
        registry.create(SEGMENTERS, "hf:some/model", SemanticsConfig(), NO_WEIGHTS)


@pytest.mark.parametrize("name", ["hf", "hf:", "files:", "ht:model", "deeplab"])
def test_unknown_segmenters(name):
    with pytest.raises(UnknownNameError):
        registry.create(SEGMENTERS, name, SemanticsConfig(), NO_WEIGHTS)


def test_label_files(tmp_path):
    Image.fromarray(np.array([[7, 23]], np.uint8)).save(tmp_path / "a.jpg.png")
    config = SemanticsConfig(table="cityscapes-label-ids")
    files = registry.create(SEGMENTERS, f"files:{tmp_path}", config, NO_WEIGHTS)
    pixels = np.zeros((10, 20, 3), np.uint8)
    found, none = files.segment([Photo("a.jpg", pixels), Photo("b.jpg", pixels)])
    assert found.labels.tolist() == [[0, 10]] and found.image_size == (20, 10)
    assert none is None
    with pytest.raises(FormatError, match="does not exist"):
        registry.create(SEGMENTERS, f"files:{tmp_path}/none", config, NO_WEIGHTS)


def test_invalid_network_files_are_refused(tmp_path):
    pytest.importorskip("ai_edge_litert")
    (tmp_path / CARD).write_bytes(b"no network")

    with pytest.raises(WeightsError, match="LiteRT"):
        LiteRtSegmenter(CARD, SemanticsConfig(), Runtime(OneFile(tmp_path / CARD)))


@pytest.fixture(scope="module")
def segmenter():
    pytest.importorskip("ai_edge_litert")
    store = WeightsStore(offline=True)
    if not store.is_present(CARD):
        pytest.skip(f"weights missing: run `hloc-lite weights fetch {CARD}`")
    return registry.create(SEGMENTERS, CARD, SemanticsConfig(), Runtime(store))


def street(width: int, height: int) -> Photo:
    """Blue above, grey below."""
    rng = np.random.default_rng(0)
    pixels = np.zeros((height, width, 3), np.float32)
    pixels[: height // 2] = np.linspace((70, 120, 200), (190, 210, 235), height // 2)[:, None]
    pixels[height // 2 :] = 110
    pixels[height // 2 :] += rng.normal(0, 6, (height - height // 2, width, 1))
    return Photo("street", pixels.clip(0, 255).astype(np.uint8))


@pytest.mark.parametrize(("width", "height"), [(640, 480), (480, 640), (1600, 400)])
def test_sky_above_road_below_in_any_shape(segmenter, width, height):
    label_map = segmenter.segment([street(width, height)])[0]
    rows, columns = label_map.labels.shape
    assert label_map.image_size == (width, height)
    assert min(rows, columns) == 513
    assert (label_map.labels[: rows // 4] == 10).mean() > 0.8
    assert (label_map.labels[-rows // 4 :] == 0).mean() > 0.6


def test_order_and_determinism(segmenter):
    photos = [street(320, 240), street(240, 320)]
    both = segmenter.segment(photos)
    again = [segmenter.segment([photo])[0] for photo in photos]
    assert all(np.array_equal(a.labels, b.labels) for a, b in zip(both, again, strict=True))
    assert segmenter.segment([]) == []


def test_only_wide_photos_are_tiled(segmenter):
    assert segmenter.segment([street(800, 400)])[0].labels.shape == (513, 513)
    assert segmenter.segment([street(1600, 400)])[0].labels.shape == (513, 1026)
    assert segmenter.segment([street(400, 1600)])[0].labels.shape == (1026, 513)


def test_label_picture_blends_colours_with_the_photo():
    photo = Photo("a", np.full((4, 6, 3), 100, np.uint8))
    label_map = LabelMap(np.array([[10, 255]], np.uint8), (6, 4))
    picture = label_picture(photo, label_map, opacity=0.5)
    assert picture.shape == (4, 6, 3)
    assert (picture[:, :3] == (85, 115, 140)).all()  # halfway to the sky's 70, 130, 180
    assert (picture[:, 3:] == 100).all()
