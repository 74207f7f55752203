"""Comparison of a folder with the files that the card of a data set expects."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hloc_lite.datasets.card_parts import TreeEntry
from hloc_lite.datasets.cards import Card
from hloc_lite.datasets.globs import Glob, Walk
from hloc_lite.errors import FormatError, counted
from hloc_lite.io.files import read_text
from hloc_lite.io.image_names import natural_key, normalize_name

_NAME = re.compile(r"\s*(\S.*?)\.(?:jpe?g|png|tiff?|bmp|webp)(?=[\s,]|$)", re.IGNORECASE)
"""Image name at the start of a line, without its extension; it may contain spaces."""


@dataclass(frozen=True)
class EntryReport:
    """Files of one expected entry that a folder has and lacks."""

    entry: TreeEntry
    glob: str
    """The one of the entry's globs that has the most files."""
    found: int
    """Number of files, without empty ones."""
    empty: tuple[str, ...] = ()
    """Files of no bytes: traces of an interrupted copy. They count as missing."""
    listed: int | None = None
    """Number of names in the lists; None if the entry has no lists."""
    missing: tuple[str, ...] = ()
    """Listed names without a file, and without extension."""
    surplus: tuple[str, ...] = ()
    """Files that no list names. They do no harm."""

    @property
    def is_complete(self) -> bool:
        """True if nothing is missing that should be there."""
        if self.entry.optional and not self.found and not self.empty:
            return True
        if self.empty or self.missing or self.listed == 0:
            return False
        count = self.entry.count
        if self.listed is not None and count is not None:
            return self.listed == count
        return self.found == count if count is not None else self.found >= self.entry.at_least

    def lines(self) -> Iterator[str]:
        """Yield a line for people, and one for each problem."""
        state = "ok" if self.is_complete else "MISSING"
        if self.entry.optional and not self.found:
            state = "none (optional)"
        elif self.found and not self.is_complete:
            state = "INCOMPLETE"
        numbers = f"{self.found} of {self.entry.expected}"
        yield f"{state}: {self.entry.what}: {numbers} files at {self.glob}"
        if self.listed is not None and self.found:
            yield from self._list_lines()
        if self.empty:
            yield f"  {counted(len(self.empty), 'empty file')}, first: {self.empty[0]}"

    def _list_lines(self) -> Iterator[str]:
        lists = ", ".join(self.entry.names_in)
        count = self.entry.count
        if self.listed == 0:
            yield f"  no names found in {lists}"
        elif count is not None and self.listed != count:
            yield f"  {counted(self.listed or 0, 'name')} in {lists}, expected {count}"
        if self.missing:
            yield f"  {counted(len(self.missing), 'listed file')} missing, first: {self.missing[0]}"
        if self.surplus:
            yield (
                f"  {counted(len(self.surplus), 'surplus file')} that {lists} do not name, "
                f"first: {self.surplus[0]}"
            )


@dataclass(frozen=True)
class TreeReport:
    """Files that a folder has and lacks of all that a card expects."""

    root: Path
    name: str
    entries: tuple[EntryReport, ...]
    links: tuple[str, ...] = ()
    """Links, which are not followed: what lies behind them is not counted."""

    @property
    def is_complete(self) -> bool:
        """True if all entries are complete."""
        return all(entry.is_complete for entry in self.entries)

    def lines(self) -> Iterator[str]:
        """Yield lines for people."""
        for entry in self.entries:
            yield from entry.lines()
        if self.links:
            yield (
                f"{counted(len(self.links), 'link')} not followed, first: {self.links[0]}; what "
                f"lies behind is not counted"
            )
        missing = sum(not entry.is_complete for entry in self.entries)
        if missing:
            yield f"{self.root}: {missing} of {len(self.entries)} entries of {self.name} incomplete"
        else:
            yield f"{self.root}: complete ({self.name})"


@dataclass
class _Tally:
    """Files found for one glob."""

    glob: Glob
    keeps_paths: bool
    found: int = 0
    empty: list[str] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)

    def add(self, path: str, file: os.DirEntry[str]) -> None:
        if not file.stat(follow_symlinks=False).st_size:
            self.empty.append(path)
            return
        self.found += 1
        if self.keeps_paths:
            self.paths.append(path)


def check_tree(root: Path, card: Card) -> TreeReport:
    """Compare the files below a folder with those that a card expects.

    Every folder is read once. Links are not followed, except the root itself.

    Raises:
        FormatError: the root is not a folder, the card expects nothing, or a folder or a list
            cannot be read.
    """
    if not root.is_dir():
        raise FormatError(f"{root} is not a folder: expected the data set {card.name}")
    if not card.tree:
        raise FormatError(f"the card of {card.name!r} does not say which files it has")
    tallies = [
        [_Tally(Glob.parse(glob), bool(entry.names_in)) for glob in entry.globs]
        for entry in card.tree
    ]
    lists = [[Glob.parse(glob) for glob in entry.names_in] for entry in card.tree]
    list_paths: list[list[str]] = [[] for _ in card.tree]
    walk = Walk(root)
    flat = [tally for group in tallies for tally in group]
    for path, file in walk.files():
        for tally in flat:
            if tally.glob.matches(path):
                tally.add(path, file)
        for globs, paths in zip(lists, list_paths, strict=True):
            if any(glob.matches(path) for glob in globs):
                paths.append(path)
    reports = [_report(root, *parts) for parts in zip(card.tree, tallies, list_paths, strict=True)]
    links = tuple(sorted(walk.links, key=natural_key))
    return TreeReport(root, card.name, tuple(reports), links)


def _report(
    root: Path, entry: TreeEntry, tallies: Sequence[_Tally], list_paths: Sequence[str]
) -> EntryReport:
    best = max(tallies, key=lambda tally: tally.found + len(tally.empty))  # the first of equals
    empty = tuple(sorted(best.empty, key=natural_key))
    if not entry.names_in:
        return EntryReport(entry, best.glob.text, best.found, empty)
    names = listed_names(root / path for path in sorted(list_paths))
    seen: set[str] = set()
    surplus = []
    for path in best.paths:
        matching = [suffix for suffix in _suffixes(path) if suffix in names]
        seen.update(matching)
        if not matching:
            surplus.append(path)
    return EntryReport(
        entry,
        best.glob.text,
        best.found,
        empty,
        listed=len(names),
        missing=tuple(name for name in names if name not in seen),
        surplus=tuple(sorted(surplus, key=natural_key)),
    )


def listed_names(lists: Iterable[Path]) -> dict[str, None]:
    """Return the image names at the starts of lines, without extension, in order.

    Lines without an image name (comments, headers) are skipped. Extensions are left out because
    lists and models of several data sets write ``.png`` for files that are ``.jpg``.

    Raises:
        FormatError: a list cannot be read.
    """
    found: dict[str, None] = {}
    for path in lists:
        for line in read_text(path).split("\n"):
            match = None if line.startswith("#") else _NAME.match(line)
            if match is not None:
                found[normalize_name(match[1])] = None
    return found


def _suffixes(path: str) -> Iterator[str]:
    """Yield the path without extension, then without its first folder, and so on."""
    rest = path.rpartition(".")[0]
    while rest:
        yield rest
        rest = rest.partition("/")[2]
