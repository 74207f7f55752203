"""Text tables of kapture: comma-separated values, no quotes, '#' lines are comments.

Source: kapture_format.adoc of github.com/naver/kapture, "Text files".
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from hloc_lite.errors import FormatError
from hloc_lite.io.files import text_lines, write_text_atomic
from hloc_lite.io.image_names import is_unicode, leads_out, normalize_name

VERSION_LINE = "# kapture format: 1.1"
"""First line of every text file that is written."""
_VERSION = re.compile(r"#\s*kapture format:\s*(\S+)")
_WHOLE = re.compile(r"[+-]?[0-9]{1,18}")


class Row(NamedTuple):
    """Values of one line, without the spaces around them."""

    values: tuple[str, ...]
    where: str
    """File and line number, for error messages."""


def read_rows(path: Path, columns: str, least: int, most: int | None = None) -> Iterator[Row]:
    """Rows of a table; blank lines and comments are skipped.

    Args:
        path: text file.
        columns: layout of a line in words, for error messages.
        least: number of values that a line has at least.
        most: number of values that a line has at most; None for any number.

    Raises:
        FormatError: unreadable, NUL bytes, or another number of values; names the line.
    """
    for number, line in enumerate(text_lines(path), start=1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        where = f"{path}, line {number}"
        if "\0" in text:
            raise FormatError(f"{where}: expected text, got NUL bytes: it is damaged or binary")
        values = tuple(value.strip() for value in text.split(","))
        if len(values) < least or (most is not None and len(values) > most):
            raise FormatError(
                f"{where}: expected '{columns}', got {len(values)} values: {text[:120]!r}"
            )
        yield Row(values, where)


def write_rows(
    path: Path, columns: str, rows: Iterable[Sequence[object]], *, version_line: bool = True
) -> None:
    """Write a table; floats keep their full precision.

    Args:
        path: text file, replaced atomically.
        columns: column header, written as a comment.
        rows: values of each line.
        version_line: False for formats of the same layout that have no version.

    Raises:
        FormatError: a text that such a table cannot hold (commas, line breaks).
    """
    lines = [VERSION_LINE] if version_line else []
    lines.append(f"# {columns}")
    for row in rows:
        cells = [_cell(value) for value in row]
        if not cells[0] or cells[0].startswith("#"):
            raise FormatError(f"the first value of a line must not be {cells[0]!r}: rename it")
        lines.append(", ".join(cells))
    write_text_atomic(path, "\n".join([*lines, ""]))


def format_version(path: Path) -> str | None:
    """Version of the format in the first line of a file, such as ``1.1``; None without one."""
    found = _VERSION.match(next(text_lines(path), ""))
    return found[1] if found else None


def column_header(path: Path) -> str:
    """Second line of a file, where kapture names the columns, without '#'; may be empty."""
    lines = list(islice(text_lines(path), 2))
    is_comment = len(lines) > 1 and lines[1].startswith("#")
    return lines[1].lstrip("#").strip() if is_comment else ""


def whole_number(text: str, name: str, where: str) -> int:
    """Integer of at most 18 digits.

    Raises:
        FormatError: anything else.
    """
    is_plain = len(text) <= 18 and text.isascii() and text.isdigit()
    if not is_plain and not _WHOLE.fullmatch(text):
        raise FormatError(f"{where}: {name} must be a whole number, got {text[:40]!r}")
    return int(text)


def finite_number(text: str, name: str, where: str) -> float:
    """Finite float.

    Raises:
        FormatError: anything else.
    """
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise FormatError(f"{where}: {name} must be a finite number, got {text[:40]!r}")
    return value


def relative_name(text: str, where: str) -> str:
    """File name in normal form, relative to its data folder.

    Raises:
        FormatError: empty, or it leads out of the folder.
    """
    name = normalize_name(text)
    if not text or leads_out(text) or name == ".":
        raise FormatError(
            f"{where}: {text[:200]!r} is no file name below the data folder; names are relative"
        )
    return name


def _cell(value: object) -> str:
    text = repr(float(value)) if isinstance(value, float) else str(value)
    if text != text.strip() or set(text) & set(",\n\r\0") or not is_unicode(text):
        raise FormatError(
            f"a kapture table cannot hold {text[:200]!r}: values must not contain commas or line "
            f"breaks, nor begin or end with spaces. Rename it"
        )
    return text
