"""Outputs that are links."""

from __future__ import annotations

import os
from pathlib import Path

from hloc_lite.errors import ConfigError
from hloc_lite.io.staging import HEADER


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
