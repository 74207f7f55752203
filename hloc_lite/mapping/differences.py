"""A finished map, or intermediate results, against a run: the settings in which they differ."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hloc_lite.config import Config, config_of_another_version, differing_keys
from hloc_lite.errors import ConfigError, FormatError, StaleArtefactError
from hloc_lite.io.files import read_json
from hloc_lite.io.staging import HEADER, current_file

MAX_NAMED = 5


def check_finished(
    folder: Path, made_from: str, config: Config, weights: Mapping[str, str]
) -> bool:
    """Return True if the folder holds the finished map with this fingerprint.

    Args:
        made_from: fingerprint of this run.
        config: config of this run, for the message.
        weights: name -> sha256 of its networks, for the message.

    Raises:
        StaleArtefactError: it holds another map.
    """
    path = current_file(folder, HEADER)
    if not path.is_file():
        return False
    try:
        header: Any = read_json(path)
    except FormatError as error:
        raise FormatError(f"{error}. Use --overwrite to replace the map") from None
    found = header.get("fingerprint") if isinstance(header, dict) else None
    if found == made_from:
        return True
    difference = explain_other_map(header, config, weights) if found is not None else "unknown"
    raise StaleArtefactError(
        f"{folder} holds a map made with other settings, weights or images ({difference}): its "
        f"fingerprint is {found}, this run's is {made_from}. Use --overwrite to replace it, or "
        f"choose another output folder"
    )


def explain_differences(there: Mapping[str, Any], asked: Mapping[str, Any]) -> str:
    """Differences in words: ``features.name: xfeat there, aliked-n16 asked``.

    Args:
        there: setting -> plain value of what is on disk.
        asked: the same of this run.

    Returns:
        An empty text if all settings that both know are equal.
    """
    pairs = {key: (there[key], asked[key]) for key in asked if key in there}
    named = [f"{key}: {a} there, {b} asked" for key, (a, b) in pairs.items() if a != b]
    more = len(named) - MAX_NAMED
    return "; ".join(named[:MAX_NAMED]) + (f"; and {more} more" if more > 0 else "")


def explain_other_map(header: Mapping[str, Any], config: Config, weights: Mapping[str, str]) -> str:
    """Say in which settings or weights a finished map differs from a run.

    Args:
        header: content of its map.json.
        config: config of the run.
        weights: name -> sha256 of the networks of the run.
    """
    recorded = header.get("config")
    try:
        other, _ = config_of_another_version(recorded if isinstance(recorded, Mapping) else {})
    except ConfigError:
        return "settings of another version"
    differing = differing_keys(other, config)
    found = explain_differences(
        {key: a for key, (a, _) in differing.items()}, {key: b for key, (_, b) in differing.items()}
    )
    if found:
        return found
    if header.get("weights") != dict(weights):
        return "other network weights"
    return "other photos, masks, pairs, known poses or intrinsics"
