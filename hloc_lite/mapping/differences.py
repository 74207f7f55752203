"""Names the settings in which a map, or intermediate results, differ from those asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hloc_lite.config import Config, config_of_another_version, differing_keys
from hloc_lite.errors import ConfigError

MAX_NAMED = 5


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
