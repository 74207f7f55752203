"""hloc's retrieval lists: order, spaces in names, and the published lists."""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hloc_lite.errors import FormatError
from hloc_lite.formats.hloc.retrieval import read_retrieval, write_retrieval

DATA = Path(os.environ.get("HLOC_LITE_FIELD_DATA", "no-field-data")) / "hloc_pairs"
words = st.sampled_from([f"{kind}/{n}.jpg" for kind in ("day", "#night", "ä") for n in range(4)])
names = words.filter(lambda name: name[0] != "#")


@given(st.dictionaries(names, st.lists(words, min_size=1, max_size=5, unique=True)))
def test_lists_round_trip(retrieval: dict[str, list[str]]) -> None:
    retrieval = {q: [n.lstrip("#") for n in images] for q, images in retrieval.items()}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pairs.txt"
        write_retrieval(path, retrieval)
        found = read_retrieval(path)
        assert read_retrieval(path, {n for q, v in found.items() for n in (q, *v)}) == found
    assert list(found.items()) == list(retrieval.items())


def test_order_is_kept_and_repetitions_count_once(tmp_path: Path, caplog) -> None:
    path = tmp_path / "pairs.txt"
    path.write_text("# c\nq2 ./b\nq1 z\r\nq2 a\nq2 b\n\nq1 y", encoding="utf-8")
    assert list(read_retrieval(path).items()) == [("q2", ["b", "a"]), ("q1", ["z", "y"])]
    assert "1 pairs are listed again" in caplog.text


def test_names_with_spaces_need_the_known_names(tmp_path: Path, caplog) -> None:
    path = tmp_path / "pairs.txt"
    path.write_text('my q.jpg a b.jpg\n"my q.jpg" c.jpg\n"my q.jpg" "d e"\n', encoding="utf-8")
    with pytest.raises(FormatError, match=r"line 1: expected 'QUERY MAP_IMAGE'.*list of image"):
        read_retrieval(path)
    known = ["my q.jpg", "a b.jpg", "c.jpg", "d e"]
    assert read_retrieval(path, known) == {"my q.jpg": ["a b.jpg", "c.jpg", "d e"]}
    with pytest.raises(FormatError, match="may be split in several ways"):
        read_retrieval(path, [*known, "my", "q.jpg a b.jpg"])
    with pytest.raises(FormatError, match=r"line 2: .*known names, got"):
        read_retrieval(path, ["my q.jpg", "a b.jpg"])
    write_retrieval(path, {"my q": ["a"], "none": []})
    assert "hloc cannot read names with spaces" in caplog.text
    assert read_retrieval(path, ["my q", "a"]) == {"my q": ["a"]}


@pytest.mark.parametrize("text", ["a ../b", "/a b", "a", "a b c", "C:/x b", "a\0 b"])
def test_bad_lines_are_named(text: str, tmp_path: Path) -> None:
    (tmp_path / "pairs.txt").write_text(f"q a\n{text}\n", encoding="utf-8")
    with pytest.raises(FormatError, match="line 2: "):
        read_retrieval(tmp_path / "pairs.txt")
    with pytest.raises(FormatError, match="cannot hold the name"):
        write_retrieval(tmp_path / "new.txt", {"a\nb": ["c"]})


@pytest.mark.skipif(not DATA.is_dir(), reason="published lists are absent")
def test_published_lists_are_read() -> None:
    aachen = read_retrieval(DATA / "aachen_v1.1" / "pairs-query-netvlad50.txt")
    assert Counter(name.split("/")[1] for name in aachen) == {"day": 834, "night": 206}
    assert {len(images) for images in aachen.values()} == {50}
    inloc = read_retrieval(DATA / "inloc" / "pairs-query-netvlad40.txt")
    assert len(inloc) == 356 and sum(map(len, inloc.values())) == 14240
