"""``hloc-lite evaluate``: scores estimated poses against ground truth."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from hloc_lite.errors import HlocLiteError


@click.command("evaluate")
@click.argument("poses", type=click.Path(path_type=Path))
@click.argument("truth", nargs=-1, required=True)
@click.option(
    "--thresholds",
    multiple=True,
    metavar="T",
    help="0.25m,2deg or 1%,0.5deg (with --unit-length), or aachen or inloc. May be given several "
    "times, and several may follow.  [default: aachen]",
)
@click.option(
    "--unit-length",
    type=float,
    metavar="LENGTH",
    help="Show distances in percent of this length (map units), for maps without metric scale.",
)
@click.option("--by-folder", is_flag=True, help="One row per first folder in which names differ.")
@click.option("--seed", type=click.IntRange(min=0), default=0, help="Seed of the bootstrap.")
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write scores here.")
@click.option(
    "--report", "report_dir", type=click.Path(path_type=Path), help="Write report.html here."
)
@click.option(
    "--results",
    "results_file",
    type=click.Path(path_type=Path),
    help="results.jsonl of the same run: reasons, inliers and times for the report.",
)
def command(
    poses: Path,
    truth: tuple[str, ...],
    thresholds: tuple[str, ...],
    unit_length: float | None,
    by_folder: bool,
    seed: int,
    json_file: Path | None,
    report_dir: Path | None,
    results_file: Path | None,
) -> None:
    """Score POSES against the true poses of one or more TRUTH files.

    Each file is a list of 'name qw qx qy qz tx ty tz' (cam_from_world). Each TRUTH file is a row of
    the table, named by the file (gt_night.txt: night) or as in night=FILE. A true pose without an
    estimate is a failure. Recalls and medians have 95 % bootstrap intervals.
    """
    from hloc_lite.evaluation.conditions import group_by_first_folder, read_conditions
    from hloc_lite.evaluation.evaluate import evaluate
    from hloc_lite.evaluation.metrics import BootstrapConfig, merge_conditions
    from hloc_lite.evaluation.records import (
        check_same_run,
        records_from_poses,
        records_from_results,
    )
    from hloc_lite.evaluation.tables import evaluation_to_json, text_table
    from hloc_lite.evaluation.thresholds import DistanceUnit, parse_thresholds, percent_of
    from hloc_lite.formats.hloc_lists import read_poses
    from hloc_lite.io.files import write_json_atomic
    from hloc_lite.io.results import read_results_jsonl

    files, trailing = _split_arguments(truth, bool(thresholds))
    chosen = parse_thresholds([*thresholds, *trailing] or ["aachen"], unit_length)
    _check_outputs(poses, files, json_file, report_dir, results_file)
    unit = DistanceUnit() if unit_length is None else percent_of(unit_length)
    conditions = read_conditions(files)
    if by_folder:
        conditions = group_by_first_folder(merge_conditions(conditions))
    estimated = read_poses(poses)
    results = None if results_file is None else read_results_jsonl(results_file)
    if results is not None:
        check_same_run(results, estimated)
    names = None if results is None else [result.query_name for result in results]
    found = evaluate(estimated, conditions, chosen, unit, BootstrapConfig(seed=seed), names)

    click.echo(text_table(found.rows, unit))
    for note in [*found.failures, *found.caveats]:
        click.echo(note)
    if json_file is not None:
        write_json_atomic(json_file, evaluation_to_json(found))
    if report_dir is not None:
        from hloc_lite.evaluation.report import write_report
        from hloc_lite.evaluation.report_input import ReportInput

        if results is None:
            records = records_from_poses(estimated, found)
        else:
            records = records_from_results(results, found)
        title = f"Evaluation of {poses.name}"
        click.echo(f"report: {write_report(report_dir, ReportInput(title, records, found))}")


def _split_arguments(arguments: Sequence[str], flag_given: bool) -> tuple[list[str], list[str]]:
    """Separate the ground-truth files from thresholds that followed the first one of the option."""
    from hloc_lite.evaluation.thresholds import is_threshold

    more = [a for a in arguments if flag_given and is_threshold(a) and not Path(a).exists()]
    files = [argument for argument in arguments if argument not in more]
    if not files:
        raise HlocLiteError("expected at least one file of true poses after the estimated ones")
    return files, more


def _check_outputs(
    poses: Path,
    files: Sequence[str],
    json_file: Path | None,
    report_dir: Path | None,
    results_file: Path | None,
) -> None:
    """Check before any work that the outputs can be written and overwrite no input."""
    from hloc_lite.evaluation.conditions import parse_condition_file
    from hloc_lite.evaluation.report import report_file, require_report_extra
    from hloc_lite.io.outputs import check_not_read, check_writable

    inputs = [poses, *(parse_condition_file(file)[1] for file in files)]
    inputs += [] if results_file is None else [results_file]
    outputs = [] if json_file is None else [json_file]
    if report_dir is not None:
        require_report_extra()
        outputs.append(report_file(report_dir))
    for output in outputs:
        check_writable(output)
    check_not_read(outputs, inputs)
