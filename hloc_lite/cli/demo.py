"""``hloc-lite demo``: runs the main verbs in turn on a small rendered town."""

from __future__ import annotations

import shlex
import time
from collections.abc import Sequence
from pathlib import Path

import click

from hloc_lite.cli.options import runtime_options, say, say_block
from hloc_lite.config import PROFILES
from hloc_lite.optional_dependencies import require_extra
from hloc_lite.registry import check_device

CONDITIONS = ("day", "night", "changed")


@click.command("demo")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    default=Path("demo"),
    show_default=True,
    help="Folder for the town, the map, the poses and the report.",
)
@click.option("--map", "num_map", default=60, show_default=True, help="Number of map images.")
@click.option(
    "--queries", "num_queries", default=12, show_default=True, help="Queries per condition."
)
@click.option(
    "--size", default="800x600", show_default=True, metavar="WxH", help="Image size in pixels."
)
@click.option("--seed", default=7, show_default=True, help="Seed of the town.")
@click.option(
    "--profile",
    type=click.Choice(list(PROFILES)),
    default="fast",
    show_default=True,
    help="fast takes about two minutes on two cores; the others take longer and localize more "
    "queries.",
)
@click.option(
    "--overwrite", is_flag=True, help="Replace a demo with other settings in the output folder."
)
@runtime_options
def command(
    output: Path,
    num_map: int,
    num_queries: int,
    size: str,
    seed: int,
    profile: str,
    overwrite: bool,
    device: str,
    offline: bool,
) -> None:
    """Run the main commands on a small rendered town.

    They render the town, build a map of it, localize query photos, score their poses and write a
    report. The queries are taken by day, at night, and in another season with new shop signs. Each
    command is shown before it runs.
    """
    check_device(device)  # fail before the town is rendered
    for extra in ("town", "report"):
        require_extra(extra, "the demo")
    start = time.perf_counter()
    town, map_folder, poses = output / "town", output / "map", output / "poses.txt"
    truth = [town / f"gt_{condition}.txt" for condition in CONDITIONS]
    runtime = ["--device", device, *(["--offline"] if offline else [])]
    replace = ["--overwrite"] if overwrite else []

    render = ["town", "render", "-o", town, "--map", num_map, "--queries", num_queries]
    render += ["--size", size, "--seed", seed, "--no-depth", "--no-labels", *replace]
    build = ["map", town / "images", "-o", map_folder, "--image-list", town / "map_images.txt"]
    build += ["--reference", town / "model", "--metric", "--profile", profile, *runtime, *replace]
    localize = ["localize", map_folder, "--images", town / "images", "-o", poses]
    for condition in CONDITIONS:
        localize += ["--queries", town / f"queries_{condition}.txt"]
    localize += ["--jsonl", output / "results.jsonl", "--report", output / "report"]
    for file in truth:
        localize += ["--truth", file]
    localize += runtime
    for arguments in (
        render,
        build,
        localize,
        ["evaluate", poses, *truth, "--thresholds", "aachen"],
    ):
        _run([str(argument) for argument in arguments])

    minutes = (time.perf_counter() - start) / 60
    report = (output / "report" / "report.html").resolve()
    say_block(f"\nDone in {minutes:.1f} minutes. Open {report.as_uri()}")
    say(_given_but_wrong(poses, truth))


def _given_but_wrong(poses: Path, truth: Sequence[Path]) -> str:
    """Count the wrong ones among the poses that were given."""
    from hloc_lite.evaluation.conditions import read_conditions
    from hloc_lite.evaluation.confidence_scores import given_but_wrong
    from hloc_lite.evaluation.metrics import merge_conditions, query_errors
    from hloc_lite.evaluation.thresholds import correct_within
    from hloc_lite.formats.hloc_lists import read_poses

    true = merge_conditions(read_conditions([str(file) for file in truth]))
    return str(given_but_wrong(query_errors(read_poses(poses), true), correct_within()))


def _run(arguments: list[str]) -> None:
    """Print a command of ``hloc-lite`` and run it, with the --quiet or --verbose of the demo."""
    root = click.get_current_context().find_root()
    arguments = [*(f"--{flag}" for flag in ("quiet", "verbose") if root.params[flag]), *arguments]
    click.secho(f"\n$ hloc-lite {shlex.join(arguments)}", bold=True)
    try:
        root.command.main(arguments, standalone_mode=False)
    except SystemExit as stopped:
        if stopped.code not in (None, 0, 1):  # 1: no query was localized, which the scores show
            raise
