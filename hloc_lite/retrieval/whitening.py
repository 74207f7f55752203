"""Whitening of global descriptors: by PCA (Jegou and Chum 2012), or learned from pairs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hloc_lite.errors import ShapeError
from hloc_lite.retrieval.aggregation import l2_normalized
from hloc_lite.types import Float32, Int64, freeze_field

MIN_VARIANCE_RATIO = 1e-6
"""Directions with less variance, relative to the largest, are noise that would be amplified."""
TINY = 1e-12
"""Added to variances, so that pairs of equal descriptors have a Cholesky factor."""


@dataclass(frozen=True, eq=False)
class Whitening:
    """Whitening y = projection (x - mean), L2-normalized."""

    mean: Float32
    """(D,) mean descriptor."""
    projection: Float32
    """(E, D) principal directions divided by their standard deviations."""

    def __post_init__(self) -> None:
        freeze_field(self, "mean", np.float32, None)
        freeze_field(self, "projection", np.float32, None, len(self.mean))

    def apply(self, descriptors: Float32) -> Float32:
        """(B, E) unit rows of (B, D) descriptors."""
        return l2_normalized((descriptors - self.mean) @ self.projection.T)


def learn_whitening(descriptors: Float32, output_dim: int) -> Whitening:
    """Whitening of (M, D) descriptors, M >= 2; E is smaller than requested if the rank is."""
    mean = descriptors.mean(axis=0, dtype=np.float64)
    centered = descriptors - mean
    covariance = centered.T @ centered / (len(descriptors) - 1)
    variances, directions = np.linalg.eigh(covariance)  # ascending
    keep = np.flatnonzero(variances > MIN_VARIANCE_RATIO * variances[-1])[::-1]
    keep = keep[: min(output_dim, len(descriptors) - 1)]
    return Whitening(mean, (directions[:, keep] / np.sqrt(variances[keep])).T)


def learn_discriminative_whitening(
    descriptors: Float32, pairs: Int64, output_dim: int
) -> Whitening:
    """Whitening by pairs that match (Mikolajczyk and Matas 2007; Radenovic 2016).

    The projection makes the differences of matching pairs white, then keeps the directions in
    which all descriptors vary most.

    Args:
        descriptors: (M, D) unit rows.
        pairs: (N, 2) rows of descriptors that show the same place.
        output_dim: dimensions that are kept, at most D.

    Raises:
        ShapeError: fewer than two pairs.
    """
    if len(pairs) < 2:
        raise ShapeError(f"whitening is learned from pairs that match; got {len(pairs)}")
    dim = descriptors.shape[1]
    mean = descriptors[pairs].mean(axis=(0, 1), dtype=np.float64)
    differences = (descriptors[pairs[:, 0]] - descriptors[pairs[:, 1]]).astype(np.float64)
    within = differences.T @ differences / len(pairs)
    # directions in which no pair differs would be amplified without limit
    within += MIN_VARIANCE_RATIO * np.trace(within) / dim * np.eye(dim) + TINY * np.eye(dim)
    root = np.linalg.inv(np.linalg.cholesky(within))
    spread = (descriptors - mean) @ root.T
    variances, directions = np.linalg.eigh(spread.T @ spread)  # ascending
    keep = np.argsort(-variances, kind="stable")[:output_dim]
    return Whitening(mean, directions[:, keep].T @ root)
