"""The config of a map that is opened: what it was made with, and for queries today's defaults.

Features, matches and labels of a map are what they are, and queries must be treated alike. All else
that queries read is no property of the map: it would only keep the defaults of the version that
made it. Of those sections a map keeps what its maker had chosen, which is what differed from the
defaults of then: by a profile (``localize.num_retrieved``), a file, or ``--set``.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hloc_lite.config import Config, config_of_another_version
from hloc_lite.errors import ConfigError, FormatError

QUERY_SECTIONS = (
    "pose", "localize", "cascade", "prior", "sequence", "depth", "weighting", "confidence",
)  # fmt: skip
"""Config that only queries read."""
LABELLING_KEYS = (
    "source", "table", "revision", "max_side_px", "max_aspect", "window_px", "reference_side_px",
)  # fmt: skip
"""Of ``semantics``, whose other keys only queries read: how the labels of the map's points were
made."""
UNRECORDED = (("localize", "num_retrieved"),)
"""Query settings that profiles have, taken from maps that do not record what was chosen."""


def chosen_for_queries(config: Config) -> dict[str, Any]:
    """Section -> key -> value of what only queries read and differs from the defaults."""
    differing = config.model_dump(mode="json", exclude_defaults=True)
    chosen = {name: differing[name] for name in QUERY_SECTIONS if name in differing}
    rest = {k: v for k, v in differing.get("semantics", {}).items() if k not in LABELLING_KEYS}
    return {**chosen, "semantics": rest} if rest else chosen


def made_with(config: Mapping[str, Any]) -> dict[str, Any]:
    """A plain config without what only queries read."""
    made = {name: value for name, value in config.items() if name not in QUERY_SECTIONS}
    labelling = made.get("semantics", {})
    return {**made, "semantics": {k: labelling[k] for k in LABELLING_KEYS if k in labelling}}


def config_of_map(
    folder: Path, recorded: Mapping[str, Any], chosen: Mapping[str, Any] | None
) -> tuple[Config, list[str]]:
    """The config to localize with in a map, and what it has that this version does not know.

    Args:
        folder: of the map, for messages.
        recorded: all of the config that it was made with, plain.
        chosen: of ``chosen_for_queries``; None: the map does not record it.

    Raises:
        FormatError: it has a value that this version does not allow.
    """
    if chosen is None:
        chosen = {
            section: {key: recorded[section][key]}
            for section, key in UNRECORDED
            if key in recorded.get(section, {})
        }
    plain = made_with(recorded)
    for section, values in chosen.items():
        plain[section] = {**plain.get(section, {}), **values}
    try:
        return config_of_another_version(plain)
    except ConfigError as error:
        raise FormatError(
            f"{folder} was made by another version, with what this one does not allow: {error}"
        ) from None
