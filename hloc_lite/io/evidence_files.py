"""What is in the files of labels and depths: results made with others are not taken for these."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from hloc_lite.config import DepthConfig, SemanticsConfig
from hloc_lite.errors import HlocLiteError
from hloc_lite.io.depth_files import DepthFolder
from hloc_lite.io.files import file_sha256
from hloc_lite.io.label_files import READY_TABLES, LabelFolder

PREFIX = "files:"


def label_contents(config: SemanticsConfig, names: Iterable[str]) -> dict[str, str]:
    """Image name -> sha256 of its label file, where there is one, and that of the table's file
    under ""; empty for other sources than files."""
    if not config.source.startswith(PREFIX):
        return {}
    found = _contents(LabelFolder(Path(config.source.removeprefix(PREFIX))), names)
    if config.table and config.table not in READY_TABLES:
        found[""] = _sha256(Path(config.table))
    return found


def depth_contents(config: DepthConfig, names: Iterable[str]) -> dict[str, str]:
    """As ``label_contents``, of depth files."""
    if not config.source.startswith(PREFIX):
        return {}
    return _contents(DepthFolder(Path(config.source.removeprefix(PREFIX)), config), names)


def _contents(folder: LabelFolder | DepthFolder, names: Iterable[str]) -> dict[str, str]:
    found = {}
    for name in names:
        try:
            path = folder.path(name)
        except HlocLiteError:  # a name that leaves the folder has no file
            continue
        if path is not None:
            found[name] = _sha256(path)
    return found


def _sha256(path: Path) -> str:
    try:
        return file_sha256(path)
    except HlocLiteError:
        return "unreadable"
