"""Cards: read as package data; errors name the file and the key."""

from __future__ import annotations

from pathlib import Path

import pytest

from hloc_lite.datasets.card_readme import card_readme
from hloc_lite.datasets.cards import Card, card_names, parse_card, read_card
from hloc_lite.datasets.globs import Glob
from hloc_lite.errors import FormatError, UnknownNameError
from hloc_lite.evaluation.retrieval.protocols import protocol_names
from hloc_lite.evaluation.thresholds import parse_thresholds
from hloc_lite.formats.submissions.forms import SUBMISSION_FORMS
from hloc_lite.synthetic.config import CONDITIONS
from tests.docs.test_language import MAX_WORDS, sentences

ROOT = Path(__file__).parents[2]
TEXT = """
source = "our own photos"
licence = "CC-BY-4.0"
units = "metres"
layout = "images/"
thresholds = ["1m,5deg"]
"""
OTHERS = [name for name in card_names() if name not in ("town", "custom")]
"""Data sets of others; the other READMEs are written by hand."""
PUBLIC = [name for name in OTHERS if not read_card(name).protocols]
"""Those of poses."""
RETRIEVAL = [name for name in OTHERS if name not in PUBLIC]


def test_card_of_the_town() -> None:
    card = read_card("town")
    assert (card.name, card.conditions) == ("town", CONDITIONS)
    assert card.licence.startswith("Apache-2.0")


@pytest.mark.parametrize("name", sorted({*card_names()} - {*RETRIEVAL}))
def test_thresholds_of_a_card_can_be_parsed(name: str) -> None:
    assert parse_thresholds(read_card(name).thresholds)


def test_each_card_has_a_readme_and_each_readme_a_card() -> None:
    readmes = sorted(path.parent.name for path in (ROOT / "datasets").glob("*/README.md"))
    assert readmes == list(card_names())
    for name in readmes:
        text = (ROOT / "datasets" / name / "README.md").read_text(encoding="utf-8")
        assert f"(../../hloc_lite/datasets/card_files/{name}.toml)" in text


@pytest.mark.parametrize("name", OTHERS)
def test_readme_is_that_of_the_card(name: str) -> None:
    text = card_readme(read_card(name))
    assert (ROOT / "datasets" / name / "README.md").read_text(encoding="utf-8") == text
    assert [each for each in sentences(text) if len(each.split()) > MAX_WORDS] == []


@pytest.mark.parametrize("name", card_names())
def test_card_agrees_with_itself(name: str) -> None:
    card = read_card(name)
    known = {*card.conditions, *card.groups}
    for row in card.published:
        assert row.condition in known
        assert row.unit != "percent" or len(row.values) == len(card.thresholds)
        assert row.unit != "percent" or sorted(row.values) == list(row.values)
    assert card.title and card.tree and bool(card.truth) != bool(card.protocols)
    for entry in card.tree:
        for glob in (*entry.globs, *entry.names_in):
            Glob.parse(glob)
    archives = [source.file_name for source in card.sources if source.unpack is not None]
    assert len(set(archives)) == len(archives)
    for source in card.sources:
        assert source.login or source.unpack is not None or source.file
        assert not (source.login and source.sha256)


@pytest.mark.parametrize("name", PUBLIC)
def test_public_data_sets_have_a_home_page_and_a_way_to_get_them(name: str) -> None:
    card = read_card(name)
    assert card.url and card.sources and card.submission == name


def test_each_retrieval_protocol_has_a_card() -> None:
    named = [protocol for name in RETRIEVAL for protocol in read_card(name).protocols]
    own = {"covisible", "utm-names"}  # rules for data of one's own
    assert sorted(named) == sorted({*protocol_names()} - own)


def test_each_card_has_a_submission_form_that_agrees_on_the_number_of_queries() -> None:
    assert sorted(SUBMISSION_FORMS) == PUBLIC
    for name, form in SUBMISSION_FORMS.items():
        counts = read_card(name).counts.queries
        if form.num_queries is not None:
            assert sum(counts.values()) == form.num_queries


def test_numbers_of_queries() -> None:
    totals = {name: sum(read_card(name).counts.queries.values()) for name in card_names()}
    assert (totals["aachen"], totals["aachen-v1.1"]) == (922, 1015)
    assert (totals["robotcar"], totals["7scenes"], totals["inloc"]) == (11934, 17000, 356)


def test_groups_join_conditions() -> None:
    groups = read_card("robotcar").groups
    assert list(groups) == ["day all", "night", "night-rain"]
    assert sorted(sum(groups.values(), ())) == sorted(read_card("robotcar").conditions)


def test_unknown_name() -> None:
    with pytest.raises(
        UnknownNameError, match=r"no data set is named '\.\./town'; .* are 12scenes, .*town"
    ):
        read_card("../town")


def test_optional_keys() -> None:
    card = parse_card("mine", TEXT, "mine.toml")
    assert card == Card(
        name="mine",
        source="our own photos",
        licence="CC-BY-4.0",
        units="metres",
        layout="images/",
        thresholds=("1m,5deg",),
    )


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("source =", "source", "mine.toml is not TOML"),
        ('licence = "CC-BY-4.0"', "", "mine.toml: the key 'licence' is missing"),
        ("licence", "license", "mine.toml: unknown key 'license'; expected source, licence,"),
        ("units =", 'name = "x"\nunits =', "mine.toml: unknown key 'name'"),
        ('"metres"', "3", "mine.toml: key 'units': Input should be a valid string, got 3"),
        (
            '["1m,5deg"]',
            "[]",
            "mine.toml: key 'thresholds': Value error, expected thresholds",
        ),
        ('["1m,5deg"]', "[1]", "mine.toml: key 'thresholds.0': "),
        ("layout =", 'groups = { a = ["b"] }\nlayout =', "the group 'a' joins 'b', which is no"),
        ("layout =", "counts = { queries = { b = 1 } }\nlayout =", "counted for 'b', which is no"),
        ("layout =", "counts = { map_images = 0 }\nlayout =", "key 'counts.map_images': "),
        (
            "layout =",
            'tree = [{ path = "../a", what = "a" }]\nlayout =',
            "key 'tree.0.path': Value error, expected a path inside",
        ),
        (
            "layout =",
            'sources = [{ url = "file:///etc/passwd", what = "a" }]\nlayout =',
            "key 'sources.0.url': Value error, expected an address",
        ),
        (
            "layout =",
            'sources = [{ url = "https://a.b/c", what = "a", unpack = "/tmp" }]\nlayout =',
            "key 'sources.0.unpack': ",
        ),
        (
            "layout =",
            'sources = [{ url = "https://a.b/c", what = "a", sha256 = "abc" }]\nlayout =',
            "key 'sources.0.sha256': ",
        ),
        (
            "layout =",
            'published = [{ method = "m", condition = "c", values = [101], source = "s" }]\n'
            "layout =",
            "percents lie between 0 and 100",
        ),
    ],
)
def test_errors_name_the_file_and_the_key(old: str, new: str, message: str) -> None:
    with pytest.raises(FormatError) as caught:
        parse_card("mine", TEXT.replace(old, new), "mine.toml")
    assert message in str(caught.value)
