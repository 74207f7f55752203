"""Compact encodings of descriptors: float16, int8, product codes (Jegou 2011), or signs.

Only the direction of a descriptor matters, so each row may be scaled to the range of its type.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum, auto

import numpy as np
import numpy.typing as npt

from hloc_lite.errors import ShapeError
from hloc_lite.types import Float32, UInt8, frozen_array

INT8_MAX = 127
NUM_CENTROIDS = 256
"""Centroids of each codebook: a code is one byte."""
DIMS_PER_CODE = 4
"""Descriptor dimensions that share one code."""
MAX_TRAINING_ROWS = 20000
"""Descriptors that codebooks are trained on: about 80 per centroid."""
KMEANS_ITERATIONS = 10
"""With 25 iterations training takes 2.5 times as long."""


class Coding(StrEnum):
    """Encoding of descriptors in a compact map."""

    FLOAT16 = auto()
    """Two bytes per dimension, as in full maps."""
    INT8 = auto()
    """One byte per dimension; each row is scaled to +-127."""
    PQ = auto()
    """Product codes: one byte per four dimensions, the nearest of 256 centroids."""
    BITS = auto()
    """Signs: one byte per eight dimensions; only for long global descriptors."""


@dataclass(frozen=True, eq=False)
class ProductCodes:
    """Rows of a matrix as product codes, decoded when they are indexed."""

    codes: UInt8
    """(E, S) centroid of each part."""
    codebooks: npt.NDArray[np.float16]
    """(S, 256, D / S) centroids of each part."""

    def __post_init__(self) -> None:
        parts = self.codes.shape[1] if self.codes.ndim == 2 else None
        books = frozen_array(self.codebooks, np.float16, (parts, NUM_CENTROIDS, None), "codebooks")
        object.__setattr__(self, "codebooks", books)
        if parts is None or self.codes.dtype != np.uint8:
            raise ShapeError(
                f"codes: expected (E, S) uint8, got {self.codes.dtype} {self.codes.shape}"
            )

    ndim = 2

    @property
    def shape(self) -> tuple[int, int]:
        """(E, D) of the decoded matrix."""
        return len(self.codes), self.codebooks.shape[0] * self.codebooks.shape[2]

    def __len__(self) -> int:
        return len(self.codes)

    def __getitem__(self, rows: npt.NDArray[np.integer] | slice) -> Float32:
        """(R, D) decoded rows, of about unit norm."""
        codes = self.codes[rows]
        parts = self.codebooks[np.arange(codes.shape[1]), codes]
        return parts.reshape(len(codes), self.shape[1]).astype(np.float32)


def to_int8(rows: npt.NDArray[np.floating]) -> npt.NDArray[np.int8]:
    """(E, D) rows, each scaled so that its largest absolute component is 127.

    The error of a component is at most 1/254 of the largest of its row.
    """
    largest = np.abs(rows).max(axis=1, keepdims=True, initial=0)
    scaled = np.rint(rows * (INT8_MAX / np.maximum(largest, 1e-12)))
    return scaled.astype(np.int8)


def to_product_codes(rows: Float32, seed: int = 0) -> ProductCodes:
    """Encode (E, D) unit rows with codebooks that FAISS trains on them.

    Raises:
        ShapeError: D is not a multiple of ``DIMS_PER_CODE``.
    """
    if rows.shape[1] % DIMS_PER_CODE:
        raise ShapeError(
            f"product codes need descriptors whose dimension is a multiple of {DIMS_PER_CODE}, got "
            f"{rows.shape[1]}; use int8"
        )
    import faiss

    parts = rows.shape[1] // DIMS_PER_CODE
    quantizer = faiss.ProductQuantizer(rows.shape[1], parts, 8)
    quantizer.cp.seed, quantizer.cp.niter = seed, KMEANS_ITERATIONS
    quantizer.cp.min_points_per_centroid = 1
    sample = np.sort(np.random.default_rng(seed).permutation(len(rows))[:MAX_TRAINING_ROWS])
    training = np.ascontiguousarray(rows[sample], np.float32)
    missing = max(0, NUM_CENTROIDS - len(training))  # FAISS needs a row for each centroid
    quantizer.train(np.pad(training, ((0, missing), (0, 0))))
    codes = quantizer.compute_codes(np.ascontiguousarray(rows, np.float32))
    centroids = faiss.vector_to_array(quantizer.centroids)
    return ProductCodes(
        codes.reshape(len(rows), parts),
        centroids.reshape(parts, NUM_CENTROIDS, DIMS_PER_CODE).astype(np.float16),
    )


def to_bits(rows: npt.NDArray[np.floating]) -> UInt8:
    """(E, ceil(D / 8)) packed signs of (E, D) rows, 1 where positive.

    A query keeps its full descriptor (asymmetric distance, Sandhawalia 2010). Its cosine with signs
    ranks as well as with the descriptor where there are many similar dimensions: 7168 of VLAD.
    """
    return np.packbits(np.asarray(rows) > 0, axis=1)


def from_bits(bits: UInt8, dim: int) -> Float32:
    """(E, D) rows of +-1 from packed signs."""
    return np.unpackbits(bits, axis=1, count=dim).astype(np.float32) * 2 - 1


def row_bytes(coding: Coding, dim: int) -> int:
    """Bytes of one descriptor with ``dim`` dimensions."""
    return {
        Coding.FLOAT16: 2 * dim,
        Coding.INT8: dim,
        Coding.PQ: dim // DIMS_PER_CODE,
        Coding.BITS: -(-dim // 8),
    }[coding]


def codebook_bytes(coding: Coding, dim: int) -> int:
    """Bytes of the codebooks' file and of its entry in the header; 0 without codebooks."""
    return NUM_CENTROIDS * dim * 2 + 256 if coding is Coding.PQ else 0
