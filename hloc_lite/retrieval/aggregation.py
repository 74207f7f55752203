"""Aggregation of local vectors into one vector: NetVLAD and GeM as functions of NumPy arrays.

(N, D) local vectors are the N positions of a feature map with D channels; their order has no
effect.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from hloc_lite.types import Float32

GEM_FLOOR = 1e-6
"""Lower limit of responses before the power mean, as in Radenovic 2018."""


def l2_normalized(vectors: npt.ArrayLike, axis: int = -1) -> Float32:
    """Vectors L2-normalized along an axis; zero vectors stay zero."""
    array = np.asarray(vectors, np.float32)
    norms = np.linalg.norm(array, axis=axis, keepdims=True)
    return np.divide(array, norms, out=np.zeros_like(array), where=norms > 0)


def soft_assignment(local: Float32, weights: Float32, biases: Float32) -> Float32:
    """Soft assignment to K words: softmax of w_k . x + b_k.

    Args:
        local: (N, D) unit rows.
        weights: (K, D).
        biases: (K,).

    Returns:
        (N, K) weights; rows sum to 1.
    """
    logits = local @ weights.T + biases
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


def netvlad(local: Float32, weights: Float32, biases: Float32, centers: Float32) -> Float32:
    """NetVLAD (Arandjelovic 2016, eq. 4): softly assigned residuals, summed per word.

    V_k = sum_i a_k(x_i) (x_i - c_k); each word is L2-normalized (intra-normalization of
    Arandjelovic 2013), then the whole.

    Args:
        local: (N, D) unit rows.
        weights: (K, D), see ``soft_assignment``.
        biases: (K,), see ``soft_assignment``.
        centers: (K, D) words.

    Returns:
        (K, D) with Frobenius norm 1 (0 if all residuals vanish).
    """
    assignment = soft_assignment(local, weights, biases)
    residuals = assignment.T @ local - assignment.sum(axis=0)[:, None] * centers
    by_word = l2_normalized(residuals, axis=1)
    return l2_normalized(by_word.ravel()).reshape(by_word.shape)


def gem(local: Float32, power: float = 3.0) -> Float32:
    """Generalized mean (Radenovic 2018): (mean_i max(x_i, 1e-6)^p)^(1/p) per channel.

    Args:
        local: (N, D) responses; negative ones count as 0.
        power: p; 1 is the mean, large values tend to the maximum.

    Returns:
        (D,), not normalized.
    """
    return np.mean(np.maximum(local, GEM_FLOOR) ** power, axis=0) ** (1 / power)
