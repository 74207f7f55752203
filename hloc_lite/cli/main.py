"""``hloc-lite``: finds the verb, and turns errors a user can mend into one line and exit code 2."""

from __future__ import annotations

import errno
import logging
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib import import_module
from types import MappingProxyType
from typing import Any, NoReturn

import click

import hloc_lite
from hloc_lite.cli.options import RESUMES
from hloc_lite.errors import HlocLiteError

EXIT_INTERRUPTED = 130
EXIT_UNREAD = 141
WRITE_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF)
VERBS: Mapping[str, str] = {
    "compress": "hloc_lite.cli.compress",
    "demo": "hloc_lite.cli.demo",
    "doctor": "hloc_lite.cli.doctor",
    "evaluate": "hloc_lite.cli.evaluate",
    "georeference": "hloc_lite.cli.georeference",
    "info": "hloc_lite.cli.info",
    "localize": "hloc_lite.cli.localize",
    "map": "hloc_lite.cli.map",
    "serve": "hloc_lite.cli.serve",
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

    # both here, as click would make a 1 of what is caught later
    def make_context(self, *arguments: Any, **options: Any) -> click.Context:
        with _ends():
            return super().make_context(*arguments, **options)

    def invoke(self, ctx: click.Context) -> Any:
        with _ends(ctx.meta):
            return super().invoke(ctx)


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
    """Entry point: exit 0 done, 1 a bug (traceback) or nothing localized, 2 a mendable error,
    130 interrupted, 141 nobody reads the output any more (as shells report SIGINT and SIGPIPE)."""
    # Waiting threads sleep instead of spinning: where other programs use the machine too, spinning
    # makes the networks 2 to 5 times slower. Read when torch is loaded, so set before that.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    with _ends():
        try:
            _check_surroundings()
            code = cli.main(args=arguments, standalone_mode=False)
        except HlocLiteError as error:
            _fail(str(error))
        except click.ClickException as error:
            error.show()
            sys.exit(error.exit_code)
        if sys.stdout is not None:
            sys.stdout.flush()
    sys.exit(code if isinstance(code, int) else 0)


@contextmanager
def _ends(meta: Mapping[str, Any] = MappingProxyType({})) -> Iterator[None]:
    """Ends that are no bugs: interrupts, and an output that is full or that nobody reads."""
    try:
        yield
    except (KeyboardInterrupt, click.Abort):
        line_end = "\n" if sys.stderr.isatty() else ""  # after the terminal's ^C
        hint = "; run the same command again, it resumes" if meta.get(RESUMES) else ""
        click.echo(f"{line_end}interrupted{hint}", err=True)
        sys.exit(EXIT_INTERRUPTED)
    except BrokenPipeError:
        _silence_stdout()
        sys.exit(EXIT_UNREAD)
    except OSError as error:
        if error.filename is not None or error.errno not in WRITE_ERRORS:
            raise
        _silence_stdout()
        _fail(f"cannot write the output: {error.strerror}")


def _check_surroundings() -> None:
    """What no verb can work without, and libraries would explain badly."""
    try:
        os.getcwd()
    except OSError:
        raise HlocLiteError(
            "the folder you are in does not exist any more; change to another one"
        ) from None
    encoding = sys.getfilesystemencoding()
    if encoding.lower().replace("-", "") != "utf8":
        raise HlocLiteError(
            f"the locale's encoding is {encoding}, which cannot hold all file names: set "
            f"PYTHONUTF8=1, or LC_ALL to a locale of UTF-8 such as C.UTF-8"
        )


def _fail(message: str) -> NoReturn:
    click.echo(f"error: {message}", err=True)
    sys.exit(2)


def _silence_stdout() -> None:
    """What is still held back cannot be written either, and must not be tried at exit."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.__stdout__.fileno())  # type: ignore[union-attr]
