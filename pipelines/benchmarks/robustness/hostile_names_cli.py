"""Names that lead elsewhere, through every verb of the command line.

    python -m pipelines.benchmarks.robustness.hostile_names_cli

Names stand in arguments, lists, models, maps, results and data sets, or are those of photos. Each
command runs in a forked process. Counted are files beside its folder that it touched, exit codes
that are no answer, commands that do not end, and lines or terminal sequences that a name forged. It
takes half an hour on two cores, and needs ``fork``.
"""

from __future__ import annotations

import io
import logging
import os
import shutil
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import click

from hloc_lite.cli.main import VERBS
from hloc_lite.cli.main import main as command_line
from hloc_lite.registry import register
from pipelines.benchmarks.results import Cell, read_results, write_results
from pipelines.benchmarks.robustness.command_entries import LISTED, CommandEntry, command_entries
from pipelines.benchmarks.robustness.hostile_names import (
    SECRET,
    in_child,
    state_beside,
    write_secrets,
)
from pipelines.benchmarks.robustness.named_inputs import Thumbnail, import_all, write_inputs
from pipelines.benchmarks.table import Table, results_option

KINDS = ("refused", "done", "BREACH", "TRACEBACK", "FORGED", "CRASH")
PAGE_END = "</script><b>"
"""Would end the script of a page if it were not escaped."""
CODES = {0: "done", 1: "done", 2: "refused"}
"""Exit code -> outcome; 1 means that nothing was localized, or that a check has failed."""
ALL = "all"
"""Name of the row of sums."""
NOTE = "Each row is from the last time that its verb was run."
SETUP_SECONDS = 120
SHOWN = {"stdout.txt", "stderr.txt"}


@dataclass(frozen=True)
class CommandTrial:
    """Outcome of one name at one place of the command line."""

    entry: CommandEntry
    name: str
    outcome: str
    """One of ``KINDS``; those in capitals are faults."""
    note: str = ""


def command_names(outside: Path, entry: CommandEntry) -> tuple[str, ...]:
    """Names to try: one of each kind of ``hostile_names``, and one that would end a script.

    Inputs lie up to two folders below the watched one. Where the name is a path of the user's own,
    those that only lead elsewhere are left out.
    """
    leading = (f"../../{SECRET}", f"../../../{SECRET}", (outside / SECRET).as_posix(),
               f"..\\{SECRET}")  # fmt: skip
    others = (
        f"nul\0/../../{SECRET}", "line\nend.png", "\x1b[2Jx.png", 251 * "n" + ".png",
        300 * "n" + ".png", "CON.png", "\udcff.png", "\u202egnp.x", f"{PAGE_END}x.png",
    )  # fmt: skip
    return others[1:] if entry.is_path else (*leading, *others)


def write_all_inputs(folder: Path, benchmarks: Sequence[str] = tuple(LISTED)) -> None:
    """Write the inputs of all verbs, in a process of its own: threads do not survive a fork."""
    folder.mkdir(parents=True)
    outcome, note = in_child(folder, partial(_set_up, folder, benchmarks), seconds=SETUP_SECONDS)
    assert outcome == "done", note


def _set_up(folder: Path, benchmarks: Sequence[str]) -> tuple[str, str]:
    os.chdir(folder)
    _capture(folder)
    try:
        write_inputs(folder, benchmarks)
    except BaseException:
        return "TRACEBACK", traceback.format_exc(limit=-4)
    return "done", ""


def run(
    root: Path, inputs: Path, chosen: Sequence[CommandEntry], names: Sequence[str] | None = None
) -> Iterator[CommandTrial]:
    """Try names at places; the root is an empty scratch folder.

    Args:
        inputs: folder of ``write_all_inputs``.
        names: None for all ``command_names``.
    """
    outside = root / "outside"
    folder = outside / "folder"
    for entry in chosen:
        for name in command_names(outside, entry) if names is None else names:
            folder.mkdir(parents=True)
            _copy_inputs(inputs, folder, entry)
            if entry.prepare(folder, name):
                write_secrets(outside)
                before = state_beside(folder)
                arguments = [part.replace("{}", name) for part in entry.command.split()]
                outcome, note = in_child(folder, partial(_tried, folder, arguments, name))
                if state_beside(folder) != before:
                    outcome, note = "BREACH", note or "a file beside the folder was touched"
                if outcome == "BREACH" and entry.is_path:
                    outcome, note = "done", ""  # the user's own path
                yield CommandTrial(entry, name, outcome, note)
            shutil.rmtree(outside)


def _copy_inputs(inputs: Path, folder: Path, entry: CommandEntry) -> None:
    for part in entry.command.replace("=", " ").split()[1:]:
        source, target = inputs / part, folder / part
        if "{}" in part:
            source, target = source.parent, target.parent
        if source == inputs or target.exists() or not source.exists():
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target)
        else:
            shutil.copyfile(source, target)
    (folder / "out").mkdir(exist_ok=True)


