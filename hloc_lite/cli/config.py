"""``hloc-lite config``: shows, explains and compares settings of profiles, files and maps."""

from __future__ import annotations

import json
import textwrap
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hloc_lite.cli.options import note, say, say_block, say_json
from hloc_lite.errors import ConfigError

if TYPE_CHECKING:
    from hloc_lite.config import Config
    from hloc_lite.config.key_docs import KeyDoc

SOURCES = "a profile (fast, balanced, accurate), a config file (TOML), a map, or default"
WIDTH = 100
source_option = click.option(
    "--of", "source", default="default", show_default=True, help=f"Source: {SOURCES}."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print all fields as JSON.")


@click.group("config")
def command() -> None:
    """Show, explain and compare settings."""


@command.command("show")
@click.argument("section", required=False)
@source_option
@json_option
def show(section: str | None, source: str, as_json: bool) -> None:
    """List all keys, or those of SECTION, with value, range, unit and meaning.

    Each can be set by --set section.key=VALUE or in a file (--config) of `map` and `localize`.
    """
    from hloc_lite.config.key_docs import config_sections, key_docs, section_summary

    sections = config_sections()
    if section is not None and section not in sections:
        raise ConfigError(f"unknown section {section!r}; known are {', '.join(sections)}")
    names = list(sections) if section is None else [section]
    values = read_source(source).model_dump(mode="json")
    documented = {doc.key: doc for doc in key_docs().values() if doc.key.split(".")[0] in names}
    if as_json:
        say_json([_as_dict(doc, values) for doc in documented.values()])
        return
    for name in names:
        click.echo(click.style(f"[{name}]", bold=True) + f"  {section_summary(sections[name])}")
        for key in values[name]:
            say_block(describe(documented[f"{name}.{key}"], values[name][key]))
        click.echo()


@command.command("get")
@click.argument("key")
@source_option
@json_option
def get(key: str, source: str, as_json: bool) -> None:
    """Print the value of KEY (section.key); its meaning goes to stderr."""
    from hloc_lite.config.key_docs import find_key_doc

    doc = find_key_doc(key)
    values = read_source(source).model_dump(mode="json")
    if as_json:
        say_json(_as_dict(doc, values))
        return
    value = _value(values, key)
    say(json.dumps(value, ensure_ascii=False))
    note(describe(doc, value))


@command.command("diff")
@click.argument("first")
@click.argument("second")
@json_option
def diff(first: str, second: str, as_json: bool) -> None:
    """Compare the settings of two sources.

    FIRST and SECOND are each a profile (fast, balanced, accurate), a config file (TOML), a map, or
    default. A map and a file count with the defaults of all that they do not set.
    """
    from hloc_lite.config import differing_keys

    differing = differing_keys(read_source(first), read_source(second))
    if as_json:
        say_json({key: {first: a, second: b} for key, (a, b) in differing.items()})
        return
    width = max((len(key) for key in differing), default=0)
    for key, (a, b) in differing.items():
        say(f"{key:<{width}}  {json.dumps(a)} -> {json.dumps(b)}")
    if not differing:
        say(f"{first} and {second} have the same settings")


def read_source(source: str) -> Config:
    """Config of a profile, a file, a map or the default.

    Raises:
        ConfigError: it is none of them, or a file that cannot be read.
        FormatError: a damaged map.
    """
    from hloc_lite.config import PROFILES, load_config

    path = Path(source)
    if source == "default":
        return load_config()
    if source in PROFILES:
        return load_config(source)
    if path.is_dir():
        from hloc_lite.maps.map import Map

        return Map.open(path).config
    if path.is_file():
        return load_config(file=path)
    raise ConfigError(f"{source!r} does not exist: expected {SOURCES}")


def describe(doc: KeyDoc, value: Any) -> str:
    """Describe a key: its value, then default, range and unit, then its meaning."""
    facts = [doc.type, doc.range, doc.unit]
    if value != doc.default:
        facts.insert(0, f"default {json.dumps(doc.default, ensure_ascii=False)}")
    lines = [f"{doc.key} = {json.dumps(value, ensure_ascii=False)}"]
    lines += textwrap.wrap(f"({', '.join(fact for fact in facts if fact)}) {doc.text}", WIDTH - 6)
    return "\n".join("  " * (1 if row == 0 else 3) + line for row, line in enumerate(lines))


def _as_dict(doc: KeyDoc, values: dict[str, Any]) -> dict[str, Any]:
    return {"value": _value(values, doc.key), **asdict(doc)}


def _value(values: dict[str, Any], key: str) -> Any:
    section, _, name = key.partition(".")
    return values[section][name]
