"""Options shared by several verbs, and the parsing of their values."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from hloc_lite.display import printable
from hloc_lite.errors import ConfigError

if TYPE_CHECKING:
    from pydantic import BaseModel

RESUMABLE = "hloc_lite.resumable"
"""Key of ``click.Context.meta``, see ``mark_resumable``."""
F = TypeVar("F", bound=Callable[..., Any])
S = TypeVar("S", bound="BaseModel")


class OutputFile(click.Path):
    """File to write; a link to a file stands for the file, which is written in its place.

    Raises:
        ConfigError: a link in a map; see ``output_links.written_file``.
    """

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        from hloc_lite.io.output_links import written_file

        return written_file(Path(os.fsdecode(super().convert(value, param, ctx))))


def config_options(function: F) -> F:
    """Add --config and --set."""
    function = click.option(
        "--set",
        "settings",
        multiple=True,
        metavar="KEY=VALUE",
        help="Config value, e.g. pose.max_error_px=6. May be given several times.",
    )(function)
    return click.option(
        "--config", "config_file", type=click.Path(path_type=Path), help="Config file (TOML)."
    )(function)


def max_wrong_option(function: F) -> F:
    """Add --max-wrong, for ``confidence.max_wrong``."""
    return click.option(
        "--max-wrong",
        type=click.FloatRange(min=0, max=1, min_open=True),
        metavar="SHARE",
        help="Promise: at most this share of the given answers is wrong (0.01 for 1 %), with a "
        "probability of 90 %. Sets the confidence from which poses are given.",
    )(function)


def reference_kind_option(function: F) -> F:
    """Add --reference-kind, for ``kind`` of ``recognition.recognize``."""
    return click.option(
        "--reference-kind",
        metavar="KIND",
        help="Kind of --reference, such as 'list of poses', 'NVM' or 'KITTI'.  [default: told by "
        "its content; a wrong KIND lists all]",
    )(function)


def runtime_options(function: F) -> F:
    """Add --device and --offline."""
    function = click.option(
        "--offline", is_flag=True, help="Never download network weights; fail if some are missing."
    )(function)
    return click.option(
        "--device",
        default="cpu",
        show_default=True,
        help="Device of the networks: cpu, cuda, cuda:1, mps.",
    )(function)


def trust_option(function: F) -> F:
    """Add --trust-map, for ``trust`` of ``Map.open``."""
    return click.option(
        "--trust-map",
        "trust",
        is_flag=True,
        help="Use the models, files and folders outside hloc_lite that MAP names (labels, depth, "
        "plug-ins, photos). Only for maps of which you know where they come from.",
    )(function)


def labels_option(function: F) -> F:
    """Add --labels, for ``semantics.source`` (see ``parse_cue_source``)."""
    return click.option(
        "--labels",
        metavar="SOURCE",
        help="Semantic labels of the photos: a folder of label maps, hf:MODEL, the name of a "
        "network (deeplab-edgetpu-cityscapes), or none.",
    )(function)


def depth_option(function: F) -> F:
    """Add --depth, for ``depth.source`` (see ``parse_cue_source``)."""
    return click.option(
        "--depth",
        metavar="SOURCE",
        help="Depth of the photos: a folder of depth maps, hf:MODEL, or none.",
    )(function)


class RegistryOption(click.Option):
    """Option whose help lists the names of a registry table, with those of installed plug-ins."""

    def __init__(self, *args: Any, table: Iterable[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._table = table

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        record = super().get_help_record(ctx)
        if record is None:
            return None
        try:
            names = ", ".join(self._table)
        except ConfigError as error:  # a broken plug-in must not prevent help
            names = str(error)
        return record[0], f"{record[1]} {names}."


def parse_cue_source(value: str | None, option: str, known: Collection[str]) -> str | None:
    """Return the config value of --labels or --depth: ``files:FOLDER`` for a folder.

    Args:
        value: value of the option; returned as it is if it names a source.
        option: name of the option, for the message.
        known: registry names; one that ends in a colon is a prefix, such as ``hf:``.

    Raises:
        ConfigError: neither a folder nor a source.
    """
    if value is None or value == "none" or value in known:
        return value
    if value.startswith(tuple(name for name in known if name.endswith(":"))):
        return value
    path = Path(value)
    if path.is_dir():
        return f"files:{value}"
    problem = "that is a file" if path.exists() else "there is no such folder"
    networks = [name for name in known if not name.endswith(":")]
    choices = ", ".join([*networks, "hf:MODEL (a folder or a hub name)"])
    raise ConfigError(
        f"{option} {value}: {problem}; give a folder with a file for each photo, {choices} or none"
    )


def mark_resumable() -> None:
    """Declare that the command, if interrupted from here on, resumes when it is run again."""
    click.get_current_context().meta[RESUMABLE] = True


def nested_settings(values: Mapping[str, Any]) -> dict[str, Any]:
    """Convert ``{"features.name": "disk"}`` to nested dictionaries, without None values."""
    tree: dict[str, Any] = {}
    for dotted, value in values.items():
        if value is not None:
            section, _, key = dotted.partition(".")
            tree.setdefault(section, {})[key] = value
    return tree


def validate_section(section: type[S], values: Mapping[str, Any]) -> S:
    """Return a config section with these values.

    Raises:
        ConfigError: a value is out of range; the first one is named.
    """
    from pydantic import ValidationError

    try:
        return section.model_validate(values)
    except ValidationError as error:
        item = error.errors()[0]
        key = "".join(str(part) for part in item["loc"][:1])
        raise ConfigError(f"{key}: {item['msg']}, got {item['input']!r}") from None


def show_progress() -> bool:
    """True if progress bars are wanted: stderr is a terminal, and --quiet is not given."""
    loud = logging.getLogger("hloc_lite").getEffectiveLevel() <= logging.INFO
    return loud and sys.stderr.isatty()


def note(line: str) -> None:
    """Print a warning or hint on stderr, unless --quiet is given; see ``say``."""
    if logging.getLogger("hloc_lite").getEffectiveLevel() <= logging.WARNING:
        say_error(line)


def say_error(line: str) -> None:
    """Print a line on stderr; see ``say``."""
    click.echo(printable(line), err=True)


def say(line: object) -> None:
    """Print a line on stdout.

    It may have names and paths, which others made: their line ends would forge further lines, so
    escapes stand in place of all control characters. All verbs print by this or its two siblings.
    """
    click.echo(printable(str(line)))


def say_block(text: str) -> None:
    """Print lines whose names have no line ends, such as a table made by ``plain_table``."""
    click.echo(printable(text, keep="\n"))


def say_json(value: object) -> None:
    """Print a value as JSON; it has other characters than ASCII only where they can be shown."""
    text = json.dumps(value, indent=1, ensure_ascii=False)
    is_shown = text.replace("\n", "").isprintable()
    click.echo(text if is_shown else json.dumps(value, indent=1))
