"""Where results may be written: found out before they are computed, not after."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

from hloc_lite.errors import ConfigError, HlocLiteError
from hloc_lite.io.image_names import SUFFIXES


def check_writable(path: Path) -> None:
    """Refuse a file that could not be written; folders on the way to it are made later.

    Raises:
        HlocLiteError: with the cause.
    """
    if os.path.isdir(path):
        raise ConfigError(f"{path} is a folder, expected the name of a file to write")
    if os.path.exists(path) and not os.path.isfile(path):
        raise ConfigError(f"{path} is not a plain file, which it would be replaced by")
    # os.path's, not Path's: False also for what cannot be a name, such as one of 300 characters
    folder = next(place for place in path.absolute().parents if os.path.lexists(place))
    if not os.path.isdir(folder):
        raise ConfigError(f"cannot write {path}: {folder} is a file, not a folder")
    reason = why_not_writable(folder)
    if reason:
        raise HlocLiteError(f"cannot write {path}: {reason}")


def why_not_writable(folder: Path) -> str:
    """Why no file can be made in an existing folder; empty if one can. Permissions do not tell:
    the disk may be mounted read-only, or be none at all (/proc)."""
    try:
        with tempfile.TemporaryFile(dir=folder):
            return ""
    except OSError as error:
        return f"no file can be made in {folder} ({error.strerror or error})"


def check_not_read(
    outputs: Iterable[Path], files: Iterable[Path], folders: Iterable[Path] = ()
) -> None:
    """Refuse outputs that would overwrite what the same command reads.

    Args:
        outputs: files to be written.
        files: that are read.
        folders: that are read, with all that is in them.

    Raises:
        ConfigError: an output is one of the files, lies in one of the folders, or is named like a
            photo.
    """
    read = {_identity(path) for path in files}
    for path in outputs:
        if path.suffix.lower() in SUFFIXES:
            raise ConfigError(f"{path} is named like a photo, which the output would overwrite")
        if os.path.exists(path) and _identity(path) in read:
            raise ConfigError(f"{path} is read: writing the output there would destroy it")
        for folder in folders:
            if path.resolve().is_relative_to(folder.resolve()):
                raise ConfigError(f"{path} lies in {folder}, which is read: write elsewhere")


def _identity(path: Path) -> object:
    """Equal for all names of a file."""
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return os.fspath(path.absolute())
    return found.st_dev, found.st_ino
