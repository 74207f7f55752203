"""Options that several verbs share, and what they stand for."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from hloc_lite.errors import ConfigError

if TYPE_CHECKING:
    from pydantic import BaseModel

RESUMES = "hloc_lite.resumes"
"""Key of ``click.Context.meta``: see ``resumes``."""
F = TypeVar("F", bound=Callable[..., Any])
S = TypeVar("S", bound="BaseModel")


def config_options(function: F) -> F:
    """--config and --set."""
    function = click.option(
        "--set",
        "settings",
        multiple=True,
        metavar="KEY=VALUE",
        help="One config value, e.g. pose.max_error_px=6. May be given several times.",
    )(function)
    return click.option(
        "--config", "config_file", type=click.Path(path_type=Path), help="Config in TOML."
    )(function)


def runtime_options(function: F) -> F:
    """--device and --offline."""
    function = click.option(
        "--offline", is_flag=True, help="Never download weights; say what is missing instead."
    )(function)
    return click.option(
        "--device", default="cpu", show_default=True, help="cpu, cuda, cuda:1, mps."
    )(function)


def labels_option(function: F) -> F:
    """--labels: semantics.source, see ``source_named``."""
    return click.option(
        "--labels",
        metavar="SOURCE",
        help="Labels of the photos: a folder of label maps, hf:MODEL, the name of a network "
        "(deeplab-edgetpu-cityscapes), or none.",
    )(function)


def depth_option(function: F) -> F:
    """--depth: depth.source, see ``source_named``."""
    return click.option(
        "--depth",
        metavar="SOURCE",
        help="Depths of the photos: a folder of depth maps, hf:MODEL, or none.",
    )(function)


class RegistryOption(click.Option):
    """An option whose help lists the names of a registry table, those of other packages too."""

    def __init__(self, *args: Any, table: Iterable[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._table = table

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        record = super().get_help_record(ctx)
        if record is None:
            return None
        try:
            names = ", ".join(self._table)
        except ConfigError as error:  # a package that cannot be used; help is shown in any case
            names = str(error)
        return record[0], f"{record[1]} {names}."


def source_named(given: str | None, flag: str, known: Collection[str]) -> str | None:
    """The config's source for what a flag was given: a folder is ``files:FOLDER``, all else stays.

    Args:
        known: names of the registry; one that ends in a colon stands for all that start with it.

    Raises:
        ConfigError: no such folder, and no name of a source.
    """
    if given is None or given == "none" or given in known:
        return given
    if given.startswith(tuple(name for name in known if name.endswith(":"))):
        return given
    if Path(given).is_dir():
        return f"files:{given}"
    networks = [name for name in known if not name.endswith(":")]
    raise ConfigError(
        f"{flag} {given}: {'that is a file' if Path(given).exists() else 'there is no such folder'}"
        f"; give a folder with one file for each photo, "
        + ", ".join([*networks, "hf:MODEL (a folder or a hub name)"])
        + " or none"
    )


def resumes() -> None:
    """From here on, what an interrupted command did is kept for the next one."""
    click.get_current_context().meta[RESUMES] = True


def nested(values: Mapping[str, Any]) -> dict[str, Any]:
    """``{"features.name": "disk"}`` as nested dictionaries; None values are left out."""
    tree: dict[str, Any] = {}
    for dotted, value in values.items():
        if value is not None:
            section, _, key = dotted.partition(".")
            tree.setdefault(section, {})[key] = value
    return tree


def section_of(kind: type[S], values: Mapping[str, Any]) -> S:
    """A section of these values. Raises ConfigError, which names the first bad one."""
    from pydantic import ValidationError

    try:
        return kind.model_validate(values)
    except ValidationError as error:
        item = error.errors()[0]
        what = "".join(str(part) for part in item["loc"][:1])
        raise ConfigError(f"{what}: {item['msg']}, got {item['input']!r}") from None


def show_progress() -> bool:
    """Whether bars are wanted: not with --quiet, and only where somebody watches."""
    import logging
    import sys

    loud = logging.getLogger("hloc_lite").getEffectiveLevel() <= logging.INFO
    return loud and sys.stderr.isatty()
