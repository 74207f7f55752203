"""``hloc-lite compare``: compares results of several methods on the same queries."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hloc_lite.cli.options import OutputFile, runtime_options, say, say_block, trust_option
from hloc_lite.cli.scoring_options import scoring_options
from hloc_lite.errors import HlocLiteError

if TYPE_CHECKING:
    from hloc_lite.cli.compare_report import PictureInputs
    from hloc_lite.evaluation.evaluate import Evaluation
    from hloc_lite.evaluation.paired import Comparison
    from hloc_lite.evaluation.table_text import TextTable
    from hloc_lite.evaluation.thresholds import DistanceUnit, Threshold
    from hloc_lite.types import Rigid3


@click.command("compare")
@click.argument("results", nargs=-1, required=True)
@click.option(
    "--truth",
    multiple=True,
    required=True,
    metavar="[NAME=]FILE",
    help="True poses; each file is a condition, named after the file or as in night=FILE.",
)
@scoring_options
@click.option(
    "--flips",
    type=click.IntRange(min=0),
    default=5,
    show_default=True,
    help="Number of queries to list, at each threshold, that only one of two results solves. Each "
    "costs a localization for its pictures in the report.",
)
@click.option("--markdown", "markdown_file", type=OutputFile(), help="File for the tables.")
@click.option(
    "--latex",
    "latex_file",
    type=OutputFile(),
    help="File for the tables, in LaTeX with the package booktabs.",
)
@click.option("--json", "json_file", type=OutputFile(), help="File for all of it, as JSON.")
@click.option(
    "--report",
    "report_dir",
    type=click.Path(path_type=Path),
    help="Folder for report.html, with pictures of the listed queries.",
)
@click.option(
    "--images", type=click.Path(path_type=Path), help="Folder of the query images, for pictures."
)
@click.option(
    "--queries",
    "query_lists",
    type=click.Path(path_type=Path),
    multiple=True,
    help="Query list with intrinsics, as for `hloc-lite localize`.",
)
@click.option(
    "--map",
    "maps",
    multiple=True,
    metavar="[NAME=]MAP",
    help="Map in which the matches of the pictures are found: one for all results, or as in "
    "NAME=MAP for the results NAME.",
)
@click.option(
    "--map-images",
    type=click.Path(path_type=Path),
    help="Folder of the map images.  [default: where they were when the map was built]",
)
@trust_option
@runtime_options
def command(
    results: tuple[str, ...],
    truth: tuple[str, ...],
    thresholds: tuple[str, ...],
    strict: bool,
    unit_length: float | None,
    by_folder: bool,
    groups: tuple[str, ...],
    flips: int,
    seed: int,
    markdown_file: Path | None,
    latex_file: Path | None,
    json_file: Path | None,
    report_dir: Path | None,
    images: Path | None,
    query_lists: tuple[Path, ...],
    maps: tuple[str, ...],
    map_images: Path | None,
    trust: bool,
    device: str,
    offline: bool,
) -> None:
    """Compare two or more RESULTS files on the same true poses.

    Both list poses cam_from_world, 'name qw qx qy qz tx ty tz' per line. RESULTS are named after
    their files, or as in NAME=FILE. For every pair of them and every threshold: the queries that
    both, one or none solve, and McNemar's exact test of whether they differ by more than chance.
    Differences of recalls and of medians have 95 % paired bootstrap intervals.

    Results files hold no matches. For the pictures of --report, those of the listed queries are
    found again in --map, and coloured by whether they agree with the pose in the file.
    """
    from hloc_lite.cli.compare_report import PictureInputs, check_picture_inputs
    from hloc_lite.evaluation.conditions import (
        group_by_first_folder,
        parse_groups,
        read_conditions,
    )
    from hloc_lite.evaluation.evaluate import evaluate
    from hloc_lite.evaluation.metrics import BootstrapConfig, merge_conditions
    from hloc_lite.evaluation.paired import compare_all
    from hloc_lite.evaluation.paired_tables import comparisons_to_json
    from hloc_lite.evaluation.table_text import latex_table, markdown_table
    from hloc_lite.evaluation.thresholds import (
        MAP_UNITS,
        WITHOUT_UNIT,
        DistanceUnit,
        parse_thresholds,
        percent_of,
        states_metres,
        strict_thresholds,
    )
    from hloc_lite.formats.pseudo_truth import read_pseudo_truth_estimates
    from hloc_lite.io.files import write_json_atomic, write_text_atomic

    files, trailing = _result_files(results, bool(thresholds))
    given = [*thresholds, *trailing]
    limits = parse_thresholds(given or [WITHOUT_UNIT], unit_length)
    limits = strict_thresholds(limits) if strict else limits
    outputs = [file for file in (markdown_file, latex_file, json_file) if file is not None]
    pictures = PictureInputs(images, query_lists, maps, map_images, trust, device, offline)
    check_picture_inputs(pictures, list(files), has_report=report_dir is not None)
    _check_outputs(list(files.values()), truth, outputs, report_dir)
    unit = DistanceUnit() if states_metres(given) else MAP_UNITS
    unit = unit if unit_length is None else percent_of(unit_length)
    conditions = read_conditions(truth)
    if by_folder:
        conditions = group_by_first_folder(merge_conditions(conditions))
    rows = parse_groups(groups, conditions)
    bootstrap = BootstrapConfig(seed=seed)
    estimated = {method: read_pseudo_truth_estimates(file) for method, file in files.items()}
    evaluations = {
        method: evaluate(poses, conditions, limits, unit, bootstrap, groups=rows)
        for method, poses in estimated.items()
    }
    comparisons = compare_all(evaluations, bootstrap)
    tables = _tables(evaluations, comparisons, limits, unit)
    _show(tables, comparisons, unit, flips)
    for method, evaluation in evaluations.items():
        for note in [*evaluation.failures, *evaluation.caveats]:
            say(f"{method}: {note}")
    if len(comparisons) > 1:
        num = sum(len(row.recalls) for each in comparisons for row in each.rows.values())
        say(f"p values are those of single tests, not corrected for {num} of them")
    if markdown_file is not None:
        write_text_atomic(markdown_file, "\n".join(map(markdown_table, tables)))
    if latex_file is not None:
        write_text_atomic(latex_file, "\n".join(map(latex_table, tables)))
    if json_file is not None:
        write_json_atomic(json_file, comparisons_to_json(comparisons, unit))
    if report_dir is not None:
        _write_report(report_dir, pictures, estimated, evaluations, comparisons, tables, flips)


def _write_report(
    report_dir: Path,
    inputs: PictureInputs,
    estimated: Mapping[str, Mapping[str, Rigid3]],
    evaluations: Mapping[str, Evaluation],
    comparisons: Sequence[Comparison],
    tables: Sequence[TextTable],
    flips: int,
) -> None:
    from hloc_lite.cli.compare_report import open_pictures
    from hloc_lite.evaluation.comparison_report import ComparisonReport, write_comparison_report

    first = next(iter(evaluations.values()))
    pictures = open_pictures(
        inputs, list(evaluations), [error.name for error in first.overall.errors]
    )
    true_names = {method: each.names.true_names for method, each in evaluations.items()}
    poses = {
        method: {true_names[method][n]: p for n, p in found.items() if n in true_names[method]}
        for method, found in estimated.items()
    }
    notes = [f"{method}: {each}" for method, e in evaluations.items() for each in e.caveats]
    notes += [pictures.note] if pictures.note else []
    report = ComparisonReport(
        comparisons, tables, first.unit, poses, flips, pictures.finders,
        pictures.load_query_photo, notes,
    )  # fmt: skip
    say(f"report: {write_comparison_report(report_dir, report)}")


def _tables(
    evaluations: Mapping[str, Evaluation],
    comparisons: Sequence[Comparison],
    thresholds: Sequence[Threshold],
    unit: DistanceUnit,
) -> list[TextTable]:
    """Table of the recalls of all methods, then two tables for each pair of them."""
    from hloc_lite.evaluation.paired_tables import median_table, solved_table
    from hloc_lite.evaluation.recall_table import own_row, recall_table

    rows = [own_row(method, each.rows) for method, each in evaluations.items()]
    tables = [recall_table(rows, thresholds)]
    for comparison in comparisons:
        tables += [solved_table(comparison), median_table(comparison, unit)]
    return tables


def _show(
    tables: Sequence[TextTable], comparisons: Sequence[Comparison], unit: DistanceUnit, flips: int
) -> None:
    from hloc_lite.evaluation.paired_tables import flip_lines
    from hloc_lite.evaluation.table_text import plain_table

    say_block(plain_table(tables[0]))
    for i, comparison in enumerate(comparisons):
        for table in tables[1 + 2 * i : 3 + 2 * i]:
            say_block(f"\n{plain_table(table)}")
        for line in flip_lines(comparison, unit, flips):
            say(line)


def _result_files(
    arguments: Sequence[str], has_thresholds: bool
) -> tuple[dict[str, Path], list[str]]:
    """Separate result files, by name, from further thresholds, which click takes for arguments."""
    from hloc_lite.evaluation.thresholds import is_threshold

    more = [a for a in arguments if has_thresholds and is_threshold(a) and not os.path.exists(a)]
    files: dict[str, Path] = {}
    for argument in (argument for argument in arguments if argument not in more):
        name, separator, path = argument.partition("=")
        if not separator or os.path.exists(argument):
            name, path = Path(argument).stem, argument
        if not name or name in files:
            raise HlocLiteError(
                f"two results have the name {name!r}: name them apart, as in NAME={path}"
            )
        files[name] = Path(path)
    if len(files) < 2:
        raise HlocLiteError(f"a comparison needs at least two RESULTS files, got {len(files)}")
    return files, more


def _check_outputs(
    files: Sequence[Path], truth: Sequence[str], tables: Sequence[Path], report_dir: Path | None
) -> None:
    """Check before any work that the outputs can be written and overwrite no input."""
    from hloc_lite.evaluation.conditions import parse_condition_file
    from hloc_lite.evaluation.report import report_file, require_report_extra
    from hloc_lite.io.outputs import check_not_read, check_writable

    outputs = list(tables)
    if report_dir is not None:
        require_report_extra()
        outputs.append(report_file(report_dir))
    for output in outputs:
        check_writable(output)
    if len({output.absolute() for output in outputs}) < len(outputs):
        raise HlocLiteError("two outputs have the same file name")
    check_not_read(outputs, [*files, *(parse_condition_file(file)[1] for file in truth)])
