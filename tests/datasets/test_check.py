"""Check of a data set's files: counts, missing and surplus names, empty files, links."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hloc_lite.datasets.card_parts import TreeEntry
from hloc_lite.datasets.cards import Card, read_card
from hloc_lite.datasets.check import TreeReport, check_tree, listed_names
from hloc_lite.datasets.globs import Glob
from hloc_lite.errors import FormatError


def card(*entries: TreeEntry) -> Card:
    return Card(
        name="mine",
        source="us",
        licence="none",
        units="metres",
        layout="images/",
        thresholds=("1m,5deg",),
        tree=entries,
    )


def write(root: Path, *names: str, text: str = "x") -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def lines(report: TreeReport) -> str:
    return "\n".join(report.lines())


def test_a_complete_folder(tmp_path: Path) -> None:
    write(tmp_path, "images/a.jpg", "images/sub/b 1.jpg", "model.bin", "other/thing.txt")
    entries = (
        TreeEntry(path="images/**/*.jpg", what="images", count=2),
        TreeEntry(path="model.bin", what="model"),
        TreeEntry(path="depth/*.png", what="depth", optional=True),
    )
    report = check_tree(tmp_path, card(*entries))
    assert report.is_complete
    assert [entry.found for entry in report.entries] == [2, 1, 0]
    assert "ok: images: 2 of 2 files at images/**/*.jpg" in lines(report)
    assert "none (optional): depth" in lines(report)
    assert lines(report).endswith("complete (mine)")


@pytest.mark.parametrize(
    ("count", "at_least", "complete"),
    [(2, 1, True), (3, 1, False), (1, 1, False), (None, 2, True), (None, 3, False)],
)
def test_numbers_of_files(tmp_path: Path, count: int, at_least: int, complete: bool) -> None:
    write(tmp_path, "a.jpg", "b.jpg")
    entry = TreeEntry(path="*.jpg", what="images", count=count, at_least=at_least)
    report = check_tree(tmp_path, card(entry))
    assert report.is_complete is complete
    assert ("INCOMPLETE: images" in lines(report)) is not complete


def test_missing_files(tmp_path: Path) -> None:
    report = check_tree(tmp_path, card(TreeEntry(path="*.jpg", what="images")))
    assert not report.is_complete
    assert "MISSING: images: 0 of at least 1 files at *.jpg" in lines(report)
    assert "1 of 1 entries of mine incomplete" in lines(report)


def test_the_alternative_with_the_most_files_counts(tmp_path: Path) -> None:
    entry = TreeEntry(path="images/*.jpg", what="images", alternatives=("photos/*.jpg",), count=2)
    write(tmp_path, "images/a.jpg")
    assert check_tree(tmp_path, card(entry)).entries[0].glob == "images/*.jpg"
    write(tmp_path, "photos/a.jpg", "photos/b.jpg")
    report = check_tree(tmp_path, card(entry))
    assert report.is_complete and report.entries[0].glob == "photos/*.jpg"


def test_optional_files_must_be_complete_if_there_are_any(tmp_path: Path) -> None:
    entry = TreeEntry(path="*.png", what="depth", count=2, optional=True)
    assert check_tree(tmp_path, card(entry)).is_complete
    write(tmp_path, "a.png")
    assert not check_tree(tmp_path, card(entry)).is_complete


def test_empty_files_are_missing(tmp_path: Path) -> None:
    write(tmp_path, "a.jpg")
    write(tmp_path, "b2.jpg", "b10.jpg", text="")
    report = check_tree(tmp_path, card(TreeEntry(path="*.jpg", what="images")))
    assert not report.is_complete and report.entries[0].found == 1
    assert "2 empty files, first: b2.jpg" in lines(report)


LISTED = TreeEntry(
    path="images/query/**/*.jpg",
    what="queries",
    count=2,
    names_in=("queries/*.txt",),
)


def test_names_of_lists(tmp_path: Path) -> None:
    text = "# query/not.jpg\nquery/day 1/a.jpg PINHOLE 1 1 1 1 0 0\n\n./query/b.png, 3\nheader\n"
    write(tmp_path, "queries/day.txt", text=text)
    write(tmp_path, "images/query/day 1/a.jpg", "images/query/b.jpg")
    report = check_tree(tmp_path, card(LISTED))
    assert report.is_complete and report.entries[0].listed == 2
    (tmp_path / "images/query/b.jpg").unlink()
    write(tmp_path, "images/query/c.jpg", "images/query/d.jpg")
    report = check_tree(tmp_path, card(LISTED))
    assert not report.is_complete
    (entry,) = report.entries
    assert (entry.found, entry.missing) == (3, ("query/b",))
    assert entry.surplus == ("images/query/c.jpg", "images/query/d.jpg")
    assert "1 listed file missing, first: query/b" in lines(report)
    assert "2 surplus files that queries/*.txt do not name, first: images/query/c" in lines(report)


def test_lists_without_or_with_other_names(tmp_path: Path) -> None:
    write(tmp_path, "images/query/a.jpg", "images/query/b.jpg")
    assert "no names found in queries/*.txt" in lines(check_tree(tmp_path, card(LISTED)))
    write(tmp_path, "queries/day.txt", text="query/a.jpg\n")
    report = check_tree(tmp_path, card(LISTED))
    assert not report.is_complete
    assert "1 name in queries/*.txt, expected 2" in lines(report)


def test_surplus_alone_does_no_harm(tmp_path: Path) -> None:
    write(tmp_path, "queries/day.txt", text="query/a.jpg\nquery/b.jpg\n")
    write(tmp_path, *(f"images/query/{name}.jpg" for name in "abc"))
    assert check_tree(tmp_path, card(LISTED)).is_complete


def test_lists_that_are_not_text(tmp_path: Path) -> None:
    write(tmp_path, "images/query/a.jpg", "queries/x.txt")
    (tmp_path / "queries/x.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(FormatError, match="not UTF-8"):
        check_tree(tmp_path, card(LISTED))


def test_links_are_not_followed(tmp_path: Path) -> None:
    root = tmp_path / "root"
    write(tmp_path, "outside/a.jpg")
    write(root, "images/b.jpg")
    (root / "link").symlink_to(tmp_path / "outside", target_is_directory=True)
    (root / "loop").symlink_to(root, target_is_directory=True)
    (root / "images" / "c.jpg").symlink_to(tmp_path / "outside" / "a.jpg")
    report = check_tree(root, card(TreeEntry(path="**/*.jpg", what="images", count=1)))
    assert report.is_complete and report.links == ("images/c.jpg", "link", "loop")
    assert "3 links not followed, first: images/c.jpg" in lines(report)
    (tmp_path / "alias").symlink_to(root, target_is_directory=True)
    assert check_tree(tmp_path / "alias", card(TreeEntry(path="**/*.jpg", what="i"))).is_complete


def test_folders_that_cannot_be_checked(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="is not a folder"):
        check_tree(tmp_path / "none", card(LISTED))
    with pytest.raises(FormatError, match="does not say which files"):
        check_tree(tmp_path, card())


def test_aachen_v1_1_with_its_surplus_images(tmp_path: Path) -> None:
    """All queries of v1.1 by number: 25 images below query/ are none."""
    day = [f"query/day/nexus4/IMG_{row:04}.jpg" for row in range(824)]
    night = [f"query/night/nexus5x/IMG_{row:04}.jpg" for row in range(191)]
    surplus = [f"query/night/milestone/IMG_{row:04}.jpg" for row in range(25)]
    images = tmp_path / "images_upright"
    write(images, *day, *night, *surplus)
    for kind, names in (("day", day), ("night", night)):
        text = "".join(f"{name} SIMPLE_RADIAL 1600 1200 1469.2 800 600 -0.03\n" for name in names)
        write(tmp_path, f"queries/{kind}_time_queries_with_intrinsics.txt", text=text)
    full = read_card("aachen-v1.1")
    aachen = full.model_copy(update={"tree": tuple(each for each in full.tree if each.names_in)})
    report = check_tree(tmp_path, aachen)
    assert report.is_complete, lines(report)
    assert "25 surplus files" in lines(report)
    (images / night[7]).unlink()
    report = check_tree(tmp_path, aachen)
    assert not report.is_complete
    assert "1 listed file missing, first: query/night/nexus5x/IMG_0007" in lines(report)


def test_names_in_lists_keep_spaces_and_lose_extensions(tmp_path: Path) -> None:
    write(tmp_path, "a.txt", text="a b.JPG 1 2\nx/y.png\nno image here\nseq1/f.1.png,3\n")
    assert list(listed_names([tmp_path / "a.txt"])) == ["a b", "x/y", "seq1/f.1"]


@pytest.mark.parametrize(
    ("glob", "good", "bad"),
    [
        ("a/*.jpg", ["a/b.jpg", "a/.jpg"], ["a/b/c.jpg", "a/b.jpg2", "x/a/b.jpg", "a/bxjpg"]),
        ("a/**/*.jpg", ["a/b.jpg", "a/x/y/b.jpg"], ["b.jpg", "ab.jpg"]),
        ("{day,night}_x.txt", ["day_x.txt", "night_x.txt"], ["d_x.txt", "day,night_x.txt"]),
        ("q{,_*}.txt", ["q.txt", "q_a.txt"], ["qa.txt"]),
        ("seq??_0[3-9]", ["seq01_03"], ["seq01_02", "seq1_03"]),
        ("[!a]b", ["cb"], ["ab", "/b"]),
        ("a+(b).c", ["a+(b).c"], ["aab.c"]),
        ("a,b}", ["a,b}"], ["a"]),
    ],
)
def test_globs(glob: str, good: list[str], bad: list[str]) -> None:
    parsed = Glob.parse(glob)
    assert all(parsed.matches(path) for path in good)
    assert not any(parsed.matches(path) for path in bad)


@pytest.mark.parametrize("glob", ["a[b", "{a,b", "[", "[z-a]", "[[-?]"])
def test_globs_that_are_wrong(glob: str) -> None:
    with pytest.raises(FormatError, match=re.escape(repr(glob))):
        Glob.parse(glob)


@given(st.text(alphabet="ab/*?.[]{},!-^\\é", max_size=12), st.text(alphabet="ab/.", max_size=8))
def test_any_text_is_a_glob_or_an_error(text: str, path: str) -> None:
    try:
        Glob.parse(text).matches(path)
    except FormatError:
        return


@given(st.text(max_size=12))
def test_plain_names_match_themselves(text: str) -> None:
    if not set(text) & set("*?[{"):
        assert Glob.parse(text).matches(text)


FIELD_DATA = Path(os.environ.get("HLOC_LITE_FIELD_DATA", "none"))
PAIRS = FIELD_DATA / "hloc_pairs/aachen_v1.1/pairs-query-netvlad50.txt"
SUBMISSION = next(FIELD_DATA.glob("submissions/aachen_v1.1_*.txt"), FIELD_DATA / "none")


@pytest.mark.skipif(
    not (PAIRS.is_file() and SUBMISSION.is_file()), reason="HLOC_LITE_FIELD_DATA lacks the lists"
)
def test_real_names_of_aachen_v1_1(tmp_path: Path) -> None:
    """hloc's pairs name 1040 query images; those of a real submission are the queries."""
    images = {line.split()[0] for line in PAIRS.read_text().splitlines()}
    scored = {line.split()[0] for line in SUBMISSION.read_text().splitlines()}
    queries = sorted(name for name in images if name.rpartition("/")[2] in scored)
    write(tmp_path / "images_upright", *images)
    for kind in ("day", "night"):
        text = "".join(f"{name}\n" for name in queries if f"/{kind}/" in name)
        write(tmp_path, f"queries/{kind}_time_queries_with_intrinsics.txt", text=text)
    full = read_card("aachen-v1.1")
    aachen = full.model_copy(update={"tree": tuple(each for each in full.tree if each.names_in)})
    (entry,) = check_tree(tmp_path, aachen).entries
    assert entry.is_complete
    assert (entry.listed, entry.found, len(entry.surplus)) == (1015, 1040, 25)
