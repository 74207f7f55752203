"""Short texts and HTML tables of values, for consoles and notebooks."""

from __future__ import annotations

import html
import logging
import unicodedata
from collections.abc import Iterable, Mapping

_CONTROL_CATEGORIES = frozenset({"Cc", "Cs", "Zl", "Zp"})
"""Controls such as the escape of terminals, bytes that are no UTF-8, and line separators."""
_DIRECTIONS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Characters that change the order in which others are shown."""


def printable(text: str, keep: str = "") -> str:
    """Text with escapes such as ``\\n`` and ``\\x1b`` in place of control characters.

    File names are made by others: a line end in one would forge a line of the output, and an escape
    sequence would rewrite the terminal.

    Args:
        text: with names of files.
        keep: control characters that stay.
    """
    if text.isprintable():
        return text
    return "".join(_escaped(each) if each not in keep else each for each in text)


def _escaped(character: str) -> str:
    is_control = unicodedata.category(character) in _CONTROL_CATEGORIES or character in _DIRECTIONS
    return character.encode("unicode_escape").decode("ascii") if is_control else character


class PrintableFormatter(logging.Formatter):
    """Formats log messages, a line each, without control characters; tracebacks have line ends."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        """See ``logging.Formatter.formatMessage``."""
        return printable(super().formatMessage(record))

    def format(self, record: logging.LogRecord) -> str:
        """See ``logging.Formatter.format``."""
        return printable(super().format(record), keep="\n\t")


def numbers_text(values: Iterable[float]) -> str:
    """Numbers with four digits in parentheses: ``(1.5, -2, 0.3333)``."""
    return f"({', '.join(f'{value:.4g}' for value in values)})"


def html_table(title: str, rows: Mapping[str, object]) -> str:
    """HTML table with a row per name; all texts are escaped."""
    cells = "".join(
        f"<tr><th style='text-align:left'>{html.escape(name)}</th>"
        f"<td style='text-align:left'>{html.escape(str(value))}</td></tr>"
        for name, value in rows.items()
    )
    return f"<table><caption>{html.escape(title)}</caption>{cells}</table>"
