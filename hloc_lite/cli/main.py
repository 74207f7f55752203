"""Entry point of ``hloc-lite``: runs a verb and reports errors as one line with an exit code."""

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
from hloc_lite.cli.options import RESUMABLE
from hloc_lite.cli.search_paths import leave_out_current_folder
from hloc_lite.display import PrintableFormatter, printable
from hloc_lite.errors import HlocLiteError

SHOWN_PATH = 100
"""Characters of a path that is too long: enough to tell which it is."""
EXIT_INTERRUPTED = 130
EXIT_BROKEN_PIPE = 141
WRITE_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF)
VERBS: Mapping[str, str] = {
    "benchmark": "hloc_lite.cli.benchmark",
    "calibrate": "hloc_lite.cli.calibrate",
    "compare": "hloc_lite.cli.compare",
    "compress": "hloc_lite.cli.compress",
    "config": "hloc_lite.cli.config",
    "dataset": "hloc_lite.cli.dataset",
    "demo": "hloc_lite.cli.demo",
    "doctor": "hloc_lite.cli.doctor",
    "evaluate": "hloc_lite.cli.evaluate",
    "export": "hloc_lite.cli.export",
    "georeference": "hloc_lite.cli.georeference",
    "info": "hloc_lite.cli.info",
    "localize": "hloc_lite.cli.localize",
    "map": "hloc_lite.cli.map",
    "retrieval": "hloc_lite.cli.retrieval",
    "serve": "hloc_lite.cli.serve",
    "submission": "hloc_lite.cli.submission",
    "surface": "hloc_lite.cli.surface",
    "town": "hloc_lite.cli.town",
    "video": "hloc_lite.cli.video",
    "view": "hloc_lite.cli.view",
    "weights": "hloc_lite.cli.weights",
}
"""Verb -> module with a click command named ``command``."""


class LazyGroup(click.Group):
    """Group that imports the module of a verb at its first use: the others cost no time."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        command: click.Command = import_module(VERBS[cmd_name]).command
        return command

    # in both methods, because click turns an interrupt or a closed pipe into exit code 1
    def make_context(self, *arguments: Any, **options: Any) -> click.Context:
        with _expected_terminations():
            return super().make_context(*arguments, **options)

    def invoke(self, ctx: click.Context) -> Any:
        with _expected_terminations(ctx.meta):
            return super().invoke(ctx)


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(hloc_lite.__version__, prog_name="hloc-lite")
@click.option("-v", "--verbose", is_flag=True, help="Log steps and their times.")
@click.option("-q", "--quiet", is_flag=True, help="Print errors and results only.")
def cli(verbose: bool, quiet: bool) -> None:
    """Build a map from photos and estimate the camera poses (6 DoF) of other photos in it."""
    if verbose and quiet:
        raise click.UsageError("give either --verbose or --quiet")
    level = logging.ERROR if quiet else logging.DEBUG if verbose else logging.INFO
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(PrintableFormatter("%(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    logging.getLogger("hloc_lite").setLevel(level)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit.

    Exit codes: 0 for success; 1 if nothing was localized, or for a bug (with a traceback); 2 for an
    error the user can fix; 130 if interrupted and 141 if stdout was closed, as in shells.

    Args:
        arguments: command-line arguments; None for those of the process.
    """
    leave_out_current_folder()
    # Idle threads sleep instead of spinning, which makes networks 2 to 5 times slower on a shared
    # machine. The variable is read when torch is loaded.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    with _expected_terminations():
        try:
            _check_environment()
            code = cli.main(args=arguments, standalone_mode=False)
        except HlocLiteError as error:
            _fail(str(error))
        except click.ClickException as error:
            _show(error)
            sys.exit(error.exit_code)
        if sys.stdout is not None:
            sys.stdout.flush()
    sys.exit(code if isinstance(code, int) else 0)


@contextmanager
def _expected_terminations(meta: Mapping[str, Any] = MappingProxyType({})) -> Iterator[None]:
    """End expected terminations (Ctrl-C, full disk, too long path) without a traceback.

    Args:
        meta: ``meta`` of the click context, see ``mark_resumable``.
    """
    try:
        yield
    except (KeyboardInterrupt, click.Abort):
        line_end = "\n" if sys.stderr.isatty() else ""  # after the terminal's ^C
        hint = "; run the same command again to resume" if meta.get(RESUMABLE) else ""
        click.echo(f"{line_end}interrupted{hint}", err=True)
        sys.exit(EXIT_INTERRUPTED)
    except BrokenPipeError:
        _silence_stdout()
        sys.exit(EXIT_BROKEN_PIPE)
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            path = os.fsdecode(error.filename or "")[:SHOWN_PATH]
            _fail(f"a path is longer than the system allows: {path!r}...; give a shorter one")
        if error.filename is not None or error.errno not in WRITE_ERRORS:
            raise
        _silence_stdout()
        _fail(f"cannot write the output: {error.strerror}")


def _check_environment() -> None:
    """Check the working folder and the file system encoding, which every verb needs.

    Raises:
        HlocLiteError: the folder is gone, or file names are not UTF-8.
    """
    try:
        os.getcwd()
    except OSError:
        raise HlocLiteError("the working folder no longer exists; change to another one") from None
    encoding = sys.getfilesystemencoding()
    if encoding.lower().replace("-", "") != "utf8":
        raise HlocLiteError(
            f"the locale's encoding is {encoding}, which cannot represent all file names: set "
            f"PYTHONUTF8=1, or LC_ALL to a UTF-8 locale such as C.UTF-8"
        )


def _fail(message: str) -> NoReturn:
    click.echo(printable(f"error: {message}"), err=True)
    sys.exit(2)


def _show(error: click.ClickException) -> None:
    """Print an error of click's, which quotes arguments as they are."""
    message = printable(error.format_message())
    if isinstance(error, click.UsageError):
        click.UsageError(message, error.ctx).show()
    else:
        click.ClickException(message).show()


def _silence_stdout() -> None:
    """Redirect stdout to the null device: what is buffered would fail again at exit."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.__stdout__.fileno())  # type: ignore[union-attr]
