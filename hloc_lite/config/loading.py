"""Read a config from a profile, a TOML file, overrides and ``key=value`` settings."""

from __future__ import annotations

import json
import logging
import stat
import tomllib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from hloc_lite.config.messages import explain
from hloc_lite.config.profiles import profile_settings
from hloc_lite.config.renamed_keys import with_new_names
from hloc_lite.config.root import Config
from hloc_lite.errors import ConfigError
from hloc_lite.registry import FEATURES, find

logger = logging.getLogger(__name__)
MAX_FILE_BYTES = 1 << 20
"""Largest config file. One with all keys has 20 kB."""
MAX_DEPTH = 16
"""Nesting of values. Ours are two deep."""
MAX_DOTS = 1000
"""Dots in a line: the time to read a dotted key grows with their square."""


def load_config(
    profile: str = "balanced",
    file: Path | None = None,
    settings: Sequence[str] = (),
    overrides: Mapping[str, Any] | None = None,
    base: Config | None = None,
) -> Config:
    """Merge all sources of settings into one config; later sources win.

    Tuned defaults of the features (``registry.FEATURES``) fill in what no source sets. Old names of
    keys are accepted with a warning.

    Args:
        profile: a name of ``PROFILES``; comes first, unless ``base`` is given.
        file: a TOML file with one table per section.
        settings: ``section.key=value``, the value as in TOML; they come last.
        overrides: section -> key -> value; they come after the file.
        base: replaces the profile.

    Raises:
        ConfigError: unknown profile or key, a wrong type, or a value out of its range.
    """
    settings_of_profile = profile_settings(profile)
    merged = _merge({}, settings_of_profile) if base is None else base.model_dump()
    warn = _warn_once()
    if file is not None:
        merged = _merge(merged, with_new_names(_read_toml(file), warn))
        config_from_dict(merged)  # later sources must not hide mistakes of the file
    merged = _merge(merged, with_new_names(overrides or {}, warn))
    given: dict[str, Any] = {}
    for setting in settings:
        given = _merge(given, _parse_setting(setting))
    merged = _merge(merged, with_new_names(given, warn))
    features = merged.get("features", {})
    name = features.get("name") if isinstance(features, Mapping) else None
    entry = find(FEATURES, name) if isinstance(name, str) else None
    return config_from_dict(merged if entry is None else _merge(entry.defaults, merged))


def config_from_dict(values: Mapping[str, Any]) -> Config:
    """Make a config from nested plain values; missing ones take their defaults.

    Raises:
        ConfigError: names each bad key and the nearest valid one.
    """
    values = with_new_names(values, _warn_once())
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        raise ConfigError("; ".join(explain(item) for item in error.errors())) from None


def config_of_another_version(values: Mapping[str, Any]) -> tuple[Config, list[str]]:
    """Make a config from plain values that another version wrote; old names are read silently.

    Returns:
        The config, and the dotted keys left out because this version does not know them.

    Raises:
        ConfigError: a value that this version does not allow.
    """
    values = with_new_names(values)
    try:
        return Config.model_validate(values), []
    except ValidationError as error:
        paths = [item["loc"] for item in error.errors() if item["type"] == "extra_forbidden"]
    known = json.loads(json.dumps(values))
    for *sections, key in paths:
        section = known
        for name in sections:
            section = section[name]
        del section[key]
    return config_from_dict(known), [".".join(str(part) for part in path) for path in paths]


def _warn_once() -> Callable[[str], None]:
    said: set[str] = set()

    def warn(message: str) -> None:
        if message not in said:
            said.add(message)
            logger.warning(message)

    return warn


def _merge(base: Mapping[str, Any], update: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in update.items():
        both = isinstance(value, Mapping) and isinstance(merged.get(key, {}), Mapping)
        merged[key] = _merge(merged.get(key, {}), value) if both else value
    return merged


def _read_toml(file: Path) -> dict[str, Any]:
    try:
        status = file.stat()
        if not stat.S_ISREG(status.st_mode):  # to open a pipe would wait for its writer
            raise ConfigError(f"config file {file} is no file")
        if status.st_size > MAX_FILE_BYTES:
            raise ConfigError(f"config file {file} is larger than {MAX_FILE_BYTES >> 20} MiB")
        text = file.read_text(encoding="utf-8-sig")
        if max(line.count(".") for line in text.split("\n")) > MAX_DOTS:
            raise ConfigError(f"config file {file} has a line with more than {MAX_DOTS} dots")
        values = tomllib.loads(text)
    except FileNotFoundError:
        raise ConfigError(f"config file {file} does not exist") from None
    except (OSError, ValueError, RecursionError) as error:  # also for huge numbers, deep nesting
        raise ConfigError(f"config file {file} is not readable TOML: {error}") from None
    _check_depth(values, f"config file {file}")
    return values


def _check_depth(value: Any, where: str) -> None:
    """Refuse deep nesting, which recursive functions cannot follow."""
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [
            each
            for item in level
            if isinstance(item, dict | list)
            for each in (item.values() if isinstance(item, dict) else item)
        ]
    if level:
        raise ConfigError(f"{where} is nested more than {MAX_DEPTH} deep; sections have keys")


def _parse_setting(setting: str) -> dict[str, Any]:
    key, separator, text = setting.partition("=")
    if not separator or not key.strip():
        raise ConfigError(f"--set takes key=value (e.g. pose.max_error_px=6), got {setting!r}")
    if len(text.strip().splitlines()) > 1:  # TOML would read the next lines as further keys
        raise ConfigError(f"--set takes one value; give it several times. Got {setting!r}")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except (ValueError, RecursionError):
        value = text.strip()  # a bare word is a string
    _check_depth(value, f"the value of {setting[:60]!r}")
    parts = key.strip().split(".")
    if len(parts) > MAX_DEPTH:
        raise ConfigError(f"--set takes section.key=value, got {len(parts)} parts in {key[:60]!r}")
    for part in reversed(parts):
        value = {part: value}
    return value
