"""``hloc-lite compare``: compares results of several methods on the same queries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hloc_lite.cli.scoring_options import scoring_options
from hloc_lite.errors import HlocLiteError

if TYPE_CHECKING:
    from hloc_lite.evaluation.evaluate import Evaluation
    from hloc_lite.evaluation.paired import Comparison
    from hloc_lite.evaluation.table_text import TextTable
    from hloc_lite.evaluation.thresholds import DistanceUnit, Threshold


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
    help="Number of queries to list, at each threshold, that only one of two results solves.",
)
@click.option(
    "--markdown", "markdown_file", type=click.Path(path_type=Path), help="File for the tables."
)
@click.option(
    "--latex",
    "latex_file",
    type=click.Path(path_type=Path),
    help="File for the tables, in LaTeX with the package booktabs.",
)
@click.option(
    "--json", "json_file", type=click.Path(path_type=Path), help="File for all of it, as JSON."
)
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
) -> None:
    """Compare two or more RESULTS files on the same true poses.

    Both list poses cam_from_world, 'name qw qx qy qz tx ty tz' per line. RESULTS are named after
    their files, or as in NAME=FILE. For every pair of them and every threshold: the queries that
    both, one or none solve, and McNemar's exact test of whether they differ by more than chance.
    Differences of recalls and of medians have 95 % paired bootstrap intervals.
    """
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
    _check_outputs(list(files.values()), truth, outputs)
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
            click.echo(f"{method}: {note}")
    if len(comparisons) > 1:
        num = sum(len(row.recalls) for each in comparisons for row in each.rows.values())
        click.echo(f"p values are those of single tests, not corrected for {num} of them")
    if markdown_file is not None:
        write_text_atomic(markdown_file, "\n".join(map(markdown_table, tables)))
    if latex_file is not None:
        write_text_atomic(latex_file, "\n".join(map(latex_table, tables)))
    if json_file is not None:
        write_json_atomic(json_file, comparisons_to_json(comparisons, unit))


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

    click.echo(plain_table(tables[0]))
    for i, comparison in enumerate(comparisons):
        for table in tables[1 + 2 * i : 3 + 2 * i]:
            click.echo(f"\n{plain_table(table)}")
        for line in flip_lines(comparison, unit, flips):
            click.echo(line)


def _result_files(
    arguments: Sequence[str], has_thresholds: bool
) -> tuple[dict[str, Path], list[str]]:
    """Separate result files, by name, from further thresholds, which click takes for arguments."""
    from hloc_lite.evaluation.thresholds import is_threshold

    more = [a for a in arguments if has_thresholds and is_threshold(a) and not Path(a).exists()]
    files: dict[str, Path] = {}
    for argument in (argument for argument in arguments if argument not in more):
        name, separator, path = argument.partition("=")
        if not separator or Path(argument).exists():
            name, path = Path(argument).stem, argument
        if not name or name in files:
            raise HlocLiteError(
                f"two results have the name {name!r}: name them apart, as in NAME={path}"
            )
        files[name] = Path(path)
    if len(files) < 2:
        raise HlocLiteError(f"a comparison needs at least two RESULTS files, got {len(files)}")
    return files, more


def _check_outputs(files: Sequence[Path], truth: Sequence[str], outputs: Sequence[Path]) -> None:
    """Check before any work that the outputs can be written and overwrite no input."""
    from hloc_lite.evaluation.conditions import parse_condition_file
    from hloc_lite.io.outputs import check_not_read, check_writable

    for output in outputs:
        check_writable(output)
    if len({output.absolute() for output in outputs}) < len(outputs):
        raise HlocLiteError("two outputs have the same file name")
    check_not_read(outputs, [*files, *(parse_condition_file(file)[1] for file in truth)])
