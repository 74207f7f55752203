"""``hloc-lite submission``: writes poses as a benchmark wants them, and checks such files."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hloc_lite.cli.options import OutputFile, say
from hloc_lite.display import printable
from hloc_lite.errors import counted

if TYPE_CHECKING:
    from hloc_lite.formats.submissions.findings import Finding

_dataset = click.option(
    "--dataset",
    "name",
    required=True,
    help="Name of the data set (`hloc-lite dataset list`).",
)


@click.group("submission")
def command() -> None:
    """Write and check submissions to benchmarks."""


@command.command("write")
@click.argument("poses", type=click.Path(path_type=Path))
@_dataset
@click.option("-o", "--output", type=OutputFile(), required=True, help="File.")
@click.option(
    "--confidences",
    type=click.Path(path_type=Path),
    help="Full results of the run (localize --jsonl), for benchmarks that score confidences.",
)
@click.option(
    "--description", default="hloc_lite", show_default=True, help="Text about the method."
)
def write(poses: Path, name: str, output: Path, confidences: Path | None, description: str) -> None:
    """Write POSES (lines 'name qw qx qy qz tx ty tz', world to camera) as a benchmark wants them.

    The names are paths of the query images; they are shortened as the benchmark does.
    """
    from hloc_lite.evaluation.records import confidences_of
    from hloc_lite.formats.hloc_lists import read_poses
    from hloc_lite.formats.submissions.forms import submission_form
    from hloc_lite.formats.submissions.writer import write_submission
    from hloc_lite.io.outputs import check_not_read, check_writable
    from hloc_lite.io.results import read_results_jsonl

    form = submission_form(name)
    check_writable(output)
    check_not_read([output], [poses])
    known = None
    if confidences is not None and form.has_confidence:
        known = confidences_of(read_results_jsonl(confidences))
    written = write_submission(
        read_poses(poses), form, output, confidences=known, description=description
    )
    say(f"{written.path}: {written.num_written} poses")
    if written.left_out:
        first = printable(written.left_out[0])
        say(f"left out, not finite: {len(written.left_out)}, first {first}")


@command.command("check")
@click.argument("file", type=click.Path(path_type=Path))
@_dataset
@click.option(
    "--queries",
    "query_lists",
    type=click.Path(path_type=Path),
    multiple=True,
    help="Lists of all queries (with or without intrinsics): missing and unknown names are found. "
    "May be given several times.",
)
@click.option(
    "--map",
    "map_folder",
    type=click.Path(path_type=Path),
    help="Map or COLMAP model in the benchmark's world: inverted poses, centres instead of "
    "translations and quaternions in another order are found.",
)
def check(file: Path, name: str, query_lists: tuple[Path, ...], map_folder: Path | None) -> None:
    """Check the submission FILE before it is uploaded.

    The exit code is 1 if there is an error, 0 if there are remarks only.
    """
    from hloc_lite.cli.references import read_model_or_map
    from hloc_lite.formats.submissions.check import check_submission
    from hloc_lite.formats.submissions.forms import submission_form

    expected = _listed_names(query_lists) if query_lists else None
    model = None if map_folder is None else read_model_or_map(map_folder)
    findings = check_submission(
        file, submission_form(name), expected_names=expected, map_model=model
    )
    if print_findings(findings):
        sys.exit(1)


def print_findings(findings: Sequence[Finding]) -> bool:
    """Print what was found in a submission; True if there is an error."""
    from hloc_lite.formats.submissions.findings import Severity

    for finding in findings:
        say(str(finding))
    errors = sum(finding.severity is Severity.ERROR for finding in findings)
    remarks = len(findings) - errors
    say(f"submission: {counted(errors, 'error')}, {counted(remarks, 'remark')}")
    return errors > 0


def _listed_names(files: Sequence[Path]) -> list[str]:
    """Names in lists of queries, with or without intrinsics."""
    from hloc_lite.errors import FormatError
    from hloc_lite.formats.hloc_lists import read_image_list, read_queries

    names: dict[str, None] = {}
    for file in files:
        try:
            names |= dict.fromkeys(read_queries(file))
        except FormatError:
            names |= dict.fromkeys(read_image_list(file))
    return list(names)
