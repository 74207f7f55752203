"""Checksums of label and depth files, so that changed files do not go unnoticed."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from hloc_lite.config import DepthConfig, SemanticsConfig
from hloc_lite.errors import HlocLiteError
from hloc_lite.formats.depth_images import DepthFolder
from hloc_lite.formats.label_images import READY_TABLES, LabelFolder
from hloc_lite.io.files import file_sha256

PREFIX = "files:"
"""Start of a source that names a folder of files."""


def label_file_hashes(config: SemanticsConfig, names: Iterable[str]) -> dict[str, str]:
    """Return the sha256 of each image's label file, by image name.

    Images without such a file are left out. The label table's file, if there is one, is under "".
    The result is empty if labels do not come from files.
    """
    if not config.source.startswith(PREFIX):
        return {}
    hashes = _file_hashes(LabelFolder(Path(config.source.removeprefix(PREFIX))), names)
    if config.table and config.table not in READY_TABLES:
        hashes[""] = _sha256(Path(config.table))
    return hashes


def depth_file_hashes(config: DepthConfig, names: Iterable[str]) -> dict[str, str]:
    """Return the sha256 of each image's depth file, as ``label_file_hashes`` for labels."""
    if not config.source.startswith(PREFIX):
        return {}
    return _file_hashes(DepthFolder(Path(config.source.removeprefix(PREFIX)), config), names)


def _file_hashes(folder: LabelFolder | DepthFolder, names: Iterable[str]) -> dict[str, str]:
    hashes = {}
    for name in names:
        try:
            path = folder.path(name)
        except HlocLiteError:  # a name that leads out of the folder has no file
            continue
        if path is not None:
            hashes[name] = _sha256(path)
    return hashes


def _sha256(path: Path) -> str:
    try:
        return file_sha256(path)
    except HlocLiteError:
        return "unreadable"
