"""Scenarios that ``compare_versions`` runs in each version, and the results they leave on disk.

    PYTHONPATH=CHECKOUT python -P version_scenarios --case DIR --town DIR --stored DIR --out DIR

This folder runs inside either version, so it uses only what both have: the command line, the public
API, files. It imports nothing from this repository but ``hloc_lite``.

OUT/results/NAME.{json,npz}  records of queries that were localized through the API
OUT/maps/NAME                folders that ``map``, ``compress`` and ``town render`` wrote
OUT/cli/NAME                 files that other commands wrote, and their exit codes
OUT/log.txt                  output of all commands, and tracebacks of failed scenarios
"""

from __future__ import annotations

import os
import time
import traceback
from fnmatch import fnmatch
from pathlib import Path

import click
from records import write_records
from scenarios import scenarios
from session import Session

import hloc_lite


@click.command()
@click.option("--case", type=click.Path(path_type=Path), required=True, help="Real photos.")
@click.option("--town", type=click.Path(path_type=Path), required=True, help="Rendered photos.")
@click.option("--stored", type=click.Path(path_type=Path), required=True, help="An earlier OUT.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="A new folder.")
@click.option("--only", default="*", help="Pattern of scenario names.")
def main(case: Path, town: Path, stored: Path, out: Path, only: str) -> None:
    """Run all scenarios; one that raises leaves the name of its exception as its result."""
    if not Path(hloc_lite.__file__).is_relative_to(os.environ["PYTHONPATH"]):
        raise click.UsageError(f"PYTHONPATH is not where hloc_lite lies: {hloc_lite.__file__}")
    out.mkdir(parents=True)
    session = Session(case, town, stored, out)
    chosen = {name: run for name, run in scenarios(session).items() if fnmatch(name, only)}
    for number, (name, run) in enumerate(chosen.items(), start=1):
        start, failed = time.perf_counter(), ""
        try:
            records = run()
        except Exception as error:
            session.log(f"{name}: {traceback.format_exc()}")
            failed = f" {type(error).__name__}: {error}"
            records = [{"name": "error", "error": type(error).__name__}]
        if records is not None:
            write_records(out / "results" / name, records)
        seconds = time.perf_counter() - start
        click.echo(f"{number}/{len(chosen)} {name}: {seconds:.1f} s{failed}")


if __name__ == "__main__":
    main()
