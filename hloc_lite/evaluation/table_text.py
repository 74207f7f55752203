"""Tables as plain text, Markdown and LaTeX: names are escaped, numbers are aligned."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hloc_lite.errors import HlocLiteError

_LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    **{character: f"\\{character}" for character in "&%$#_{}"},
}
_LATEX_SPECIAL = re.compile("|".join(re.escape(character) for character in _LATEX))
_MARKDOWN_SPECIAL = re.compile(r"[\\`*_{}\[\]<>#|~$&]")
_UNPRINTABLE = re.compile(r"[\s\x00-\x1f\x7f\u2028\u2029]+")


@dataclass(frozen=True)
class TextTable:
    """Table of texts: names in the first column, numbers in the others."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    caption: str = ""
    rules: tuple[int, ...] = ()
    """Indices of rows that have a rule above them, in LaTeX."""
    left_columns: tuple[int, ...] = (0,)
    """Columns of names, aligned to the left; the others are aligned to the right."""

    def __post_init__(self) -> None:
        bad = next((row for row in self.rows if len(row) != len(self.header)), None)
        if bad is not None:
            raise HlocLiteError(f"expected {len(self.header)} cells in each row, got {bad}")


def plain_table(table: TextTable) -> str:
    """Format a table for the terminal, in columns of equal width."""
    lines = [tuple(_one_line(cell) for cell in row) for row in (table.header, *table.rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(table.header))]
    aligned = [
        "  ".join(
            cell.ljust(width) if i in table.left_columns else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]
    return "\n".join([_one_line(table.caption), *aligned] if table.caption else aligned)


def markdown_table(table: TextTable) -> str:
    """Format a table as Markdown with pipes, as on GitHub; it ends with a line break."""
    rule = "|".join("---" if i in table.left_columns else "---:" for i in range(len(table.header)))
    lines = [_line(table.header, markdown_text), f"|{rule}|"]
    lines += [_line(row, markdown_text) for row in table.rows]
    caption = [markdown_text(table.caption), ""] if table.caption else []
    return "\n".join([*caption, *lines]) + "\n"


def latex_table(table: TextTable, label: str = "") -> str:
    """Format a table as a LaTeX ``table`` with the rules of the package booktabs.

    Args:
        table: texts that are escaped here.
        label: key of ``\\label``, with letters, digits and ``:._-`` only.

    Raises:
        HlocLiteError: a label with other characters.
    """
    if not re.fullmatch(r"[A-Za-z0-9:._-]*", label):
        raise HlocLiteError(f"a LaTeX label has letters, digits and ':._-' only, got {label!r}")
    columns = "".join("l" if i in table.left_columns else "r" for i in range(len(table.header)))
    body = [rf"\begin{{tabular}}{{{columns}}}", r"\toprule", _latex_row(table.header), r"\midrule"]
    for i, row in enumerate(table.rows):
        body += [r"\midrule"] if i in table.rules and i > 0 else []
        body.append(_latex_row(row))
    body += [r"\bottomrule", r"\end{tabular}"]
    caption = [rf"\caption{{{latex_text(table.caption)}}}"] if table.caption else []
    caption += [rf"\label{{{label}}}"] if label else []
    opening = [r"% needs \usepackage{booktabs}", r"\begin{table}", r"\centering"]
    return "\n".join([*opening, *caption, *body, r"\end{table}"]) + "\n"


def markdown_text(text: str) -> str:
    """Escape a text so that Markdown shows it as it is, on one line."""
    escaped = _MARKDOWN_SPECIAL.sub(lambda found: "\\" + found[0], _one_line(text))
    return escaped.replace("\\<", "&lt;").replace("\\>", "&gt;").replace("\\&", "&amp;")


def latex_text(text: str) -> str:
    """Escape a text so that LaTeX shows it as it is, on one line."""
    return _LATEX_SPECIAL.sub(lambda found: _LATEX[found[0]], _one_line(text))


def _line(cells: Sequence[str], escape: Callable[[str], str]) -> str:
    return "| " + " | ".join(escape(cell) for cell in cells) + " |"


def _latex_row(cells: Sequence[str]) -> str:
    # a bracket after \\ would be taken for its argument
    texts = [re.sub(r"^\[", "{[}", latex_text(cell)) for cell in cells]
    return " & ".join(texts) + r" \\"


def _one_line(text: str) -> str:
    return _UNPRINTABLE.sub(" ", text).strip()
