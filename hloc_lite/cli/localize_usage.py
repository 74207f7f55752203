"""Misuse of ``hloc-lite localize`` that is found before anything is imported or computed."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from hloc_lite.errors import ConfigError


def check_usage(
    photos: Sequence[Path],
    images: Path | None,
    query_lists: Sequence[Path],
    camera: str | None,
    output: Path | None,
    report: Path | None,
    truth: Sequence[Path],
    map_images: Path | None,
    budget_ms: float | None,
    rig: Path | None,
    *,
    for_single_photos: Mapping[str, bool],
) -> None:
    """Refuse options that do not go together, and a time budget that is not a number.

    Args:
        for_single_photos: option that rigs do not have -> True if it was given.

    Raises:
        ConfigError: options that do not go together.
    """
    if bool(photos) == (images is not None):
        raise ConfigError("give either PHOTOS or --images DIR (with --queries)")
    if query_lists and images is None:
        raise ConfigError("--queries needs --images DIR, the folder its names are relative to")
    if images is not None and output is None:
        raise ConfigError("--images needs -o POSES.txt to write to")
    if camera is not None and images is not None:
        raise ConfigError("--camera is for single PHOTOS; for --images, use --queries")
    if rig is not None and images is None:
        raise ConfigError("--rig needs --images DIR, the folder of the photos of the rig")
    unused = [option for option, is_given in for_single_photos.items() if is_given]
    if rig is not None and unused:
        raise ConfigError(f"{unused[0]} is for single photos, not for those of rigs (--rig)")
    if report is None and (truth or map_images is not None):
        raise ConfigError(
            "--truth and --map-images are used only with --report DIR; to score a poses file: "
            "hloc-lite evaluate POSES TRUTH"
        )
    if budget_ms is not None and math.isnan(budget_ms):
        raise ConfigError("--budget-ms: expected milliseconds, 0 or more, got nan")


def check_photos(photos: Sequence[Path]) -> None:
    """Refuse photos given by their paths that are no files."""
    for photo in photos:
        if os.path.isdir(photo):
            raise ConfigError(f"{photo} is a folder, expected a photo; for all in it: --images")
        if not os.path.exists(photo):
            raise ConfigError(f"photo {photo} does not exist")


def input_files(
    query_lists: Sequence[Path],
    truth: Sequence[Path],
    config_file: Path | None,
    rig: Path | None,
) -> list[Path]:
    """Files that are read, which no output may overwrite."""
    from hloc_lite.evaluation.conditions import parse_condition_file

    files = [*query_lists, *(parse_condition_file(str(file))[1] for file in truth)]
    return [*files, *(each for each in (config_file, rig) if each is not None)]
