"""Cards: read as package data; errors name the file and the key."""

from __future__ import annotations

from pathlib import Path

import pytest

from hloc_lite.datasets.cards import Card, card_names, parse_card, read_card
from hloc_lite.errors import FormatError, UnknownNameError
from hloc_lite.evaluation.thresholds import parse_thresholds
from hloc_lite.synthetic.config import CONDITIONS

ROOT = Path(__file__).parents[2]
TEXT = """
source = "our own photos"
licence = "CC-BY-4.0"
units = "metres"
layout = "images/"
thresholds = ["1m,5deg"]
"""


def test_card_of_the_town() -> None:
    card = read_card("town")
    assert (card.name, card.conditions) == ("town", CONDITIONS)
    assert card.licence.startswith("Apache-2.0")


@pytest.mark.parametrize("name", card_names())
def test_thresholds_of_a_card_can_be_parsed(name: str) -> None:
    assert parse_thresholds(read_card(name).thresholds)


def test_each_card_has_a_readme_and_each_readme_a_card() -> None:
    readmes = sorted(path.parent.name for path in (ROOT / "datasets").glob("*/README.md"))
    assert readmes == list(card_names())
    for name in readmes:
        text = (ROOT / "datasets" / name / "README.md").read_text(encoding="utf-8")
        assert f"(../../hloc_lite/datasets/card_files/{name}.toml)" in text


def test_unknown_name() -> None:
    with pytest.raises(UnknownNameError, match=r"no data set is named '\.\./town'; .* are town"):
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
        ('["1m,5deg"]', "[]", "mine.toml: key 'thresholds': "),
        ('["1m,5deg"]', "[1]", "mine.toml: key 'thresholds.0': "),
    ],
)
def test_errors_name_the_file_and_the_key(old: str, new: str, message: str) -> None:
    with pytest.raises(FormatError) as caught:
        parse_card("mine", TEXT.replace(old, new), "mine.toml")
    assert message in str(caught.value)
