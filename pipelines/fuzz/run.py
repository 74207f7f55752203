"""Fuzzes readers for a while: none may crash, hang, take much memory, or end in a traceback.

    python -m pipelines.fuzz.run --seconds 20                       # every target
    python -m pipelines.fuzz.run --target PTX --seconds 600
    python -m pipelines.fuzz.run --target PTX --seconds 600 --engine atheris

The engine ``mutate`` damages valid files, and reads them in child processes with limits on
memory and time. ``atheris`` (``pip install atheris``) is guided by the code that an input reaches;
it takes one target, and stops at the first fault.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import click

from hloc_lite.io.temporary_folders import temporary_folder
from pipelines.benchmarks.robustness.mutated_files import (
    GOOD,
    mutate,
    read_in_child,
    write_sample,
)
from pipelines.fuzz.targets import TARGETS


@click.command()
@click.option(
    "--target", "names", multiple=True, type=click.Choice(sorted(TARGETS)), help="Default: all."
)
@click.option("--seconds", default=20.0, show_default=True, help="For each target.")
@click.option("--seed", default=0, show_default=True)
@click.option("--engine", type=click.Choice(["mutate", "atheris"]), default="mutate")
def main(names: tuple[str, ...], seconds: float, seed: int, engine: str) -> None:
    """Fuzz targets one after the other; exit code 1 if there is a fault."""
    chosen = names or tuple(TARGETS)
    if engine == "atheris":
        if len(chosen) != 1:
            raise click.UsageError("atheris takes one --target")
        # a process of its own: only modules that it imports itself can be instrumented
        command = [sys.executable, "-m", "pipelines.fuzz.guided", chosen[0], seconds, seed]
        sys.exit(subprocess.run(list(map(str, command)), check=False).returncode)
    faults = 0
    with temporary_folder() as folder:
        for name in chosen:
            faults += fuzz_target(name, folder / "files", seconds, seed)
    sys.exit(faults > 0)


def fuzz_target(name: str, folder: Path, seconds: float, seed: int) -> int:
    """Read damaged copies of a sample for a while, and print what came of it; number of faults."""
    sample = TARGETS[name]
    write_sample(sample, folder)
    clean = read_in_child(sample, folder).digest
    counts: Counter[str] = Counter()
    shown: set[str] = set()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        copy = mutate(sample, folder, 1_000_003 * seed + counts.total())
        outcome = read_in_child(sample, folder, clean)
        counts[outcome.kind] += 1
        if outcome.kind in GOOD:
            continue
        cause = outcome.message.strip().rpartition("\n")[2]
        if cause not in shown:
            shown.add(cause)
            number = counts.total() - 1
            click.echo(
                f"{outcome.kind} {name}, copy {number}: {copy.mutation} in {copy.file}: "
                f"{outcome.message}"
            )
    summary = ", ".join(f"{kind} {count}" for kind, count in sorted(counts.items()))
    click.echo(f"{name}: {counts.total()} inputs: {summary}")
    return sum(count for kind, count in counts.items() if kind not in GOOD)


if __name__ == "__main__":
    main()
