"""Query expansion, and the same on the database: descriptors averaged with those found by them.

AQE: Chum et al., ICCV 2007. AQE with decay: Gordo et al., ECCV 2020. Alpha-QE: Radenovic et al.,
TPAMI 2018. Database augmentation: Turcot and Lowe, 2009; Arandjelovic and Zisserman, CVPR 2012.
"""

from __future__ import annotations

from enum import StrEnum

import numpy as np

from hloc_lite.errors import ShapeError
from hloc_lite.retrieval.aggregation import l2_normalized
from hloc_lite.types import Float32, Int64

QUERIES_PER_CHUNK = 1024
"""Rows that are searched at a time."""


class Expansion(StrEnum):
    """Weights of the found descriptors, ordered by similarity."""

    AVERAGE = "aqe"
    """1 each."""
    DECAY = "aqewd"
    """(k - i) / k for the i-th of k, from 0."""
    ALPHA = "alpha-qe"
    """Similarity to the power alpha; negative similarities count as 0."""


def nearest_neighbours(queries: Float32, database: Float32, count: int) -> tuple[Int64, Float32]:
    """(Q, k) rows of the most similar descriptors, and their cosines, descending.

    Args:
        queries: (Q, D) unit rows.
        database: (M, D) unit rows.
        count: k; at most M are found.

    Raises:
        ShapeError: D differs.
    """
    import faiss

    if queries.ndim != 2 or database.ndim != 2 or queries.shape[1] != database.shape[1]:
        raise ShapeError(
            f"queries {queries.shape} and database {database.shape} need the same dimension"
        )
    index = faiss.IndexFlatIP(database.shape[1])
    index.add(np.ascontiguousarray(database, np.float32))
    similarities, rows = index.search(
        np.ascontiguousarray(queries, np.float32), min(count, len(database))
    )
    return rows, similarities


def expand(
    queries: Float32, found: Float32, similarities: Float32, kind: Expansion, alpha: float = 3.0
) -> Float32:
    """(Q, D) unit sums q + sum_i w_i d_i.

    Args:
        queries: (Q, D) unit rows.
        found: (Q, k, D) descriptors of the k best images of each query, the best first.
        similarities: (Q, k) cosines.
        kind: the weights w.
        alpha: power of ``Expansion.ALPHA``; 3 was tuned by its authors.
    """
    count = similarities.shape[1]
    weights = np.ones_like(similarities)
    if kind is Expansion.DECAY:
        weights[:] = (count - np.arange(count)) / count
    elif kind is Expansion.ALPHA:
        weights = np.maximum(similarities, 0) ** np.float32(alpha)
    return l2_normalized(queries + np.einsum("qk,qkd->qd", weights, found))


def expand_queries(
    queries: Float32,
    database: Float32,
    count: int,
    kind: Expansion = Expansion.ALPHA,
    alpha: float = 3.0,
) -> Float32:
    """(Q, D) unit queries, each averaged with its ``count`` best images of the database."""
    rows, similarities = nearest_neighbours(queries, database, count)
    return expand(queries, database[rows], similarities, kind, alpha)


def augment_database(
    database: Float32, count: int, kind: Expansion = Expansion.ALPHA, alpha: float = 3.0
) -> Float32:
    """(M, D) unit rows, each averaged with its ``count`` nearest others, once for all queries."""
    augmented = np.empty_like(database)
    for start in range(0, len(database), QUERIES_PER_CHUNK):
        own = np.arange(start, min(start + QUERIES_PER_CHUNK, len(database)))
        rows, similarities = nearest_neighbours(database[own], database, count + 1)
        others = np.array(
            [_without(row, int(self_row)) for row, self_row in zip(rows, own, strict=True)]
        )
        chosen = np.take_along_axis(rows, others, axis=1)
        cosines = np.take_along_axis(similarities, others, axis=1)
        augmented[own] = expand(database[own], database[chosen], cosines, kind, alpha)
    return augmented


def _without(row: Int64, own: int) -> Int64:
    """Columns of a row of neighbours without the image itself; without the last if it is absent."""
    columns = np.flatnonzero(row != own)
    return columns[: len(row) - 1]
