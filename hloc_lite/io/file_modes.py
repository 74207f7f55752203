"""Permissions of files that are written again."""

from __future__ import annotations

import os
import stat
from pathlib import Path

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
