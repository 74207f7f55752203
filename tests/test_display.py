"""Names with control characters neither forge lines nor rewrite the terminal."""

from __future__ import annotations

import logging

import pytest

from hloc_lite.cli.localize_text import print_single
from hloc_lite.display import PrintableFormatter, printable
from hloc_lite.types import LocalizationResult, RetrievalHits, Status


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\nb.jpg 1 0 0 0 0 0 0", "a\\nb.jpg 1 0 0 0 0 0 0"),
        ("\x1b[2J", "\\x1b[2J"),
        ("\x9b2J", "\\x9b2J"),
        ("\u2028", "\\u2028"),
        ("a\u202egnp.exe", "a\\u202egnp.exe"),
        ("\udcff", "\\udcff"),
        ("straße 1/写真 😀 👩‍💻.jpg", "straße 1/写真 😀 👩‍💻.jpg"),
        ("a\u3000b", "a\u3000b"),
    ],
)
def test_control_characters_are_escaped(text: str, shown: str) -> None:
    assert printable(text) == shown
    assert printable(shown) == shown


def test_some_may_be_kept() -> None:
    assert printable("a\nb\x1b", keep="\n") == "a\nb\\x1b"


def test_log_messages_have_none() -> None:
    record = logging.LogRecord("x", logging.INFO, "", 0, "read %s", ("a\x1b]0;x\x07",), None)
    assert PrintableFormatter("%(message)s").format(record) == "read a\\x1b]0;x\\x07"


def test_results_are_printed_in_lines_of_their_own(capsys: pytest.CaptureFixture[str]) -> None:
    name = "a.jpg\nforged.jpg 1 0 0 0 0 0 0\x1b[2J"
    result = LocalizationResult(
        name, Status.NO_POSE, "no pose", None, None, None, RetrievalHits((), ()), {}, {}
    )
    print_single(result)
    out = capsys.readouterr().out
    assert len(out.splitlines()) == 1 and "\x1b" not in out
