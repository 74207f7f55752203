"""Permissions and links of files that are written again."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from hloc_lite.errors import ConfigError
from hloc_lite.io.staging import HEADER

PERMISSIONS = stat.S_IRWXU | stat.S_IRWXG | stat.S_IRWXO
"""Bits of a mode that are kept: no set-user-id bits, which a new content did not earn."""

NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)
"""Flag against links, which Windows lacks."""


def kept_mode(path: Path) -> int | None:
    """Permissions of the regular file at ``path``; None if there is none, or a link."""
    try:
        found = os.lstat(path)
    except (OSError, ValueError):
        return None
    return found.st_mode & PERMISSIONS if stat.S_ISREG(found.st_mode) else None


def create_with_mode(path: Path, mode: int | None) -> None:
    """Create an empty file that is as private as it will be at the end; None: leave it to others.

    The owner can write it meanwhile, whatever the mode.

    Raises:
        OSError: it cannot be created.
    """
    if mode is not None:
        private = mode | stat.S_IRUSR | stat.S_IWUSR
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY | NO_FOLLOW, private))
        os.chmod(path, private)  # it may be there, left by a killed process


def set_mode(path: Path, mode: int | None) -> None:
    """Give a file these permissions; None: leave those that it has.

    Raises:
        OSError: they cannot be changed.
    """
    if mode is not None:
        os.chmod(path, mode)


def written_file(path: Path) -> Path:
    """File that a user means by an output: where a link leads to, else the path itself.

    Raises:
        ConfigError: a link in a map. A map from elsewhere may hold links to any file.
    """
    if not path.is_symlink() or (path.exists() and not path.is_file()):
        return path
    for folder in path.absolute().parents:
        if (folder / HEADER).is_file():
            raise ConfigError(
                f"{path} is a link in the map {folder}, through which nothing is written; choose "
                f"a file outside the map"
            )
    return Path(os.path.realpath(path))
