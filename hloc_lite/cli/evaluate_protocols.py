"""``hloc-lite evaluate`` by the protocol of a data set, in place of TRUTH files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hloc_lite.benchmark.protocols import score_file
from hloc_lite.cli.options import say_block
from hloc_lite.datasets.benchmarks import read_benchmark
from hloc_lite.errors import HlocLiteError
from hloc_lite.evaluation.recognition_recall import recognition_table
from hloc_lite.evaluation.table_text import plain_table
from hloc_lite.formats.hloc_lists import read_pairs
from hloc_lite.formats.vpr_truth import read_recognition_names, read_recognition_truth


def score_by_protocol(
    poses: Path, data_set: str | None, root: Path | None, others: Sequence[object]
) -> None:
    """Print the scores of Map-free or RIO10.

    Args:
        others: values of further options, which must not be given.

    Raises:
        HlocLiteError: options that do not go together; or see ``score_file``.
    """
    if data_set is None or root is None:
        raise HlocLiteError("--dataset NAME and --root DIR (its folder) are given together")
    _check_alone(f"--dataset {data_set}", others)
    say_block(plain_table(score_file(data_set, read_benchmark(data_set, root), poses)))


def score_recognition(
    pairs: Path, truth: Path | None, lists: Sequence[Path | None], others: Sequence[object]
) -> None:
    """Print the recalls of retrieved pairs against the truth of place recognition.

    Args:
        pairs: lines ``query map-image``, the best map image of a query first.
        truth: positions (.npz).
        lists: names of the queries and of the map images.
        others: values of further options, which must not be given.

    Raises:
        HlocLiteError: options that do not go together, or names that the lists do not have.
    """
    query_list, map_list = lists
    if truth is None or query_list is None or map_list is None:
        raise HlocLiteError("--recognition-truth, --query-names and --map-names are given together")
    _check_alone("--recognition-truth", others)
    known = read_recognition_truth(truth)
    queries = read_recognition_names(query_list, len(known.query_positions))
    images = read_recognition_names(map_list, len(known.map_positions))
    right = {
        query: [images[row] for row in rows]
        for query, rows in zip(queries, known.positives(), strict=True)
    }
    asked, mapped = set(queries), set(images)
    retrieved: dict[str, list[str]] = {}
    for query, image in read_pairs(pairs, [*queries, *images]):
        if query not in asked or image not in mapped:
            raise HlocLiteError(
                f"{pairs}: expected a query and a map image, in this order, got {query!r} {image!r}"
            )
        retrieved.setdefault(query, []).append(image)
    say_block(plain_table(recognition_table(retrieved, right, known.max_distance)))


def _check_alone(option: str, others: Sequence[object]) -> None:
    if any(others):
        raise HlocLiteError(
            f"{option} has its own truth and thresholds: give no TRUTH files and no other options "
            f"of the scoring"
        )
