"""Pipes, sockets, folders and devices in place of files of every format: none may be waited for.

    python -m pipelines.benchmarks.robustness.special_files

Each file of each format is replaced in turn, and read by a child process that has two seconds of
patience. It takes two minutes, and needs Linux or macOS.
"""

from __future__ import annotations

import os
import socket
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import click

from pipelines.benchmarks.robustness.mutated_files import (
    GOOD,
    SAMPLES,
    Outcome,
    read_in_child,
    write_sample,
)
from pipelines.benchmarks.robustness.sample_model import FormatSample
from pipelines.benchmarks.table import Table, results_option

PATIENCE_SECONDS = 2
SENT = ("GeoPose request",)
"""Samples that clients send to the service: hloc_lite reads no file of them."""


def _bind_socket(path: Path) -> None:
    before = os.getcwd()
    os.chdir(path.parent)  # addresses of sockets are short
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(path.name)
    finally:
        os.chdir(before)


SPECIAL: Mapping[str, Callable[[Path], None]] = {
    "pipe": os.mkfifo,
    "folder": Path.mkdir,
    "endless device": lambda path: path.symlink_to("/dev/zero"),
    "socket": _bind_socket,
}
"""Kind -> function that makes one at a path."""


def run(
    folder: Path, samples: Sequence[FormatSample] = SAMPLES
) -> Iterator[tuple[str, str, str, Outcome]]:
    """Name of the sample, its file, the kind of what replaced it, and the outcome."""
    for sample in samples:
        if sample.name in SENT:
            continue
        write_sample(sample, folder)
        files = sorted(each.relative_to(folder) for each in folder.rglob("*") if each.is_file())
        kinds = {(each.parent, each.suffix): each for each in reversed(files)}
        for file in kinds.values():
            for kind, make in SPECIAL.items():
                write_sample(sample, folder)
                (folder / file).unlink()
                make(folder / file)
                outcome = read_in_child(sample, folder, max_seconds=PATIENCE_SECONDS)
                yield sample.name, file.as_posix(), kind, outcome


@click.command(help=__doc__)
@results_option
def main(results: Path | None) -> None:
    counts: dict[str, Counter[str]] = {kind: Counter() for kind in SPECIAL}
    with tempfile.TemporaryDirectory() as temporary:
        for name, file, kind, outcome in run(Path(temporary) / "files"):
            ending = outcome.kind if outcome.kind not in ("same", "other") else "not needed"
            counts[kind][ending] += 1
            if outcome.kind not in GOOD:
                click.echo(f"{outcome.kind} {name}: {kind} as {file}: {outcome.message[-300:]}")
    faults = sorted({each for found in counts.values() for each in found if each.isupper()})
    table = Table("Special files", ["in place of a file", "refused", "not needed", *faults])
    for kind, found in counts.items():
        table.add(kind, *(found[each] for each in ("refused", "not needed", *faults)))
    table.write(results)
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
