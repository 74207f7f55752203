"""The documentation is written in short sentences."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.snippets import ROOT, pages

MAX_WORDS = 25
_REMOVED = (
    re.compile(r"<!--.*?-->", re.DOTALL),
    re.compile(r"^[ ]*```.*?^[ ]*```[ ]*$", re.MULTILINE | re.DOTALL),
    re.compile(r"^\s*\|.*$", re.MULTILINE),  # tables
    re.compile(r"^#.*$", re.MULTILINE),
    re.compile(r"^    .*$", re.MULTILINE),  # formulas and commands
    re.compile(r"!\[[^\]]*\]\([^)]*\)"),
)


def sentences(text: str) -> Iterator[str]:
    """Sentences of the prose of a page; code counts as one word each."""
    for pattern in _REMOVED:
        text = pattern.sub("", text)
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text)
    text = re.sub(r"`[^`]*`", "CODE", text)
    for paragraph in re.split(r"\n\s*\n|\n\s*(?:[-*]|\d+\.) |<br>", text):
        yield from re.split(r"(?<=[.!?:])[\"')*]*\s+", " ".join(paragraph.split()))


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_sentences_are_short(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert [each for each in sentences(text) if len(each.split()) > MAX_WORDS] == []
