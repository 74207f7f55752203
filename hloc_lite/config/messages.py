"""Error messages about config keys and values."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Any

from hloc_lite.config.root import Config
from hloc_lite.config.section import Section


def explain(item: Any) -> str:
    """One line about an error of a pydantic ``ValidationError``."""
    path = [str(part) for part in item["loc"]]
    dotted = ".".join(path)
    if item["type"] == "extra_forbidden":
        section = ".".join(path[:-1])
        same_section = [f"{section}.{key}".lstrip(".") for key in _valid_keys(path[:-1])]
        near = nearest_key(dotted, same_section or _all_keys())
        return f"unknown config key {dotted!r}" + (f"; did you mean {near}?" if near else "")
    if item["type"] == "value_error":  # concerns a whole section; its message has the values
        return f"config section {dotted!r}: {item['ctx']['error']}"
    return f"config key {dotted!r}: {item['msg']}, got {item['input']!r}"


def nearest_key(dotted: str, known: Sequence[str]) -> str | None:
    """The known key that a misspelt one is probably meant to be; None if none is similar."""
    near = difflib.get_close_matches(dotted, known, n=1, cutoff=0.4)
    return near[0] if near else None


def _valid_keys(path: Sequence[str]) -> list[str]:
    section: Any = Config
    for part in path:
        field = section.model_fields.get(part)
        annotation = None if field is None else field.annotation
        if not isinstance(annotation, type) or not issubclass(annotation, Section):
            return []
        section = annotation
    return list(section.model_fields)


def _all_keys() -> list[str]:
    return [f"{name}.{key}" for name in Config.model_fields for key in _valid_keys([name])]