def _tried(folder: Path, arguments: list[str], name: str) -> tuple[str, str]:
    """Outcome of a command in its folder, and what it printed."""
    os.chdir(folder)
    _capture(folder)
    code: object = None
    try:
        command_line(arguments)
    except SystemExit as end:
        code = end.code or 0
    except BaseException:
        return "TRACEBACK", traceback.format_exc(limit=-5)[-2500:]
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    texts = [(folder / each).read_text(errors="replace") for each in sorted(SHOWN)]
    if code not in CODES or any("Traceback (most recent" in text for text in texts):
        return "TRACEBACK", f"exit code {code!r}: {texts}"[:2500]
    forged = _forged(folder, texts, name)
    return ("FORGED", forged) if forged else (CODES[code], texts[0][-300:])  # type: ignore[index]


def _capture(folder: Path) -> None:
    """Lead stdout and stderr into files, as strict about encodings as a terminal is."""
    for number, (stream, errors) in enumerate(
        (("stdout", "strict"), ("stderr", "backslashreplace"))
    ):
        file = os.open(folder / f"{stream}.txt", os.O_WRONLY | os.O_CREAT)
        os.dup2(file, number + 1)
        text = io.TextIOWrapper(
            io.FileIO(number + 1, "w", closefd=False), encoding="utf-8", errors=errors,
            write_through=True,
        )  # fmt: skip
        setattr(sys, stream, text)
    root = logging.getLogger()
    for handler in [*root.handlers]:
        root.removeHandler(handler)


def _forged(folder: Path, texts: Sequence[str], name: str) -> str:
    """Line that a name has forged on the terminal, or a page whose script it ends."""
    for text in texts:
        for line in text.split("\n"):
            if any((each < " " and each not in "\t") or "\x7f" <= each < "\xa0" for each in line):
                return f"control character: {line[:300]!r}"
            if "\n" in name and line.startswith(name.split("\n")[1]):
                return f"line of its own: {text[-300:]!r}"
            if "\u202e" in line:
                return f"turned around: {line[:300]!r}"
    if PAGE_END in name:
        for page in folder.rglob("*.html"):
            if PAGE_END in page.read_text(encoding="utf-8", errors="replace"):
                return f"{page.relative_to(folder)} has {PAGE_END}"
    return ""


@click.command(help=__doc__)
@click.option(
    "--only",
    multiple=True,
    type=click.Choice(list(VERBS)),
    help="Only these verbs; those that the results file has already stay in it.",
)
@results_option
def main(only: tuple[str, ...], results: Path | None) -> None:
    register("global_descriptors", "thumbnail", Thumbnail)
    import_all()
    table = Table("Hostile names, command line", ["verb", "places", "names", *KINDS], NOTE)
    faults = 0
    known = _known_rows(results) if only else {}
    chosen: dict[str, list[CommandEntry]] = {}
    for entry in command_entries():
        verb = entry.verb if entry.verb in VERBS else "hloc-lite"
        if not only or verb in only:
            chosen.setdefault(verb, []).append(entry)
    with tempfile.TemporaryDirectory(prefix="names_") as temporary:
        inputs = Path(temporary) / "inputs"
        write_all_inputs(inputs)
        for verb, those in sorted(chosen.items()):
            trials = []
            for trial in run(Path(temporary), inputs, those):
                trials.append(trial)
                if trial.outcome.isupper():
                    shown = f"{trial.entry.command} ({trial.entry.where})"
                    click.echo(f"{trial.outcome} {shown}: {trial.name[:60]!r}: {trial.note!r}")
            tried = {trial.entry for trial in trials}
            for entry in [entry for entry in those if entry not in tried]:
                click.echo(f"no name fits: {entry.command} ({entry.where})")
            counts = Counter(trial.outcome for trial in trials)
            faults += sum(count for kind, count in counts.items() if kind.isupper())
            table.add(verb, len(tried), len(trials), *(counts[kind] for kind in KINDS))
            sys.stdout.flush()
            _write(table, known, results)
    sys.exit(bool(faults))


def _known_rows(results: Path | None) -> dict[Cell, Sequence[Cell]]:
    """Verb -> row of a results file, if there is one."""
    if results is None or not results.is_file():
        return {}
    return {row[0]: row for row in read_results(results).rows if row[0] != ALL}


def _write(table: Table, known: Mapping[Cell, Sequence[Cell]], results: Path | None) -> None:
    """Write all rows there are, by verb, and their sums: after each verb, for they take long."""
    rows = {**known, **{row[0]: row for row in table.rows}}
    ordered = [rows[verb] for verb in sorted(rows, key=str)]
    columns = list(zip(*ordered, strict=True))[1:]
    sums = [ALL, *(sum(int(cell or 0) for cell in column) for column in columns)]
    if results is not None:
        write_results(results, table.benchmark, table.columns, [*ordered, sums], notes=NOTE)


if __name__ == "__main__":
    main()
