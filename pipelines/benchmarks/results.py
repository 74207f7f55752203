"""Results of a benchmark as one JSON file: the table, and how it was measured.

``docs/figures.md`` is made from such files in ``docs/results/``; no figure is typed by hand:

    write_results(Path("docs/results/rigs.json"), "Rigs", ["inliers", "time / PoseLib"], rows)

Command, commit, date and machine are found out here unless they are given.
"""

from __future__ import annotations

import math
import os
import shlex
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from hloc_lite.errors import FormatError
from hloc_lite.io.files import read_json, write_json_atomic
from hloc_lite.io.versions import processor

SCHEMA = "hloc_lite.results/1"
ROOT = Path(__file__).resolve().parents[2]
Cell = str | int | float | None
"""None: not measured."""
_TEXTS = ("benchmark", "command", "commit", "date", "machine", "notes")


@dataclass(frozen=True)
class Results:
    """One table of figures.

    Raises:
        FormatError: rows of another length than ``columns``, or cells that JSON cannot hold.
    """

    benchmark: str
    """Title of the table."""
    command: str
    """Command that measures it again."""
    commit: str
    """Short hash of the code that was measured; ends in ``+`` if there were uncommitted changes."""
    date: str
    """Day of the measurement, YYYY-MM-DD."""
    machine: str
    """Hardware, in words."""
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    notes: str = ""
    """Facts that a reader needs to read the table right, in Markdown."""

    def __post_init__(self) -> None:
        for name in _TEXTS:
            if not isinstance(getattr(self, name), str):
                raise FormatError(f"{name}: expected a text, got {getattr(self, name)!r}")
        if not self.columns or not all(isinstance(column, str) for column in self.columns):
            raise FormatError(f"columns: expected texts, got {self.columns!r}")
        for number, row in enumerate(self.rows):
            if len(row) != len(self.columns):
                raise FormatError(
                    f"row {number} has {len(row)} cells, expected {len(self.columns)}: {row}"
                )
            for cell in row:
                _check_cell(cell, number)


def write_results(
    path: Path | str,
    benchmark: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[Cell]],
    *,
    notes: str = "",
    command: str | None = None,
    commit: str | None = None,
    date: str | None = None,
    machine: str | None = None,
) -> Results:
    """Write one table of figures; returns what was written.

    Args:
        path: file to write or replace, by convention ``docs/results/NAME.json``.
        benchmark: title of the table.
        columns: headings.
        rows: a cell per column; None where nothing was measured.
        notes: what a reader must know, in Markdown.
        command: None: the command line of this process, as typed from the repository root.
        commit: None: of the checkout that this file lies in.
        date: None: today (UTC).
        machine: None: ``machine_description()``.

    Raises:
        FormatError: rows of another length than ``columns``, or cells that JSON cannot hold.
        HlocLiteError: the file cannot be written.
    """
    results = Results(
        benchmark,
        command_line() if command is None else command,
        current_commit() if commit is None else commit,
        datetime.now(UTC).date().isoformat() if date is None else date,
        machine_description() if machine is None else machine,
        tuple(columns),
        tuple(tuple(row) for row in rows),
        notes,
    )
    write_json_atomic(Path(path), {"schema": SCHEMA, **asdict(results)})
    return results


def read_results(path: Path) -> Results:
    """Read a file of ``write_results``.

    Raises:
        FormatError: another schema, or keys or cells that do not fit.
    """
    value = read_json(path)
    if not isinstance(value, dict) or value.pop("schema", None) != SCHEMA:
        raise FormatError(f"{path}: expected a JSON object of schema {SCHEMA}")
    try:
        columns, rows = tuple(value.pop("columns")), tuple(tuple(row) for row in value.pop("rows"))
        return Results(columns=columns, rows=rows, **value)
    except (KeyError, TypeError, FormatError) as error:
        raise FormatError(f"{path}: not a table of results: {error}") from None


def command_line(arguments: Sequence[str] | None = None, module: str | None = None) -> str:
    """The command of this process, without folders that only this machine has.

    Args:
        arguments: None: ``sys.argv``.
        module: name given to ``python -m``; None: as this process was started.
    """
    script, *rest = sys.argv if arguments is None else arguments
    if module is None:
        spec = getattr(sys.modules["__main__"], "__spec__", None)
        module = None if spec is None else spec.name
    start = ["python", _shown(script)] if module is None else ["python", "-m", module]
    return shlex.join([*start, *(_shown(argument) for argument in rest)])


def current_commit(root: Path = ROOT) -> str:
    """Short hash of the checkout, with ``+`` if tracked files were changed; else ``unknown``."""
    try:
        commit = _git(root, "rev-parse", "--short", "HEAD")
        return commit + ("+" if _git(root, "status", "--porcelain", "-uno") else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def machine_description() -> str:
    """Cores that this process may use, the processor, and the GPU if torch has used one."""
    affinity = getattr(os, "sched_getaffinity", None)
    cores = len(affinity(0)) if affinity else os.cpu_count() or 1
    parts = [f"{cores} CPU core{'s' * (cores != 1)} ({processor()})"]
    torch = sys.modules.get("torch")
    used = torch is not None and torch.cuda.is_available() and torch.cuda.is_initialized()
    parts.append(torch.cuda.get_device_name() if torch is not None and used else "no GPU used")
    return ", ".join(parts)


def _shown(argument: str) -> str:
    """An argument as others may see it: absolute paths only below the repository, else by name."""
    flag, separator, value = argument.partition("=") if argument.startswith("-") else ("", "", "")
    path = Path(value or argument)
    if not path.is_absolute():
        return argument
    inside = path.resolve().is_relative_to(ROOT)
    shown = path.resolve().relative_to(ROOT).as_posix() if inside else path.name
    return flag + separator + shown


def _git(root: Path, *arguments: str) -> str:
    command = ["git", "-C", str(root), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def _check_cell(cell: object, row: int) -> None:
    if isinstance(cell, bool) or not isinstance(cell, str | int | float | None):
        raise FormatError(f"row {row}: expected a text, a number or None, got {cell!r}")
    if isinstance(cell, float) and not math.isfinite(cell):
        raise FormatError(f"row {row}: {cell} is no number that JSON can hold; use None")
