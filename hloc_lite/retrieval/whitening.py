"""PCA-whitening of global descriptors (Jegou and Chum 2012)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hloc_lite.retrieval.aggregation import l2_normalized
from hloc_lite.types import Float32, freeze_field

MIN_VARIANCE_RATIO = 1e-6
"""Directions with less variance, relative to the largest, are noise that would be amplified."""


@dataclass(frozen=True, eq=False)
class Whitening:
    """PCA-whitening y = projection (x - mean), L2-normalized."""

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
