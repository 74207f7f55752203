"""Config of a map that is opened: its own settings for mapping, this version's for queries.

Features, matches and labels of a map are fixed, and queries must be treated alike. All other
settings that queries read are no property of the map: it would only keep the defaults of the
version that made it. Of those a map keeps what differed from the defaults when it was made: by a
profile (``localize.num_retrieved``), a file, or ``--set``.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hloc_lite.config import (
    Config,
    config_of_another_version,
    without_query_keys,
)
from hloc_lite.errors import ConfigError, FormatError
from hloc_lite.maps.outside_names import split_outside_names

logger = logging.getLogger(__name__)
UNRECORDED = (("localize", "num_retrieved"),)
"""Query settings of profiles; kept from maps that do not record which settings were chosen."""


def config_fields(
    folder: Path,
    recorded: Mapping[str, Any],
    chosen: Mapping[str, Any] | None,
    *,
    trust: bool,
) -> dict[str, Any]:
    """Fields ``config`` and ``outside_names`` of the map in a folder.

    Args:
        trust: take the map's names of models, files and folders outside hloc_lite into the config.

    Raises as ``restore_config``.
    """
    config = restore_config(folder, recorded, chosen)
    if trust:
        return {"config": config, "outside_names": {}}
    harmless, names = split_outside_names(config)
    return {"config": harmless, "outside_names": names}


def plain_config(config: Config) -> dict[str, Any]:
    """Plain values of the config of a map, as its folder keeps them.

    Settings of depth and of views are left out where they are the defaults: they say nothing about
    most maps, and small compact maps count every byte.
    """
    values = config.model_dump()
    for section in ("lifting", "view_synthesis"):
        if getattr(config, section) == Config.model_fields[section].get_default():
            del values[section]
    return values


def restore_config(
    folder: Path, recorded: Mapping[str, Any], chosen: Mapping[str, Any] | None
) -> Config:
    """Restore the config of a map, for queries in it; warn about keys that are unknown here.

    Args:
        folder: the map, for messages.
        recorded: complete config that the map was made with, plain values.
        chosen: query settings that differed from the defaults (``query_settings``); None if the
            map does not record them.

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
        config, unknown = config_of_another_version(plain)
    except ConfigError as error:
        raise FormatError(
            f"{folder} was made by another version, with settings that this version does not "
            f"allow: {error}"
        ) from None
    if unknown:
        logger.warning("%s was made by another version; ignored: %s", folder, ", ".join(unknown))
    return config
