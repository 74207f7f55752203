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

from hloc_lite.config import Config, config_of_another_version, without_query_keys
from hloc_lite.errors import ConfigError, FormatError

UNRECORDED = (("localize", "num_retrieved"),)
"""Query settings that profiles have, taken from maps that do not record what was chosen."""


def config_of_map(
    folder: Path, recorded: Mapping[str, Any], chosen: Mapping[str, Any] | None
) -> tuple[Config, list[str]]:
    """The config to localize with in a map, and what it has that this version does not know.

    Args:
        folder: of the map, for messages.
        recorded: all of the config that it was made with, plain.
        chosen: of ``query_settings``; None: the map does not record it.

    Raises:
        FormatError: it has a value that this version does not allow.
    """
    if chosen is None:
        chosen = {
            section: {key: recorded[section][key]}
            for section, key in UNRECORDED
            if key in recorded.get(section, {})
        }
    plain = without_query_keys(recorded)
    for section, values in chosen.items():
        plain[section] = {**plain.get(section, {}), **values}
    try:
        return config_of_another_version(plain)
    except ConfigError as error:
        raise FormatError(
            f"{folder} was made by another version, with what this one does not allow: {error}"
        ) from None
