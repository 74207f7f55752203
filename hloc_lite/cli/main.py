"""``hloc-lite``: finds the verb, and turns errors a user can mend into one line and exit code 2."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Mapping
from importlib import import_module

import click

import hloc_lite
from hloc_lite.errors import HlocLiteError

VERBS: Mapping[str, str] = {
    "demo": "hloc_lite.cli.demo",
    "doctor": "hloc_lite.cli.doctor",
    "evaluate": "hloc_lite.cli.evaluate",
    "localize": "hloc_lite.cli.localize",
    "map": "hloc_lite.cli.map",
    "town": "hloc_lite.cli.town",
    "weights": "hloc_lite.cli.weights",
}
"""Verb -> module with a click command named ``command``; imported when the verb is used."""


class LazyGroup(click.Group):
    """A group that imports a verb's module when it is asked for, so that --help stays instant."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        command: click.Command = import_module(VERBS[cmd_name]).command
        return command


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(hloc_lite.__version__, prog_name="hloc-lite")
@click.option("-v", "--verbose", is_flag=True, help="Log what each stage does.")
@click.option("-q", "--quiet", is_flag=True, help="Only warnings and results.")
def cli(verbose: bool, quiet: bool) -> None:
    """Photos of a place become a map; another photo, a camera pose (6 DoF)."""
    level = logging.WARNING if quiet else logging.DEBUG if verbose else logging.INFO
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    logging.getLogger("hloc_lite").setLevel(level)


def main(arguments: list[str] | None = None) -> None:
    """Entry point: exit 0 done, 1 a bug (traceback) or nothing localized, 2 a mendable error."""
    # Waiting threads sleep instead of spinning: where other programs use the machine too, spinning
    # makes the networks 2 to 5 times slower. Read when torch is loaded, so set before that.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        cli.main(args=arguments, standalone_mode=True)
    except HlocLiteError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(2)
