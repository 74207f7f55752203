"""Extension of mkdocstrings: lists of files in docstrings of rooms become lists on the site."""

from __future__ import annotations

import re
from typing import Any

import griffe

_ENTRY = re.compile(r"^(\w+\.py) {2,}(\S.*)$")


class FileLists(griffe.Extension):
    """Turns lines ``file.py   what it does`` of module docstrings into bullets."""

    def on_module(self, *, mod: griffe.Module, **_: Any) -> None:
        """Rewrite the docstring of a module as it is loaded."""
        if mod.docstring is not None:
            mod.docstring.value = with_bullets(mod.docstring.value)


def with_bullets(text: str) -> str:
    """The text with its lists of files as Markdown."""
    lines: list[str] = []
    for line in text.splitlines():
        found = _ENTRY.match(line)
        if found and not (lines and lines[-1].startswith("- ")):
            lines.append("")
        lines.append(f"- `{found[1]}`: {found[2]}" if found else line)
    return "\n".join(lines)
