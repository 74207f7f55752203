"""hloc's ``pairs_from_retrieval``: the images with the most similar global descriptors."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from hloc_lite.compat.hloc.command_line import run
from hloc_lite.compat.hloc.inputs import ImageList, Prefix, model_of, select_names
from hloc_lite.compat.hloc.outputs import write_pairs
from hloc_lite.errors import FormatError
from hloc_lite.formats.hloc.global_descriptors import read_global_descriptors
from hloc_lite.retrieval.index import RetrievalIndex
from hloc_lite.types import Float32

logger = logging.getLogger(__name__)


def main(
    descriptors: Path | str,
    output: Path | str,
    num_matched: int,
    query_prefix: Prefix | None = None,
    query_list: ImageList | None = None,
    db_prefix: Prefix | None = None,
    db_list: ImageList | None = None,
    db_model: Path | str | None = None,
    db_descriptors: Path | str | Sequence[Path | str] | None = None,
) -> None:
    """Write the most similar reference images of each query, best first.

    An image is never paired with itself, nor with one of negative similarity.

    Args:
        descriptors: file with the global descriptors of the queries.
        output: list to write.
        num_matched: number of reference images of a query; fewer if there are not as many.
        query_prefix: beginning of the names of the queries.
        query_list: their names, or a file of names.
        db_prefix: beginning of the names of the reference images.
        db_list: their names, or a file of names.
        db_model: model whose images are the references.
        db_descriptors: one or several files with their descriptors; None for the same file.

    Raises:
        ConfigError: no query or reference is left.
        FormatError: files of descriptors that cannot be compared.
    """
    names, rows = _read([descriptors])
    others = descriptors if db_descriptors is None else db_descriptors
    files = [others] if isinstance(others, str | Path) else list(others)
    db_names, db_rows = _read(files)
    queries = select_names(names, query_prefix, query_list)
    if db_model is not None:
        db_list = [image.name for image in model_of(db_model).images]
    references = select_names(db_names, db_prefix, db_list)
    if rows.shape[1] != db_rows.shape[1]:
        raise FormatError(
            f"descriptors of {rows.shape[1]} and {db_rows.shape[1]} dimensions cannot be compared"
        )
    index = RetrievalIndex(references, _rows_of(references, db_names, db_rows))
    hits = index.search(_rows_of(queries, names, rows), num_matched, exclude=queries)
    pairs = [
        (query, name)
        for query, hit in zip(queries, hits, strict=True)
        for name, similarity in zip(hit.names, hit.similarities, strict=True)
        if similarity >= 0
    ]
    logger.info("%d pairs of %d queries", len(pairs), len(queries))
    write_pairs(Path(output), pairs)


def _read(files: Sequence[Path | str]) -> tuple[list[str], Float32]:
    """Names and unit rows of all files; the last one of a name counts."""
    found = {
        name: row
        for file in files
        for name, row in zip(*read_global_descriptors(Path(file)), strict=True)
    }
    if len({row.shape for row in found.values()}) > 1:
        raise FormatError(f"the descriptors of {', '.join(map(str, files))} differ in dimension")
    rows = np.stack([*found.values()])
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return list(found), rows / np.maximum(lengths, np.finfo(np.float32).tiny)


def _rows_of(wanted: Sequence[str], names: Sequence[str], rows: Float32) -> Float32:
    row_of = {name: row for row, name in enumerate(names)}
    return rows[[row_of[name] for name in wanted]]


def _command_line(
    descriptors: Path,
    output: Path,
    num_matched: float = 0,
    query_prefix: str | None = None,
    query_list: Path | None = None,
    db_prefix: str | None = None,
    db_list: Path | None = None,
    db_model: Path | None = None,
) -> None:
    """Write the most similar reference images of each query."""
    main(
        descriptors, output, int(num_matched), query_prefix, query_list, db_prefix, db_list,
        db_model,
    )  # fmt: skip


if __name__ == "__main__":
    run(
        _command_line, "descriptors output", optional="query_list db_list db_model",
        numbers="num_matched", texts="query_prefix db_prefix",
    )  # fmt: skip
