"""Inverted file with product-quantized residuals (Jegou et al., TPAMI 2011), by FAISS.

Everything that is stored is a plain array, never a FAISS file, whose reader trusts its bytes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from hloc_lite.errors import ShapeError
from hloc_lite.types import Float32, Int64, UInt8, freeze_field

BITS = 8
"""Bits of each part of a code: a byte."""
LISTS_PER_ROOT = 4
"""Inverted lists over the square root of the vectors: search then costs lists and codes alike."""
SAMPLES_PER_LIST = 40
"""Training vectors of each list, FAISS's least; more change the recall by less than its noise."""
ITERATIONS = 10
ROWS_PER_CHUNK = 16384
"""Vectors that are encoded at a time: 34 MB at 512 dimensions."""
DIMENSIONS_PER_CODE = 8
"""Dimensions that one byte stands for: 64 bytes for 512-D, of which re-ranking makes exact ones."""


@dataclass(frozen=True, eq=False)
class CodeBook:
    """Learned cells and codes."""

    centroids: Float32
    """(K, D) centres of the inverted lists."""
    codewords: Float32
    """(M, 256, D / M) codewords of the parts of a residual."""

    def __post_init__(self) -> None:
        freeze_field(self, "centroids", np.float32, None, None)
        freeze_field(self, "codewords", np.float32, None, 1 << BITS, None)
        parts, _, width = self.codewords.shape
        if parts * width != self.dim:
            raise ShapeError(f"{parts} parts of {width} do not make {self.dim} dimensions")

    @property
    def dim(self) -> int:
        """D."""
        return int(self.centroids.shape[1])

    @property
    def code_bytes(self) -> int:
        """M, bytes of a code."""
        return len(self.codewords)


def num_lists(num_vectors: int) -> int:
    """Inverted lists for that many vectors: a power of two near four times the square root."""
    return int(2 ** max(0, round(math.log2(LISTS_PER_ROOT * math.sqrt(max(1, num_vectors))))))


def learn_code_book(sample: Float32, lists: int, seed: int) -> CodeBook:
    """Cells and codes of a (N, D) sample of unit vectors.

    Args:
        sample: at least 256 vectors, better ``SAMPLES_PER_LIST`` for each list.
        lists: number of inverted lists.

    Raises:
        ShapeError: fewer vectors than codewords, or than lists.
    """
    import faiss

    count, dim = sample.shape
    if count < max(lists, 1 << BITS):
        raise ShapeError(f"{count} vectors cannot teach {lists} lists and {1 << BITS} codewords")
    sample = np.ascontiguousarray(sample, np.float32)
    clustering = faiss.Kmeans(
        dim, lists, niter=ITERATIONS, seed=seed, min_points_per_centroid=1,
        max_points_per_centroid=-(-count // lists),
    )  # fmt: skip
    clustering.train(sample)
    centroids = np.asarray(clustering.centroids, np.float32).reshape(lists, dim)
    residuals = sample - centroids[_nearest(centroids, sample)]
    quantizer = faiss.ProductQuantizer(dim, _num_parts(dim), BITS)
    quantizer.cp.seed = seed
    quantizer.train(residuals)
    words = faiss.vector_to_array(quantizer.centroids).reshape(quantizer.M, 1 << BITS, -1)
    return CodeBook(centroids, words)


def encode(book: CodeBook, vectors: Float32) -> tuple[Int64, UInt8]:
    """(N,) inverted list and (N, M) code of each (N, D) vector."""
    lists = np.empty(len(vectors), np.int64)
    codes = np.empty((len(vectors), book.code_bytes), np.uint8)
    quantizer = _quantizer(book)
    for start in range(0, len(vectors), ROWS_PER_CHUNK):
        chunk = slice(start, start + ROWS_PER_CHUNK)
        some = np.ascontiguousarray(vectors[chunk], np.float32)
        lists[chunk] = _nearest(book.centroids, some)
        codes[chunk] = quantizer.compute_codes(some - book.centroids[lists[chunk]])
    return lists, codes


class CodeSearch:
    """Search over codes in memory.

    Args:
        book: cells and codes.
    """

    def __init__(self, book: CodeBook) -> None:
        import faiss

        self._book = book
        self._coarse = faiss.IndexFlatL2(book.dim)
        self._coarse.add(book.centroids)
        self._index = faiss.IndexIVFPQ(
            self._coarse, book.dim, len(book.centroids), book.code_bytes, BITS
        )
        faiss.copy_array_to_vector(book.codewords.ravel(), self._index.pq.centroids)
        self._index.is_trained = True
        self._index.precompute_table()

    def add(self, lists: Int64, codes: UInt8, numbers: Int64) -> None:
        """Add (N,) lists and (N, M) codes of vectors with the given (N,) numbers."""
        import faiss

        order = np.argsort(lists, kind="stable")
        codes, numbers = np.ascontiguousarray(codes[order]), np.ascontiguousarray(numbers[order])
        inverted = self._index.invlists
        assert inverted is not None  # FAISS makes them with the index
        present, starts = np.unique(lists[order], return_index=True)
        for cell, start, end in zip(present, starts, [*starts[1:], len(order)], strict=True):
            inverted.add_entries(
                int(cell), int(end - start), faiss.swig_ptr(numbers[start:end]),
                faiss.swig_ptr(codes[start:end]),
            )  # fmt: skip
        self._index.ntotal += len(order)

    def nearest(
        self, queries: Float32, count: int, probes: int, removed: Int64 | None = None
    ) -> Int64:
        """(Q, count) numbers of the nearest codes; -1 where there are no more.

        Args:
            queries: (Q, D).
            probes: inverted lists that are looked through.
            removed: numbers that are never found.
        """
        import faiss

        selector: Any = None
        if removed is not None and len(removed):
            selector = faiss.IDSelectorNot(faiss.IDSelectorBatch(removed))
        parameters = faiss.SearchParametersIVF(  # type: ignore[call-arg]
            nprobe=min(probes, len(self._book.centroids)), sel=selector
        )
        _, found = self._index.search(
            np.ascontiguousarray(queries, np.float32), count, params=parameters
        )
        return np.asarray(found, np.int64)


def _num_parts(dim: int) -> int:
    """Parts of a code: of 8 dimensions if that divides them, else of the next lower divisor."""
    width = next(w for w in range(min(DIMENSIONS_PER_CODE, dim), 0, -1) if dim % w == 0)
    return dim // width


def _quantizer(book: CodeBook) -> Any:
    import faiss

    quantizer = faiss.ProductQuantizer(book.dim, book.code_bytes, BITS)
    faiss.copy_array_to_vector(book.codewords.ravel(), quantizer.centroids)
    return quantizer


def _nearest(centroids: Float32, vectors: Float32) -> Int64:
    """(N,) index of the nearest centroid."""
    import faiss

    index = faiss.IndexFlatL2(centroids.shape[1])
    index.add(np.ascontiguousarray(centroids))
    return np.asarray(index.search(np.ascontiguousarray(vectors), 1)[1][:, 0], np.int64)
