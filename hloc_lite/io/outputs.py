"""Checks of output paths, made before results are computed."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

from hloc_lite.errors import ConfigError, HlocLiteError
from hloc_lite.io.image_names import SUFFIXES


def check_writable(path: Path) -> None:
    """Refuse an output file that could not be written; missing folders are made later.

    Raises:
        HlocLiteError: tells the cause.
    """
    if os.path.isdir(path):
        raise ConfigError(f"{path} is a folder, expected the name of a file to write")
    if os.path.exists(path) and not os.path.isfile(path):
        raise ConfigError(f"{path} is not a regular file: writing would replace it by one")
    # os.path's functions return False for names too long for the file system, Path's raise
    folder = next(each for each in path.absolute().parents if os.path.lexists(each))
    if not os.path.isdir(folder):
        raise ConfigError(f"cannot write {path}: {folder} is a file, not a folder")
    reason = why_not_writable(folder)
    if reason:
        raise HlocLiteError(f"cannot write {path}: {reason}")


def why_not_writable(folder: Path) -> str:
    """Return why no file can be created in an existing folder; "" if one can.

    It is tried, because permissions do not tell enough: the disk may be mounted read-only or be
    virtual (/proc).
    """
    try:
        with tempfile.TemporaryFile(dir=folder):
            return ""
    except OSError as error:
        return f"no file can be created in {folder} ({error.strerror or error})"


def check_not_read(
    outputs: Iterable[Path], files: Iterable[Path], folders: Iterable[Path] = ()
) -> None:
    """Refuse outputs that would overwrite the inputs of the same command.

    Args:
        outputs: files to write.
        files: input files.
        folders: input folders, with all their content.

    Raises:
        ConfigError: an output is an input file, lies in an input folder, or is named like a photo.
    """
    read = {_identity(path) for path in files}
    for path in outputs:
        if path.suffix.lower() in SUFFIXES:
            raise ConfigError(f"{path} is named like a photo, which the output would overwrite")
        if os.path.exists(path) and _identity(path) in read:
            raise ConfigError(f"{path} is an input: writing the output there would destroy it")
        for folder in folders:
            if path.resolve().is_relative_to(folder.resolve()):
                raise ConfigError(f"{path} lies in the input folder {folder}: write elsewhere")


def _identity(path: Path) -> object:
    """Return a value that is equal for all paths of the same file."""
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return os.fspath(path.absolute())
    return found.st_dev, found.st_ino
