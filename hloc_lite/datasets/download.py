"""Download of a data set's files that need no login, and sentences about the others."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hloc_lite.datasets.card_parts import Source
from hloc_lite.datasets.cards import Card
from hloc_lite.datasets.globs import Glob, Walk
from hloc_lite.datasets.transfer import Progress, fetch_file
from hloc_lite.datasets.unpacking import unpack
from hloc_lite.errors import ConfigError, HlocLiteError, counted
from hloc_lite.io.files import write_text_atomic

if TYPE_CHECKING:
    from requests import Session

DOWNLOADS = "downloads"
"""Folder in the root for archives while they are unpacked, and for notes of what was unpacked."""


@dataclass(frozen=True)
class DownloadReport:
    """Result of a download: what came, what was there, and what must be asked for."""

    root: Path
    fetched: tuple[Source, ...]
    present: tuple[Source, ...]
    """Sources that were there already."""
    by_hand: tuple[Source, ...]
    """Sources that need a login, a form or steps by hand."""
    unchecked: int = 0
    """Number of fetched sources of which no checksum is known."""
    url: str = ""
    """Home page of the data set."""

    def lines(self) -> Iterator[str]:
        """Yield sentences for people."""
        if self.fetched or self.present:
            there = f", {counted(len(self.present), 'file')} were there" if self.present else ""
            yield f"{self.root}: {counted(len(self.fetched), 'file')} downloaded{there}"
        if self.unchecked:
            yield f"no checksum is published for {counted(self.unchecked, 'file')} of these"
        for source in self.by_hand:
            yield f"not downloaded: {source.what}: ask at {source.url}"
        if not (self.fetched or self.present or self.by_hand):
            where = f"; see {self.url}" if self.url else ""
            yield f"nothing can be downloaded{where}"


def download(
    card: Card,
    root: Path,
    *,
    keep_archives: bool = False,
    progress: Progress | None = None,
    session: Session | None = None,
) -> DownloadReport:
    """Download and unpack the sources of a card that need no login.

    It can be stopped at any time: the next call goes on. Archives are removed once they are
    unpacked, unless ``keep_archives``. Whoever calls this has agreed to the data's licence.

    Raises:
        HlocLiteError: a source cannot be had or written; what came before it stays.
        FormatError: a damaged archive, or one whose members lead out of the folder.
    """
    root.mkdir(parents=True, exist_ok=True)
    fetched: list[Source] = []
    present: list[Source] = []
    by_hand = tuple(source for source in card.sources if source.login)
    for source in card.sources:
        if source.login:
            continue
        if _is_present(root, source):
            present.append(source)
            continue
        _fetch(root, source, keep_archives, progress, session)
        fetched.append(source)
    unchecked = sum(not source.sha256 for source in fetched)
    return DownloadReport(root, tuple(fetched), tuple(present), by_hand, unchecked, card.url)


def _fetch(
    root: Path,
    source: Source,
    keep_archives: bool,
    progress: Progress | None,
    session: Session | None,
) -> None:
    target = _target(root, source)
    if not target.is_file():
        fetch_file(
            source.url,
            target,
            sha256=source.sha256,
            size=source.bytes,
            progress=progress,
            session=session,
        )
    if source.unpack is None:
        return
    folder = root / source.unpack
    unpack(target, folder)
    if source.inner:
        _unpack_inner(folder, source, keep_archives)
    write_text_atomic(_note(root, source), f"{source.url}\n{source.sha256}\n")
    if not keep_archives:
        target.unlink()


def _unpack_inner(folder: Path, source: Source, keep_archives: bool) -> None:
    """Unpack archives that lay in an archive, each into its own folder."""
    glob = Glob.parse(source.inner)
    inner = [path for path, _ in Walk(folder).files() if glob.matches(path)]
    if not inner:
        raise HlocLiteError(f"{source.url} holds no {source.inner}: it was changed")
    for path in sorted(inner):
        archive = folder / path
        unpack(archive, archive.parent)
        if not keep_archives:
            archive.unlink()


def _is_present(root: Path, source: Source) -> bool:
    if source.unpack is None:
        return _target(root, source).is_file()
    note = _note(root, source)
    return note.is_file() and note.read_text(encoding="utf-8").split("\n")[0] == source.url


def _target(root: Path, source: Source) -> Path:
    """Path of a source's file, before it is unpacked."""
    if source.unpack is None and source.file:
        return root / source.file
    name = source.file_name
    if not name or name.startswith("."):
        raise ConfigError(f"the address {source.url} has no file name: the card must state one")
    return root / name if source.unpack is None else root / DOWNLOADS / name


def _note(root: Path, source: Source) -> Path:
    """File that says that an archive was unpacked completely."""
    return root / DOWNLOADS / f"{source.file_name}.unpacked"
