"""Documentation of config keys, read from the models: default, range, unit, docstring."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import NoneType, UnionType
from typing import Any, Literal, get_args, get_origin

from pydantic.fields import FieldInfo

from hloc_lite.config.messages import nearest_key
from hloc_lite.config.root import Config
from hloc_lite.config.section import Section
from hloc_lite.errors import ConfigError

UNITS: Mapping[str, str] = {
    "px": "pixels",
    "deg": "degrees",
    "mb": "megabytes",
    "megapixels": "megapixels",
    "ms": "milliseconds",
    "s": "seconds",
    "m": "metres",
    "sigmas": "standard deviations",
    "depths": "median distances of the map's points from their cameras",
}
"""Last word of a key -> its unit; other numbers are counts, shares or ratios."""
_TYPE_NAMES = {
    str: "text",
    bool: "true | false",
    int: "whole number",
    float: "number",
    NoneType: "none",
}
_BOUNDS = (("gt", "above"), ("ge", "from"), ("lt", "below"), ("le", "to"))


@dataclass(frozen=True)
class KeyDoc:
    """Documentation of one config key."""

    key: str
    """section.name"""
    type: str
    """Type in words; the choices of a text with few possible values."""
    default: Any
    """Plain JSON value, without a profile."""
    range: str
    """Least and largest value in words; empty if any is allowed."""
    unit: str
    """Unit of the value; empty for counts, shares, texts and switches."""
    text: str
    """Docstring of the key, in one line."""


@cache
def key_docs() -> Mapping[str, KeyDoc]:
    """Dotted key -> its documentation, in the order of the config."""
    defaults = Config().model_dump(mode="json")
    docs: dict[str, KeyDoc] = {}
    for name, section in config_sections().items():
        texts = _docstrings(section)
        for key, field in section.model_fields.items():
            dotted, unit = f"{name}.{key}", UNITS.get(key.rpartition("_")[2], "")
            docs[dotted] = KeyDoc(
                key=dotted,
                type=_type_name(field.annotation),
                default=defaults[name][key],
                range=_range(field),
                unit=unit,
                text=texts.get(key, ""),
            )
    return docs


def config_sections() -> Mapping[str, type[Section]]:
    """Name -> model of each section."""
    found: dict[str, type[Section]] = {}
    for name, field in Config.model_fields.items():
        assert isinstance(field.annotation, type) and issubclass(field.annotation, Section)
        found[name] = field.annotation
    return found


def section_summary(section: type[Section]) -> str:
    """First paragraph of the docstring of a section, in one line."""
    return " ".join((inspect.getdoc(section) or "").split("\n\n")[0].split())


def find_key_doc(key: str) -> KeyDoc:
    """Documentation of a dotted key.

    Raises:
        ConfigError: no such key; names the nearest one.
    """
    docs = key_docs()
    if key not in docs:
        near = nearest_key(key, list(docs))
        hint = f"; did you mean {near}?" if near else ""
        raise ConfigError(f"unknown config key {key!r}{hint}")
    return docs[key]


def _docstrings(section: type[Section]) -> dict[str, str]:
    """Key -> the string below it in the source of a section and of its bases, in one line."""
    found: dict[str, str] = {}
    for owner in reversed(section.__mro__):
        if issubclass(owner, Section):
            source = ast.parse(textwrap.dedent(inspect.getsource(owner))).body[0]
            assert isinstance(source, ast.ClassDef)
            for statement, after in zip(source.body, source.body[1:], strict=False):
                if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
                    text = _string(after)
                    if text is not None:
                        found[statement.target.id] = " ".join(text.split())
    return found


def _string(statement: ast.stmt) -> str | None:
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
        value = statement.value.value
        return value if isinstance(value, str) else None
    return None


def _range(field: FieldInfo) -> str:
    bounds = {
        name: getattr(constraint, name)
        for constraint in field.metadata
        for name, _ in _BOUNDS
        if getattr(constraint, name, None) is not None
    }
    return " ".join(f"{word} {bounds[name]}" for name, word in _BOUNDS if name in bounds)


def _type_name(annotation: Any) -> str:
    if get_origin(annotation) is Literal:
        return " | ".join(map(str, get_args(annotation)))
    if get_origin(annotation) is tuple:
        return f"list of {_type_name(get_args(annotation)[0])}"
    if get_origin(annotation) is UnionType:
        return " or ".join(map(_type_name, get_args(annotation)))
    return _TYPE_NAMES.get(annotation, annotation.__name__.lower())
