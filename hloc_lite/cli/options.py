"""Options that several verbs share, and what they stand for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click

RESUMES = "hloc_lite.resumes"
"""Key of ``click.Context.meta``: see ``resumes``."""
F = TypeVar("F", bound=Callable[..., Any])


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


def show_progress() -> bool:
    """Whether bars are wanted: not with --quiet, and only where somebody watches."""
    import logging
    import sys

    loud = logging.getLogger("hloc_lite").getEffectiveLevel() <= logging.INFO
    return loud and sys.stderr.isatty()
