"""``hloc-lite retrieval``: image retrieval by itself, without poses."""

from __future__ import annotations

from pathlib import Path

import click

from hloc_lite.cli.options import OutputFile, say, say_block


@click.group("retrieval")
def command() -> None:
    """Evaluate image retrieval."""


@command.command("evaluate")
@click.argument("rankings", type=click.Path(path_type=Path))
@click.option(
    "--protocol",
    required=True,
    metavar="NAME",
    help="Protocol of a data set, such as roxford5k, pitts30k or msls. A wrong NAME lists all.",
)
@click.option(
    "--truth",
    type=click.Path(path_type=Path),
    required=True,
    metavar="PATH",
    help="File or folder of the truth, as the protocol wants it.",
)
@click.option(
    "--query-names",
    type=click.Path(path_type=Path),
    help="Names of the queries, for truths that have only their positions (.npz), and for "
    "'covisible'.",
)
@click.option(
    "--map-names",
    type=click.Path(path_type=Path),
    help="Names of the map images, in the order of their positions (.npz).",
)
@click.option(
    "--min-shared",
    type=click.IntRange(min=1),
    help="Landmarks that a right map image shares with the query, for 'covisible'.  [default: 15]",
)
@click.option("--json", "json_file", type=OutputFile(), help="File for the scores, as JSON.")
def evaluate(
    rankings: Path,
    protocol: str,
    truth: Path,
    query_names: Path | None,
    map_names: Path | None,
    min_shared: int | None,
    json_file: Path | None,
) -> None:
    """Score RANKINGS of database images by the protocol of a data set.

    RANKINGS has lines 'query image', the most similar image of a query first: the pairs file of
    hloc. It may also have one line per query ('query image image ...'), or be a CSV file with the
    columns id and images, or query, image and score, or an NPZ file with queries, images and
    ranking.
    """
    from hloc_lite.cli.options import validate_section
    from hloc_lite.errors import HlocLiteError
    from hloc_lite.evaluation.retrieval.covisible import CovisibilityConfig
    from hloc_lite.evaluation.retrieval.protocol_scores import score_file
    from hloc_lite.evaluation.retrieval.truth_files import TruthFiles
    from hloc_lite.evaluation.table_text import plain_table
    from hloc_lite.io.files import write_json_atomic
    from hloc_lite.io.outputs import check_not_read, check_writable

    if min_shared is not None and protocol != "covisible":
        raise HlocLiteError("--min-shared is for --protocol covisible only")
    names = [path for path in (query_names, map_names) if path is not None]
    if json_file is not None:
        check_writable(json_file)
        check_not_read([json_file], [rankings, truth, *names])
    values = {} if min_shared is None else {"min_shared": min_shared}
    config = validate_section(CovisibilityConfig, values)
    files = TruthFiles(truth, query_names, map_names, config)
    report = score_file(protocol, rankings, files)
    say_block(plain_table(report.table()))
    for note in report.notes:
        say(note)
    if json_file is not None:
        write_json_atomic(json_file, report.to_json())
