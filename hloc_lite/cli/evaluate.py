"""``hloc-lite evaluate``: scores estimated poses against ground truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hloc_lite.cli.options import OutputFile, say, say_block
from hloc_lite.cli.scoring_options import scoring_options
from hloc_lite.errors import HlocLiteError

if TYPE_CHECKING:
    from hloc_lite.evaluation.evaluate import Evaluation
    from hloc_lite.types import LocalizationResult, Rigid3


@click.command("evaluate")
@click.argument("poses", type=click.Path(path_type=Path))
@click.argument("truth", nargs=-1)
@scoring_options
@click.option(
    "--correct",
    metavar="T",
    help="Errors beyond which a given pose is wrong.  [default: 0.25,2deg; 5%,2deg with "
    "--unit-length]",
)
@click.option("--json", "json_file", type=OutputFile(), help="File for the scores, as JSON.")
@click.option(
    "--report", "report_dir", type=click.Path(path_type=Path), help="Folder for report.html."
)
@click.option(
    "--results",
    "results_file",
    type=click.Path(path_type=Path),
    help="Full results of the same run (localize --jsonl): confidences, to be scored, and "
    "reasons, inliers and times for the report.",
)
@click.option(
    "--dataset",
    "data_set",
    type=click.Choice(["mapfree", "rio10"]),
    help="In place of TRUTH: score by the protocol of this data set, which lies in --root.",
)
@click.option(
    "--root", type=click.Path(path_type=Path), metavar="DIR", help="Folder of the data set."
)
@click.option(
    "--recognition-truth",
    type=click.Path(path_type=Path),
    metavar="NPZ",
    help="In place of TRUTH: positions of queries and map images (utmQ, utmDb, posDistThr, as for "
    "Pitts30k and Nordland); POSES are then retrieved pairs.",
)
@click.option(
    "--query-names",
    type=click.Path(path_type=Path),
    help="Names of the queries, in the order of their positions in --recognition-truth.",
)
@click.option(
    "--map-names",
    type=click.Path(path_type=Path),
    help="Names of the map images, in the order of their positions in --recognition-truth.",
)
def command(
    poses: Path,
    truth: tuple[str, ...],
    thresholds: tuple[str, ...],
    unit_length: float | None,
    correct: str | None,
    by_folder: bool,
    strict: bool,
    groups: tuple[str, ...],
    seed: int,
    json_file: Path | None,
    report_dir: Path | None,
    results_file: Path | None,
    data_set: str | None,
    root: Path | None,
    recognition_truth: Path | None,
    query_names: Path | None,
    map_names: Path | None,
) -> None:
    """Score estimated POSES against one or more TRUTH files.

    The first line says how many of the given poses are wrong.

    Both list poses cam_from_world, 'name qw qx qy qz tx ty tz' per line. Each TRUTH file is a
    condition, a row of the table, named after the file (night for gt_night.txt) or as in
    night=FILE. A true pose without an estimate counts as a failure. Recalls and medians have 95 %
    bootstrap intervals.

    With --dataset mapfree, POSES is a submission (zip): precision and AUC by pose and by VCRE. With
    --dataset rio10 it is a submission or a poses file: DCRE. With --recognition-truth, POSES are
    pairs of a query and a map image, the most similar first: recall of place recognition.
    """
    others: list[object] = [*truth, thresholds, unit_length, correct, groups, strict, by_folder]
    others += [json_file, report_dir, results_file]
    if any([data_set, root, recognition_truth, query_names, map_names]):
        from hloc_lite.cli.evaluate_protocols import score_by_protocol, score_recognition

        if data_set or root:
            score_by_protocol(
                poses, data_set, root, [*others, recognition_truth, query_names, map_names]
            )
        else:
            score_recognition(poses, recognition_truth, (query_names, map_names), others)
        return
    from hloc_lite.evaluation.conditions import (
        group_by_first_folder,
        parse_groups,
        read_conditions,
    )
    from hloc_lite.evaluation.evaluate import evaluate
    from hloc_lite.evaluation.metrics import BootstrapConfig, merge_conditions
    from hloc_lite.evaluation.records import (
        check_same_run,
        confidences_of,
        fallbacks_of,
        promises_of,
    )
    from hloc_lite.evaluation.tables import confidence_lines, evaluation_to_json, text_table
    from hloc_lite.evaluation.thresholds import (
        MAP_UNITS,
        WITHOUT_UNIT,
        DistanceUnit,
        correct_within,
        parse_thresholds,
        percent_of,
        states_metres,
        strict_thresholds,
    )
    from hloc_lite.formats.pseudo_truth import read_pseudo_truth_estimates
    from hloc_lite.io.files import write_json_atomic
    from hloc_lite.io.results import read_results_jsonl

    truth_files, trailing = _split_arguments(truth, bool(thresholds))
    given = [*thresholds, *trailing]
    limits = parse_thresholds(given or [WITHOUT_UNIT], unit_length)
    _check_outputs(poses, truth_files, json_file, report_dir, results_file)
    unit = DistanceUnit() if states_metres(given) else MAP_UNITS
    unit = unit if unit_length is None else percent_of(unit_length)
    is_correct = correct_within(unit, correct)
    if strict:
        (is_correct,) = strict_thresholds([is_correct])
    conditions = read_conditions(truth_files)
    if by_folder:
        conditions = group_by_first_folder(merge_conditions(conditions))
    estimated = read_pseudo_truth_estimates(poses)
    results = None if results_file is None else read_results_jsonl(results_file)
    if results is not None:
        check_same_run(results, estimated)
    names = None if results is None else [result.query_name for result in results]
    confidences = None if results is None else confidences_of(results)
    evaluation = evaluate(
        estimated,
        conditions,
        limits,
        unit,
        BootstrapConfig(seed=seed),
        names,
        confidences,
        is_correct,
        () if results is None else fallbacks_of(results),
        groups=parse_groups(groups, conditions),
        strict=strict,
    )
    counted = evaluation.given_but_wrong
    say(f"{counted} ({counted.definition})")
    say_block(text_table(evaluation.rows, unit, is_correct))
    promises = [] if results is None else promises_of(results)
    notes = [*confidence_lines(evaluation.answers), *promises]
    for note in [*notes, *evaluation.failures, *evaluation.caveats]:
        say(note)
    if json_file is not None:
        write_json_atomic(json_file, evaluation_to_json(evaluation))
    if report_dir is not None:
        title = f"Evaluation of {poses.name}"
        _write_report(report_dir, title, estimated, results, evaluation)


def _write_report(
    report_dir: Path,
    title: str,
    estimated: Mapping[str, Rigid3],
    results: Sequence[LocalizationResult] | None,
    evaluation: Evaluation,
) -> None:
    from hloc_lite.evaluation.records import records_from_poses, records_from_results
    from hloc_lite.evaluation.report import write_report
    from hloc_lite.evaluation.report_input import ReportInput
    from hloc_lite.io.versions import software_versions

    if results is None:
        records = records_from_poses(estimated, evaluation)
    else:
        records = records_from_results(results, evaluation)
    report = ReportInput(title, records, evaluation, versions=software_versions())
    say(f"report: {write_report(report_dir, report)}")


def _split_arguments(arguments: Sequence[str], has_thresholds: bool) -> tuple[list[str], list[str]]:
    """Separate ground-truth files from further thresholds, which click takes for arguments."""
    from hloc_lite.evaluation.thresholds import is_threshold

    more = [a for a in arguments if has_thresholds and is_threshold(a) and not Path(a).exists()]
    files = [argument for argument in arguments if argument not in more]
    if not files:
        raise HlocLiteError("expected at least one file of true poses (TRUTH) after POSES")
    return files, more


def _check_outputs(
    poses: Path,
    truth_files: Sequence[str],
    json_file: Path | None,
    report_dir: Path | None,
    results_file: Path | None,
) -> None:
    """Check before any work that the outputs can be written and overwrite no input."""
    from hloc_lite.evaluation.conditions import parse_condition_file
    from hloc_lite.evaluation.report import report_file, require_report_extra
    from hloc_lite.io.outputs import check_not_read, check_writable

    inputs = [poses, *(parse_condition_file(file)[1] for file in truth_files)]
    inputs += [] if results_file is None else [results_file]
    outputs = [] if json_file is None else [json_file]
    if report_dir is not None:
        require_report_extra()
        outputs.append(report_file(report_dir))
    for output in outputs:
        check_writable(output)
    check_not_read(outputs, inputs)
