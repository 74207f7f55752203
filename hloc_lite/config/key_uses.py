"""Answers from the uses of config keys (``section.Use``): which keys identify a map or a store."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from hloc_lite.config.fingerprints import without_new_defaults
from hloc_lite.config.renamed_keys import with_old_names
from hloc_lite.config.root import Config
from hloc_lite.config.section import Section, Use

_IN_MAP = (
    Use.FEATURES
    | Use.RETRIEVAL
    | Use.NEAREST_MATCHES
    | Use.MATCHES
    | Use.VERIFICATION
    | Use.MODEL
    | Use.LABELS
)


@cache
def key_uses() -> Mapping[str, Mapping[str, Use]]:
    """Section -> key -> its uses, in the order of the config."""
    return {name: _uses_of_section(_section(name)) for name in Config.model_fields}


def value_of(config: Config, key: str) -> Any:
    """Value of a dotted key."""
    section, _, name = key.partition(".")
    return getattr(getattr(config, section), name)


def differing_keys(first: Config, second: Config) -> dict[str, tuple[Any, Any]]:
    """Dotted keys whose values differ, with the plain values of both."""
    a, b = first.model_dump(mode="json"), second.model_dump(mode="json")
    return {
        f"{section}.{key}": (a[section][key], b[section][key])
        for section, keys in key_uses().items()
        for key in keys
        if a[section][key] != b[section][key]
    }


def keys_equal_for_queries() -> list[str]:
    """Dotted keys whose value queries must share with the map, or descriptors do not compare."""
    return _keys(lambda use: Use.EQUAL_FOR_QUERIES in use)


def building_keys() -> list[str]:
    """Dotted keys that have no effect on queries."""
    return _keys(lambda use: Use.QUERY not in use)


def values_for_fingerprint(config: Config, use: Use) -> dict[str, dict[str, Any]]:
    """Section -> key -> value of all keys with one of these uses, under the names that are hashed.

    Sections without such a key are left out, and so are keys of later versions with their defaults.
    """
    values = _filtered(config.model_dump(), lambda found: bool(found & use))
    kept = {name: without_new_defaults(name, keys) for name, keys in values.items()}
    return with_old_names({name: keys for name, keys in kept.items() if keys})


def map_values_for_fingerprint(config: Config) -> list[dict[str, Any]]:
    """Config values that identify a map, under the names that are hashed.

    Settings that only queries read count if they differ from the defaults: new defaults are no
    reason to build a map again.
    """
    return [values_for_fingerprint(config, _IN_MAP), with_old_names(query_settings(config))]


def settings_with(config: Config, use: Use) -> dict[str, Any]:
    """Dotted key -> plain value of all keys with one of these uses."""
    values = config.model_dump(mode="json")
    return {
        f"{section}.{key}": values[section][key]
        for section, uses in key_uses().items()
        for key, found in uses.items()
        if found & use
    }


def with_matching_of_map(config: Config, map_config: Config) -> Config:
    """A config with the sections of another map that features and matches depend on.

    In several maps at once each is matched by its own settings; the others are those of ``config``.
    """
    own = Use.EQUAL_FOR_QUERIES | Use.MATCHES
    names = [name for name in Config.model_fields if _section(name).use & own]
    return config.model_copy(update={name: getattr(map_config, name) for name in names})


def query_settings(config: Config) -> dict[str, Any]:
    """Section -> key -> value of the keys that only queries read, where not the default."""
    differing = config.model_dump(mode="json", exclude_defaults=True)
    return _filtered(differing, _only_queries)


def without_query_keys(values: Mapping[str, Any]) -> dict[str, Any]:
    """A plain config of any version, without the keys that only queries read.

    Unknown keys of a section are treated as the section's default use says; unknown sections stay.
    """
    kept: dict[str, Any] = {}
    for name, section in values.items():
        uses = key_uses().get(name, {}).values()
        if not any(map(_only_queries, uses)):
            kept[name] = section
        elif not all(map(_only_queries, uses)):
            kept |= _filtered({name: section}, lambda use: not _only_queries(use))
    return kept


def _only_queries(use: Use) -> bool:
    return use == Use.QUERY


def _keys(wanted: Callable[[Use], bool]) -> list[str]:
    return [
        f"{section}.{key}"
        for section, uses in key_uses().items()
        for key, use in uses.items()
        if wanted(use)
    ]


def _filtered(
    values: Mapping[str, Mapping[str, Any]], wanted: Callable[[Use], bool]
) -> dict[str, dict[str, Any]]:
    kept: dict[str, dict[str, Any]] = {}
    for name, section in values.items():
        uses, default = key_uses()[name], _section(name).use
        keys = {key: value for key, value in section.items() if wanted(uses.get(key, default))}
        if keys:
            kept[name] = keys
    return kept


def _section(name: str) -> type[Section]:
    section = Config.model_fields[name].annotation
    assert isinstance(section, type) and issubclass(section, Section)
    return section


def _uses_of_section(section: type[Section]) -> Mapping[str, Use]:
    return {
        key: next((item for item in field.metadata if isinstance(item, Use)), section.use)
        for key, field in section.model_fields.items()
    }
