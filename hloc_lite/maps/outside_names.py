"""Settings of a map that name something outside: models, packages, files and folders.

A map may come from a stranger. Opening it must load nothing that only the map names: a hub name
would be fetched with the user's token, a folder could be private. Names of this package, and those
registered in this process, are safe: their weights have a known sha256.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from hloc_lite.config import Config, value_of
from hloc_lite.entries import Table
from hloc_lite.formats.label_images import READY_TABLES
from hloc_lite.registry import (
    COMPOSED,
    DEPTH_MODELS,
    ESTIMATORS,
    FEATURES,
    GLOBAL_DESCRIPTORS,
    MATCHERS,
    SEGMENTERS,
)

UNTRUSTED = "untrusted:"
"""Prefix that a name gets where a map cannot do without it; nothing is registered under it."""
REQUIRED = ("features.name", "retrieval.name")
"""Keys that queries must share with the map."""
_TABLES: Mapping[str, Table[Any]] = {
    "features.name": FEATURES,
    "matching.name": MATCHERS,
    "retrieval.name": GLOBAL_DESCRIPTORS,
    "pose.estimator": ESTIMATORS,
    "semantics.source": SEGMENTERS,
    "depth.source": DEPTH_MODELS,
}
_SAFE_VALUES: Mapping[str, tuple[str, ...]] = {
    "matching.name": ("auto",),
    "semantics.source": ("none",),
    "semantics.table": ("", *READY_TABLES),
    "semantics.revision": ("",),
    "depth.source": ("none",),
    "depth.revision": ("",),
    "confidence.file": ("",),
}
_KEYS = tuple(dict.fromkeys((*_TABLES, *_SAFE_VALUES)))


def split_outside_names(config: Config) -> tuple[Config, dict[str, str]]:
    """Take the names of things outside hloc_lite from the config of an opened map.

    Returns:
        The config with harmless values in their place (``UNTRUSTED`` names where queries must share
        a name with the map), and the names by dotted key.
    """
    names = {key: value_of(config, key) for key in _KEYS if not _is_safe(config, key)}
    harmless = {key: _harmless(key, name) for key, name in names.items()}
    return with_values(config, harmless), names


def with_values(config: Config, values: Mapping[str, str]) -> Config:
    """Config with other values of dotted keys."""
    for dotted, value in values.items():
        section, _, key = dotted.partition(".")
        changed = getattr(config, section).model_copy(update={key: value})
        config = config.model_copy(update={section: changed})
    return config


def recorded_config(config: Config, names: Mapping[str, str]) -> Config:
    """Config as the map records it: inverse of ``split_outside_names``."""
    return with_values(config, unused_names(config, names))


def unused_names(config: Config, names: Mapping[str, str]) -> dict[str, str]:
    """Names that a map gives and the config of its queries does not use, by dotted key."""
    return {
        key: name for key, name in names.items() if value_of(config, key) == _harmless(key, name)
    }


def notice(names: Mapping[str, str]) -> str:
    """Line that says which names of a map are not used, and how to use them."""
    return (
        f"the map names things outside it, which are not used: {settings_text(names)}. To use "
        f"them, give --trust-map (Python: trust=True), or only some with --set, --labels, --depth"
    )


def settings_text(names: Mapping[str, str]) -> str:
    """``key='value', ...``; quoted, because a stranger chose the values."""
    return ", ".join(f"{key}={name[:200]!r}" for key, name in names.items())


def untrusted(config: Config, keys: Iterable[str] = REQUIRED) -> dict[str, str]:
    """Names of models that a map needs and this package does not have, by dotted key."""
    values = {key: str(value_of(config, key)) for key in keys}
    return {
        key: value.removeprefix(UNTRUSTED)
        for key, value in values.items()
        if value.startswith(UNTRUSTED)
    }


def _is_safe(config: Config, key: str) -> bool:
    value = value_of(config, key)
    if value in _SAFE_VALUES.get(key, ()):
        return True
    if key not in _TABLES:
        return False
    table = _TABLES[key]
    prefix, colon, rest = str(value).partition(":")
    if table is GLOBAL_DESCRIPTORS and prefix + colon in COMPOSED:
        first, _, second = rest.partition("+")
        pooling, network = COMPOSED[prefix + colon]
        return _is_own(pooling, first) and _is_own(network, second)
    return _is_own(table, value) and not colon  # "files:" and "hf:" name what is outside


def _is_own(table: Table[Any], name: Any) -> bool:
    """True for a name of this package or process; names of other packages are not trusted."""
    return name in table.builtin or name in table.registered


def _harmless(key: str, name: str) -> str:
    if key in REQUIRED:
        return f"{UNTRUSTED}{name}"
    return str(value_of(Config(), key))
