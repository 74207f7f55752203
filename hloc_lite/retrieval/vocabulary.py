"""Vocabulary of NetVLAD: words by k-means, and the softness of assignment (Arandjelovic 2016)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hloc_lite.types import Float32, freeze_field

ASSIGNMENT_RATIO = 0.01
"""Average weight of the second-nearest word over that of the nearest (the authors' value)."""
ITERATIONS = 25
MAX_ALPHA = 1000.0
"""Upper limit of alpha, for vectors that coincide with their words."""


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """K words; a_k(x) = softmax_k(-alpha |x - c_k|^2), as weights and biases of a linear layer."""

    centers: Float32
    """(K, D) words."""
    alpha: float
    """Softness of assignment; large values assign hard."""

    def __post_init__(self) -> None:
        freeze_field(self, "centers", np.float32, None, None)

    @property
    def weights(self) -> Float32:
        """(K, D) weights 2 alpha c_k."""
        return 2 * np.float32(self.alpha) * self.centers

    @property
    def biases(self) -> Float32:
        """(K,) biases -alpha |c_k|^2."""
        return -np.float32(self.alpha) * np.square(self.centers).sum(axis=1)


def learn_vocabulary(local: Float32, num_words: int, seed: int) -> Vocabulary:
    """Words of (N, D) local vectors by k-means, N >= 1; at most N words."""
    centers = kmeans(local, num_words, seed)
    return Vocabulary(centers, initial_alpha(local, centers))


def kmeans(vectors: Float32, num_clusters: int, seed: int) -> Float32:
    """(min(K, N), D) k-means centres of (N, D) vectors by FAISS, the same for the same seed."""
    import faiss

    count = min(num_clusters, len(vectors))
    clustering = faiss.Kmeans(
        vectors.shape[1],
        count,
        niter=ITERATIONS,
        seed=seed,
        min_points_per_centroid=1,
        max_points_per_centroid=-(-len(vectors) // count),  # no subsampling
    )
    clustering.train(np.ascontiguousarray(vectors, np.float32))
    return np.asarray(clustering.centroids, np.float32)


def initial_alpha(local: Float32, centers: Float32) -> float:
    """alpha = -ln(0.01) / mean(d2^2 - d1^2), with distances to the nearest two words."""
    if len(centers) < 2:
        return 1.0  # alpha has no effect with one word
    squared = (
        np.square(local).sum(axis=1)[:, None]
        - 2 * local @ centers.T
        + np.square(centers).sum(axis=1)
    )
    nearest_two = np.partition(squared, 1, axis=1)[:, :2]
    gap = float(np.mean(nearest_two[:, 1] - nearest_two[:, 0]))
    return min(-np.log(ASSIGNMENT_RATIO) / max(gap, 1e-9), MAX_ALPHA)
