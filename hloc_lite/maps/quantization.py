"""Descriptors in few bytes: half floats, whole numbers, or product codes (Jegou 2011).

Only the direction of a descriptor counts, so each row may be scaled to the range of its type.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum, auto

import numpy as np
import numpy.typing as npt

from hloc_lite.errors import ShapeError
from hloc_lite.types import Float32, UInt8, frozen_array

INT8_MAX = 127
NUM_CENTERS = 256
"""Of a part's codebook: one byte a code."""
DIMS_A_CODE = 4
"""Descriptor dimensions that share a code of one byte."""
MAX_TRAINING = 20000
"""Descriptors that codebooks are learned from: 80 for each centre."""
ITERATIONS = 10
"""Of k-means; 25 take 2.5 times as long."""


class Coding(StrEnum):
    """How landmarks' descriptors are stored."""

    FLOAT16 = auto()
    """Two bytes a dimension; what maps have."""
    INT8 = auto()
    """One byte a dimension, each row scaled to +-127."""
    PQ = auto()
    """One byte for four dimensions: the nearest of 256 centres."""
    BITS = auto()
    """Signs, eight dimensions a byte: for long global descriptors only."""


@dataclass(frozen=True, eq=False)
class ProductCodes:
    """Rows of a matrix as product codes; decoded where they are read, as an array's rows are."""

    codes: UInt8
    """(E, S)."""
    codebooks: npt.NDArray[np.float16]
    """(S, 256, D / S) centres of each part."""

    def __post_init__(self) -> None:
        parts = self.codes.shape[1] if self.codes.ndim == 2 else None
        books = frozen_array(self.codebooks, np.float16, (parts, NUM_CENTERS, None), "codebooks")
        object.__setattr__(self, "codebooks", books)
        if parts is None or self.codes.dtype != np.uint8:
            raise ShapeError(f"codes: expected (E, S) bytes, got {self.codes.shape}")

    ndim = 2

    @property
    def shape(self) -> tuple[int, int]:
        """(E, D) of the rows."""
        return len(self.codes), self.codebooks.shape[0] * self.codebooks.shape[2]

    def __len__(self) -> int:
        return len(self.codes)

    def __getitem__(self, rows: npt.NDArray[np.integer] | slice) -> Float32:
        """(R, D) of some rows, of about unit length."""
        codes = self.codes[rows]
        parts = self.codebooks[np.arange(codes.shape[1]), codes]
        return parts.reshape(len(codes), self.shape[1]).astype(np.float32)


def to_int8(rows: npt.NDArray[np.floating]) -> npt.NDArray[np.int8]:
    """(E, D) rows, each scaled so that its greatest component is 127.

    Each component is off by at most 1/254 of its row's greatest.
    """
    greatest = np.abs(rows).max(axis=1, keepdims=True, initial=0)
    scaled = np.rint(rows * (INT8_MAX / np.maximum(greatest, 1e-12)))
    return scaled.astype(np.int8)


def to_product_codes(rows: Float32, seed: int = 0) -> ProductCodes:
    """(E, D) unit rows by codebooks that FAISS learns from them.

    Raises:
        ShapeError: D is no multiple of ``DIMS_A_CODE``.
    """
    if rows.shape[1] % DIMS_A_CODE:
        raise ShapeError(
            f"product codes need descriptors of a multiple of {DIMS_A_CODE} dimensions, got "
            f"{rows.shape[1]}; use int8"
        )
    import faiss

    parts = rows.shape[1] // DIMS_A_CODE
    quantizer = faiss.ProductQuantizer(rows.shape[1], parts, 8)
    quantizer.cp.seed, quantizer.cp.niter = seed, ITERATIONS
    quantizer.cp.min_points_per_centroid = 1
    sample = np.sort(np.random.default_rng(seed).permutation(len(rows))[:MAX_TRAINING])
    training = np.ascontiguousarray(rows[sample], np.float32)
    few = max(0, NUM_CENTERS - len(training))  # as many are needed; zeros are ever so short
    quantizer.train(np.pad(training, ((0, few), (0, 0))))
    codes = quantizer.compute_codes(np.ascontiguousarray(rows, np.float32))
    centers = faiss.vector_to_array(quantizer.centroids)
    return ProductCodes(
        codes.reshape(len(rows), parts),
        centers.reshape(parts, NUM_CENTERS, DIMS_A_CODE).astype(np.float16),
    )


def to_bits(rows: npt.NDArray[np.floating]) -> UInt8:
    """(E, ceil(D / 8)) signs of (E, D) rows, 1 where positive.

    The cosine of a whole descriptor with signs tells as much as with the descriptor itself where
    dimensions are many and alike (Sandhawalia 2010 compares so): of 7168 dimensions of VLAD.
    """
    return np.packbits(np.asarray(rows) > 0, axis=1)


def from_bits(bits: UInt8, dim: int) -> Float32:
    """(E, D) rows of +-1 from their signs."""
    return np.unpackbits(bits, axis=1, count=dim).astype(np.float32) * 2 - 1


def row_bytes(coding: Coding, dim: int) -> int:
    """Of a descriptor of so many dimensions."""
    return {
        Coding.FLOAT16: 2 * dim,
        Coding.INT8: dim,
        Coding.PQ: dim // DIMS_A_CODE,
        Coding.BITS: -(-dim // 8),
    }[coding]


def codebook_bytes(coding: Coding, dim: int) -> int:
    """Of the file of codebooks and its line in the header; only product codes have them."""
    return NUM_CENTERS * dim * 2 + 256 if coding is Coding.PQ else 0
