"""``hloc-lite evaluate``: estimated poses against true ones."""

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
    help="Show distances in percent of so many map units: for maps without metric scale.",
)
@click.option("--by-folder", is_flag=True, help="A row for each first folder that names differ in.")
@click.option("--seed", type=click.IntRange(min=0), default=0, help="Of the confidence intervals.")
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

    All are lists of 'name qw qx qy qz tx ty tz' (cam_from_world). Each TRUTH file is a row of the
    table, named by its file (gt_night.txt: night) or as in night=FILE. A true pose without an
    estimate is a failure. Intervals are bootstrapped, 95 %.
    """
    from hloc_lite.evaluation.conditions import by_first_folder, named_file, read_conditions
    from hloc_lite.evaluation.errors import BootstrapConfig, merge_conditions
    from hloc_lite.evaluation.evaluate import evaluate
    from hloc_lite.evaluation.records import check_same_run, records_of_poses, records_of_results
    from hloc_lite.evaluation.report import ReportInput, report_file, write_report
    from hloc_lite.evaluation.tables import evaluation_to_json, text_table
    from hloc_lite.evaluation.thresholds import DistanceUnit, parse_thresholds, percent_of
    from hloc_lite.formats.hloc_lists import read_poses
    from hloc_lite.io.files import write_json_atomic
    from hloc_lite.io.outputs import check_not_read, check_writable
    from hloc_lite.io.results import read_results_jsonl

    files, trailing = _split_arguments(truth, bool(thresholds))
    chosen = parse_thresholds([*thresholds, *trailing] or ["aachen"], unit_length)
    inputs = [poses, *(named_file(file)[1] for file in files)]
    inputs += [] if results_file is None else [results_file]
    outputs = [] if json_file is None else [json_file]
    outputs += [] if report_dir is None else [report_file(report_dir)]
    for output in outputs:
        check_writable(output)
    check_not_read(outputs, inputs)
    unit = DistanceUnit() if unit_length is None else percent_of(unit_length)
    conditions = read_conditions(files)
    if by_folder:
        conditions = by_first_folder(merge_conditions(conditions))
    estimated = read_poses(poses)
    results = None if results_file is None else read_results_jsonl(results_file)
    if results is not None:
        check_same_run(results, estimated)
    tried = None if results is None else [result.query_name for result in results]
    found = evaluate(estimated, conditions, chosen, unit, BootstrapConfig(seed=seed), tried)

    click.echo(text_table(found.rows, unit))
    for note in [*found.failures, *found.caveats]:
        click.echo(note)
    if json_file is not None:
        write_json_atomic(json_file, evaluation_to_json(found))
    if report_dir is not None:
        records = (
            records_of_poses(estimated, found)
            if results is None
            else records_of_results(results, found)
        )
        title = f"Evaluation of {poses.name}"
        click.echo(f"report: {write_report(report_dir, ReportInput(title, records, found))}")


def _split_arguments(arguments: Sequence[str], flag_given: bool) -> tuple[list[str], list[str]]:
    """Truth files, and the thresholds that followed the first one after --thresholds."""
    from hloc_lite.evaluation.thresholds import is_threshold

    more = [a for a in arguments if flag_given and is_threshold(a) and not Path(a).exists()]
    files = [argument for argument in arguments if argument not in more]
    if not files:
        raise HlocLiteError("expected at least one file of true poses after the estimated ones")
    return files, more
