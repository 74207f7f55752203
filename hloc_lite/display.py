"""Short texts and HTML tables of values, for consoles and notebooks."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping


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
