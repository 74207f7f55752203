"""Globs of data set cards, and the files of a folder that they are matched with."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from hloc_lite.errors import FormatError

_SPECIAL = re.compile(r"[*?\[{]")


@dataclass(frozen=True)
class Glob:
    """Pattern of paths relative to a folder, with slashes.

    ``*``, ``?`` and ``[...]`` match within one name, ``**/`` any number of folders, and ``{a,b}``
    one of several texts.
    """

    text: str
    pattern: re.Pattern[str]
    prefix: str
    """Text that all matching paths begin with."""

    @classmethod
    def parse(cls, text: str) -> Glob:
        """Parse a glob.

        Raises:
            FormatError: a bracket or brace is not closed, or a range such as ``[z-a]`` is empty.
        """
        special = _SPECIAL.search(text)
        prefix = text if special is None else text[: special.start()]
        try:
            return cls(text, re.compile(_translated(text)), prefix)
        except re.error as error:
            raise FormatError(f"the glob {text!r} has wrong brackets: {error}") from None

    def matches(self, path: str) -> bool:
        """Return True if the whole path matches."""
        return path.startswith(self.prefix) and self.pattern.fullmatch(path) is not None


def _translated(text: str) -> str:
    """The regular expression of a glob."""
    parts: list[str] = []
    position, depth = 0, 0
    while position < len(text):
        char = text[position]
        step = 1
        if text.startswith("**/", position):
            parts.append("(?:[^/]+/)*")
            step = 3
        elif char == "*":
            parts.append("[^/]*")
        elif char == "?":
            parts.append("[^/]")
        elif char == "[":
            end = text.find("]", position + 2)
            if end < 0:
                raise FormatError(f"the glob {text!r} has a '[' without ']'")
            inner = text[position + 1 : end].replace("\\", "\\\\").replace("[", "\\[")
            parts.append(f"(?!/)[{'^' + inner[1:] if inner[0] == '!' else inner}]")
            step = end + 1 - position
        elif char == "{":
            parts.append("(?:")
            depth += 1
        elif char == "}" and depth:
            parts.append(")")
            depth -= 1
        elif char == "," and depth:
            parts.append("|")
        else:
            parts.append(re.escape(char))
        position += step
    if depth:
        raise FormatError(f"the glob {text!r} has a '{{' without '}}'")
    return "".join(parts)


@dataclass
class Walk:
    """Files below a folder; links are noted and not followed."""

    root: Path
    links: list[str] = field(default_factory=list)
    """Paths of links to files and folders, relative to the root."""

    def files(self) -> Iterator[tuple[str, os.DirEntry[str]]]:
        """Yield the files with their paths relative to the root, folder by folder.

        Raises:
            FormatError: a folder cannot be read.
        """
        pending = [("", os.fspath(self.root))]
        while pending:
            prefix, folder = pending.pop()
            try:
                with os.scandir(folder) as entries:
                    for entry in entries:
                        path = prefix + entry.name
                        if entry.is_symlink():
                            self.links.append(path)
                        elif entry.is_dir(follow_symlinks=False):
                            pending.append((path + "/", entry.path))
                        else:
                            yield path, entry
            except OSError as error:
                raise FormatError(f"cannot read {folder}: {error.strerror or error}") from None
