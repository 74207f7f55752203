"""Paths of this machine in a map that may be passed on: they tell no more than they have to.

An absolute path tells who made the map, and how their folders are called. So the folder of the
photos is stored relative to the map if it lies near, else with ``~`` for the user's own folder. In
the value ``Map`` it is absolute.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path, PureWindowsPath
from typing import Any

IMAGES_FOLDER = "images_folder"
"""Key of a map's report: the folder of its photos."""
MAX_LEVELS_UP = 2
"""Photos beside the map or beside its folder lie near; maps and photos are often moved together."""
HOME = "~"


def portable_path(path: str, folder: Path) -> str:
    """The text of an absolute path that is stored in a map in ``folder``, with ``/``."""
    target, base = Path(path), Path(os.path.realpath(folder))
    if not target.is_absolute():
        return path
    try:
        parts = Path(os.path.relpath(target, base)).parts
    except ValueError:  # on another drive of Windows
        parts = (os.pardir,) * (MAX_LEVELS_UP + 1)
    if parts.count(os.pardir) <= MAX_LEVELS_UP:
        return "/".join(parts)
    home = Path(os.path.realpath(os.path.expanduser(HOME)))
    if len(home.parts) > 1 and target.is_relative_to(home):
        return "/".join((HOME, *target.relative_to(home).parts))
    return path


def local_path(text: str, folder: Path) -> str:
    """The absolute path that ``portable_path`` stored in a map in ``folder``."""
    if "\0" in text or Path(text).is_absolute() or PureWindowsPath(text).drive:
        return text
    if text == HOME or text.startswith(f"{HOME}/"):
        return os.path.normpath(os.path.expanduser(text))
    return os.path.normpath(os.path.join(os.path.realpath(folder), text))


def portable_report(report: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """The report of a map, with paths as they are stored in ``folder``."""
    return {key: _converted(key, value, folder) for key, value in report.items()}


def local_report(report: Any, folder: Path) -> Any:
    """A report that was read from ``folder``, with the photos' folder absolute."""
    if not isinstance(report, dict) or not isinstance(report.get(IMAGES_FOLDER), str):
        return report
    return {**report, IMAGES_FOLDER: local_path(report[IMAGES_FOLDER], folder)}


def without_paths(report: Mapping[str, Any]) -> dict[str, Any]:
    """A report without the paths of this machine, for maps that do not need them."""
    return {key: None if _has_paths(key) else value for key, value in report.items()}


def _has_paths(key: str) -> bool:
    # from_colmap, from_hloc and from_kapture name the files that a map was made of
    return key == IMAGES_FOLDER or key.startswith("from_")


def _converted(key: str, value: Any, folder: Path) -> Any:
    if not _has_paths(key):
        return value
    if isinstance(value, Mapping):
        return {part: portable_path(path, folder) for part, path in value.items()}
    return portable_path(value, folder) if isinstance(value, str) else value
