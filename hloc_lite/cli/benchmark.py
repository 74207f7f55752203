"""``hloc-lite benchmark``: map, localization, scores and submission of a public benchmark."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hloc_lite.cli.options import mark_resumable, runtime_options, say, say_block, show_progress
from hloc_lite.config import PROFILES

if TYPE_CHECKING:
    from hloc_lite.benchmark.run import BenchmarkOutcome


@click.command("benchmark")
@click.argument("name")
@click.option(
    "--root",
    type=click.Path(path_type=Path),
    required=True,
    help="Folder of the data set (`hloc-lite dataset info NAME` tells its layout).",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="Folder of the results.  [default: NAME-results in the current folder]",
)
@click.option(
    "--subset",
    type=click.IntRange(min=1),
    help="Use so many queries per condition, evenly spread, for a first try.",
)
@click.option(
    "--map-subset", type=click.IntRange(min=2), help="Use so many map images of each part."
)
@click.option("--part", "parts", multiple=True, help="Only this scene, slice or location.")
@click.option(
    "--profile",
    type=click.Choice(list(PROFILES)),
    default="balanced",
    show_default=True,
    help="Trade-off between speed and accuracy.",
)
@click.option(
    "--config",
    "config_name",
    default="ours",
    show_default=True,
    help="ours, or the settings of a published run, such as published-hloc.",
)
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    help="Config value, e.g. pose.max_error_px=6. May be given several times.",
)
@click.option("--dry-run", is_flag=True, help="Print the estimate of time, disk and memory only.")
@runtime_options
def command(
    name: str,
    root: Path,
    output: Path | None,
    subset: int | None,
    map_subset: int | None,
    parts: tuple[str, ...],
    profile: str,
    config_name: str,
    settings: tuple[str, ...],
    dry_run: bool,
    device: str,
    offline: bool,
) -> None:
    """Run the benchmark NAME on the data set in --root.

    Writes a map and the answers of each part, a checked submission, a report, and, where true poses
    are public, scores beside published ones. Run the same command again to resume.
    """
    from hloc_lite.benchmark.estimate import estimate_cost
    from hloc_lite.benchmark.options import BenchmarkOptions
    from hloc_lite.benchmark.run import open_benchmark, run_benchmark

    options = BenchmarkOptions(
        profile=profile,
        config_name=config_name,
        settings=settings,
        subset=subset,
        map_subset=map_subset,
        parts=parts,
        device=device,
        offline=offline,
        progress=show_progress(),
    )
    run = open_benchmark(name, root, options)
    if run.replaced:
        say(f"{config_name}: {run.replaced}")
    folder = output or Path(f"{name}-results")
    is_resumed = any((folder / dataset.name).exists() for dataset in run.parts)
    if dry_run or not is_resumed:
        cost = estimate_cost(run.parts, run.config, options)
        say(f"estimate: {cost}" if cost else "estimate: none, the first images do not match")
    if dry_run:
        return
    mark_resumable()
    print_outcome(run_benchmark(run, folder, say), is_whole=run.is_whole)


def print_outcome(outcome: BenchmarkOutcome, *, is_whole: bool) -> None:
    """Print scores, where they are known, and what was found in the submission.

    Exits with code 1 if the submission has an error.
    """
    from hloc_lite.benchmark.scoring import sure_but_wrong
    from hloc_lite.cli.submission import print_findings
    from hloc_lite.evaluation.table_text import plain_table

    if outcome.evaluation is not None and outcome.table is not None:
        say(sure_but_wrong(outcome.evaluation))
        say_block(plain_table(outcome.table))
    if outcome.protocol is not None:
        say_block(plain_table(outcome.protocol))
    if outcome.report is not None:
        say(f"report: {outcome.report}")
    if outcome.submission is None:
        return
    say(f"submission: {outcome.submission}")
    if not is_whole:
        say("it is of a part of the data set only: do not hand it in")
    if print_findings(outcome.findings):
        sys.exit(1)
