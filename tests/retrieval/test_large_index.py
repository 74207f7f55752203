"""The index on disk: exact answers where codes are exact, additions, removals, kills, damage."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hloc_lite.errors import FormatError, HlocLiteError, ShapeError
from hloc_lite.io.schemas import with_checksum
from hloc_lite.retrieval.aggregation import l2_normalized
from hloc_lite.retrieval.index import RetrievalIndex
from hloc_lite.retrieval.ivf_pq import encode, learn_code_book, num_lists
from hloc_lite.retrieval.large_index import LargeIndex, LargeIndexConfig

EVERYTHING = LargeIndexConfig(segment_rows=400, expected_rows=4, probes=10_000, candidates=5000)
"""Looks through all lists and ranks all vectors, so that the search is exact."""


def clustered(count: int, seed: int = 0, dim: int = 32) -> np.ndarray:
    rng = np.random.default_rng(seed)
    centers = np.random.default_rng(99).normal(size=(40, dim))
    return l2_normalized(centers[rng.integers(0, 40, count)] + 0.4 * rng.normal(size=(count, dim)))


def batches(vectors: np.ndarray, first: int = 0, size: int = 150) -> Iterator:
    for start in range(first, len(vectors), size):
        rows = vectors[start : start + size]
        yield [f"ü {start + number}.jpg" for number in range(len(rows))], rows


def built(folder: Path, vectors: np.ndarray, config=EVERYTHING) -> LargeIndex:
    index = LargeIndex(folder / "index", config)
    index.add(batches(vectors))
    return index


def names_of(hits) -> list[tuple[str, ...]]:
    return [each.names for each in hits]


def test_a_search_through_everything_is_exact(tmp_path):
    vectors, queries = clustered(1000), clustered(20, seed=1)
    half = vectors.astype(np.float16).astype(np.float32)
    flat = RetrievalIndex([f"ü {number}.jpg" for number in range(1000)], half)
    found, expected = built(tmp_path, vectors).search(queries, 30), flat.search(queries, 30)
    for own, right in zip(found, expected, strict=True):
        np.testing.assert_allclose(own.similarities, right.similarities, atol=1e-5)
        assert set(own.names[:20]) <= set(right.names)


def test_few_probes_find_nearly_all(tmp_path):
    vectors, queries = clustered(4000), clustered(50, seed=1)
    config = LargeIndexConfig(segment_rows=4000, expected_rows=4000, probes=16, candidates=200)
    found = built(tmp_path, vectors, config).search(queries, 20)
    exact = np.argsort(-(queries @ vectors.T), axis=1)[:, :20]
    shares = [
        len({int(name[2:-4]) for name in own.names} & set(right.tolist())) / 20
        for own, right in zip(found, exact, strict=True)
    ]
    assert np.mean(shares) > 0.95


def test_an_opened_index_answers_as_the_one_that_was_built(tmp_path):
    index, queries = built(tmp_path, clustered(1000)), clustered(5, seed=1)
    index.remove(["ü 3.jpg"])
    again = LargeIndex(tmp_path / "index", EVERYTHING)
    assert len(again) == len(index) == 999 and again.num_added == 1000
    assert names_of(again.search(queries, 10)) == names_of(index.search(queries, 10))


def test_what_is_removed_is_not_found_and_what_is_added_is(tmp_path):
    vectors = clustered(1000)
    index = built(tmp_path, vectors)
    best = index.search(vectors[7:8], 1)[0].names
    assert best == ("ü 7.jpg",)
    assert index.remove([*best, "absent"]) == 1 and index.remove(best) == 0
    assert index.search(vectors[7:8], 1000)[0].names.count("ü 7.jpg") == 0
    index.add([(["again.jpg"], vectors[7:8])])
    assert index.search(vectors[7:8], 1)[0].names == ("again.jpg",)
    assert len(index) == 1000
    index.remove(["again.jpg", "ü 8.jpg"])
    folders = sorted(path.name for path in (tmp_path / "index").glob("removed-*"))
    assert folders == ["removed-000002"] and len(LargeIndex(tmp_path / "index")) == 998


def test_segments_are_the_same_for_any_batches(tmp_path):
    vectors, queries = clustered(1000), clustered(5, seed=1)
    first = built(tmp_path / "a", vectors)
    second = LargeIndex(tmp_path / "b" / "index", EVERYTHING)
    second.add(batches(vectors, size=999))
    assert names_of(first.search(queries, 10)) == names_of(second.search(queries, 10))
    for path in (tmp_path / "a").rglob("*.npy"):
        assert path.read_bytes() == (tmp_path / "b" / path.relative_to(tmp_path / "a")).read_bytes()


@given(st.integers(0, 999))
def test_a_build_that_ends_anywhere_goes_on(tmp_path_factory, stop):
    folder, vectors = tmp_path_factory.mktemp("index"), clustered(1000)

    def until_stopped() -> Iterator:
        done = 0
        for names, rows in batches(vectors):
            if done + len(names) > stop:
                raise KeyboardInterrupt
            done += len(names)
            yield names, rows

    with pytest.raises(KeyboardInterrupt):
        LargeIndex(folder / "index", EVERYTHING).add(until_stopped())
    index = LargeIndex(folder / "index", EVERYTHING)
    assert index.num_added == stop // 150 * 150 // 400 * 400
    index.add(batches(vectors, index.num_added))
    assert len(index) == 1000
    assert index.search(vectors[999:], 1)[0].names == ("ü 999.jpg",)


def test_a_segment_that_no_header_names_is_written_again(tmp_path):
    vectors = clustered(1000)
    index = built(tmp_path, vectors)
    header = tmp_path / "index" / "index.json"
    value = json.loads(header.read_text())
    value["segments"].pop()
    del value["checksum"]
    header.write_text(json.dumps(with_checksum(value)))  # as if killed between segment and header
    again = LargeIndex(tmp_path / "index", EVERYTHING)
    assert again.num_added == 800
    again.add(batches(vectors, 800))
    assert names_of(again.search(vectors[:5], 9)) == names_of(index.search(vectors[:5], 9))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"schema": "other"}, "expected schema"),
        ({"schema": "hloc_lite.large_index/1"}, "segments"),
        ({"schema": "hloc_lite.large_index/1", "segments": [], "removals": "x"}, "removals"),
        ({"schema": "hloc_lite.large_index/1", "segments": [{}] * 2, "removals": 0}, "segments"),
        ({"schema": "hloc_lite.large_index/1", "segments": [7], "removals": 0}, "7 expected"),
        ({"schema": "hloc_lite.large_index/2", "segments": [], "removals": 0}, "newer version"),
    ],
)
def test_damaged_headers_are_errors(tmp_path, content, message):
    built(tmp_path, clustered(500))
    (tmp_path / "index" / "index.json").write_text(json.dumps(with_checksum(content)))
    with pytest.raises(FormatError, match=message):
        LargeIndex(tmp_path / "index")


def test_a_changed_header_is_refused(tmp_path):
    built(tmp_path, clustered(500))
    header = tmp_path / "index" / "index.json"
    header.write_text(header.read_text().replace('"removals": 0', '"removals": 1'))
    with pytest.raises(FormatError, match="damaged or was changed"):
        LargeIndex(tmp_path / "index")


@pytest.mark.parametrize("name", ["codes", "lists", "text", "ends", "vectors", "centroids"])
def test_damaged_arrays_are_errors(tmp_path, name):
    vectors = clustered(500)
    built(tmp_path, vectors)
    path = next((tmp_path / "index").rglob(f"{name}.npy"))
    data = bytearray(path.read_bytes())
    data[-3] ^= 4
    path.write_bytes(bytes(data))
    with pytest.raises(FormatError, match=name):
        LargeIndex(tmp_path / "index").search(vectors[:1], 1)


def test_wrong_inputs_are_explained(tmp_path):
    (tmp_path / "photo.jpg").touch()
    with pytest.raises(FormatError, match="other files"):
        LargeIndex(tmp_path)
    with pytest.raises(ShapeError, match="cannot teach"):
        built(tmp_path, clustered(20))
    index = built(tmp_path / "x", clustered(500))
    with pytest.raises(ShapeError, match="same retrieval"):
        index.search(clustered(1, dim=16), 1)
    with pytest.raises(ShapeError, match="1 names for 2"):
        index.add([(["a"], clustered(2))])


def test_two_writers_do_not_overwrite_each_other(tmp_path):
    vectors = clustered(1000)
    built(tmp_path, vectors)
    first, second = (LargeIndex(tmp_path / "index", EVERYTHING) for _ in range(2))
    first.add([(["new.jpg"], vectors[:1])])
    for write in (lambda: second.add([(["x"], vectors[:1])]), lambda: second.remove(["new.jpg"])):
        with pytest.raises(HlocLiteError, match="open it again"):
            write()

    def meanwhile() -> Iterator:
        with pytest.raises(HlocLiteError, match="another process is writing"):
            LargeIndex(tmp_path / "index", EVERYTHING).remove(["new.jpg"])
        yield ["last.jpg"], vectors[1:2]

    first.add(meanwhile())
    assert len(LargeIndex(tmp_path / "index")) == 1002


@pytest.mark.parametrize("factor", [2.0, 0.0, np.nan])
def test_vectors_of_another_length_are_refused(tmp_path, factor):
    index, vectors = built(tmp_path, clustered(500)), clustered(2, seed=1)
    vectors[1] *= factor
    with pytest.raises(ShapeError, match=r"that of b\.jpg has the norm"):
        index.add([(["a.jpg", "b.jpg"], vectors)])
    assert index.num_added == 500


def test_an_empty_index_finds_nothing(tmp_path):
    index = LargeIndex(tmp_path / "index")
    assert len(index) == 0 and index.search(clustered(2), 5)[1].names == ()


def test_codes_are_those_of_the_nearest_words():
    vectors = clustered(600)
    book = learn_code_book(vectors, 8, seed=0)
    lists, codes = encode(book, vectors)
    for vector, cell, code in zip(vectors[:50], lists, codes, strict=False):
        distances = np.square(book.centroids - vector).sum(axis=1)
        assert distances[cell] == pytest.approx(distances.min(), abs=1e-5)
        parts = (vector - book.centroids[cell]).reshape(book.code_bytes, -1)
        for part, word, words in zip(parts, code, book.codewords, strict=True):
            gaps = np.square(words - part).sum(axis=1)
            assert gaps[word] == pytest.approx(gaps.min(), abs=1e-5)


def test_lists_grow_with_the_root():
    assert [num_lists(count) for count in (1, 10_000, 1_000_000)] == [4, 512, 4096]
