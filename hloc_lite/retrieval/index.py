"""Exact search for the most similar map images with FAISS; ties are ordered by name."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

from hloc_lite.errors import ShapeError
from hloc_lite.types import Float32, Int64, RetrievalHits

QUERIES_PER_CHUNK = 256
"""Queries per chunk: memory never holds queries x images."""
ROUNDING = 1e-5
"""Upper limit of the rounding error of FAISS's float32 cosines."""


class RetrievalIndex:
    """Cosine search over (M, D) unit descriptors with unique names."""

    def __init__(self, names: Sequence[str], descriptors: Float32) -> None:
        """Build the index.

        Raises:
            ShapeError: names and descriptors differ in number, or a name occurs twice.
        """
        import faiss

        if np.ndim(descriptors) != 2 or len(names) != len(descriptors):
            raise ShapeError(
                f"{len(names)} names need as many descriptors, got shape {np.shape(descriptors)}"
            )
        order = sorted(range(len(names)), key=names.__getitem__)
        self.names = tuple(names[row] for row in order)  # in name order, so that rows break ties
        if len(set(self.names)) != len(names):
            raise ShapeError("the names of an index must be unique; one occurs twice")
        self._rows = {name: row for row, name in enumerate(self.names)}
        self._descriptors = np.ascontiguousarray(np.asarray(descriptors, np.float32)[order])
        self._faiss = faiss.IndexFlatIP(self._descriptors.shape[1])
        self._faiss.add(self._descriptors)

    def search(
        self,
        queries: Float32,
        k: int,
        exclude: Sequence[str | None] | None = None,
        allowed: Collection[str] | None = None,
    ) -> list[RetrievalHits]:
        """The k most similar images of each query, best first, ties by name.

        Args:
            queries: (Q, D) unit rows.
            k: number of images; fewer are returned if the index has fewer.
            exclude: (Q,) an image per query that is not returned, such as the query itself; None,
                or a name that is not in the index, excludes nothing.
            allowed: names to search; None for all.

        Raises:
            ShapeError: D differs from that of the index, or the number of ``exclude`` from Q.
        """
        queries = np.ascontiguousarray(queries, np.float32)
        if queries.ndim != 2 or queries.shape[1] != self._descriptors.shape[1]:
            raise ShapeError(
                f"queries: expected shape (any, {self._descriptors.shape[1]}), got "
                f"{queries.shape}; describe map and queries with the same retrieval"
            )
        excluded = [None] * len(queries) if exclude is None else list(exclude)
        if len(excluded) != len(queries):
            raise ShapeError(f"exclude: {len(excluded)} names for {len(queries)} queries")
        rows = self._allowed_rows(allowed)
        hits: list[RetrievalHits] = []
        for start in range(0, len(queries), QUERIES_PER_CHUNK):
            chunk = slice(start, start + QUERIES_PER_CHUNK)
            hits += self._search_chunk(queries[chunk], k, excluded[chunk], rows)
        return hits

    def _allowed_rows(self, allowed: Collection[str] | None) -> Int64:
        if allowed is None:
            return np.arange(len(self.names))
        known = (self._rows[name] for name in allowed if name in self._rows)
        return np.unique(np.fromiter(known, np.int64))

    def _search_chunk(
        self, queries: Float32, k: int, excluded: Sequence[str | None], rows: Int64
    ) -> list[RetrievalHits]:
        """One FAISS search; queries with a tie at the end of their list are searched further."""
        num_candidates = min(k + 2, len(rows))  # one may be excluded, one shows the next similarity
        candidates, similarities = self._candidates(queries, num_candidates, rows)
        hits = []
        for query, name, candidate, similarity in zip(
            queries, excluded, candidates, similarities, strict=True
        ):
            depth = num_candidates
            while depth < len(rows) and similarity[-1] > similarity[_last(k, depth)] - ROUNDING:
                depth = min(2 * depth, len(rows))
                (candidate,), (similarity,) = self._candidates(query[None], depth, rows)
            hits.append(self._rank(query, k, candidate, name))
        return hits

    def _candidates(self, queries: Float32, count: int, rows: Int64) -> tuple[Int64, Float32]:
        """(Q, count) rows and their similarities, descending; ties in any order."""
        import faiss

        if count == 0:
            return np.zeros((len(queries), 0), np.int64), np.zeros((len(queries), 0), np.float32)
        parameters: Any = None
        if len(rows) < len(self.names):
            selector = faiss.IDSelectorBatch(rows)
            parameters = faiss.SearchParameters(sel=selector)  # type: ignore[call-arg]
        similarities, found = self._faiss.search(queries, count, params=parameters)
        return found, similarities

    def _rank(
        self, query: Float32, k: int, candidates: Int64, excluded: str | None
    ) -> RetrievalHits:
        """The k best candidates with similarities recomputed in float64.

        The last bits of FAISS's depend on the other queries; equal descriptors must get equal ones.
        """
        found = candidates >= 0  # FAISS pads with -1 if similarities are NaN
        found &= candidates != self._rows.get(excluded or "", -1)
        candidates = np.sort(candidates[found])
        products = self._descriptors[candidates].astype(np.float64) * query
        similarities = products.sum(axis=1).astype(np.float32)
        best = np.argsort(-similarities, kind="stable")[:k]
        names = tuple(self.names[row] for row in candidates[best])
        return RetrievalHits(names, similarities[best])


def _last(k: int, depth: int) -> int:
    """Largest rank of the k-th hit if one candidate is excluded."""
    return min(k, depth - 1)
