"""hloc's ``localize_inloc``, which has no counterpart in this package yet."""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

from hloc_lite.errors import ConfigError


def main(
    dataset_dir: Path,
    retrieval: Path,
    features: Path,
    matches: Path,
    results: Path,
    skip_matches: int | None = None,
) -> NoReturn:
    """Refuse: maps of scans (one 3D point per pixel) are not supported.

    Raises:
        ConfigError: always; names the remedy.
    """
    raise ConfigError(
        "hloc_lite cannot localize in scans yet, as InLoc needs it. Make an SfM model of the map "
        "images (triangulation with their known poses) and use localize_sfm; or run hloc's "
        "localize_inloc, which reads the features and matches of these scripts"
    )
