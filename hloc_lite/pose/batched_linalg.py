"""Linear algebra on batches of 3-vectors and symmetric 3x3 matrices, in NumPy or torch.

Vectors and matrices are tuples of their entries, and each entry is a (B,) batch.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from hloc_lite.types import Float64

Array = Any
"""(B,) NumPy array or torch tensor: one scalar of the algorithm for all samples."""
Vector = tuple[Array, Array, Array]
VectorLike = Vector | Float64
"""A ``Vector``, or an array whose first axis holds the three components."""
Symmetric = tuple[Array, Array, Array, Array, Array, Array]
"""Entries 00, 01, 02, 11, 12, 22."""


def array_namespace(array: Array) -> Any:
    """Module of an array's functions: numpy or torch."""
    if isinstance(array, np.ndarray):
        return np
    import torch

    return torch


def stack(xp: Any, arrays: list[Array]) -> Array:
    """Stack arrays of one shape along a new first axis; three times as fast as ``numpy.stack``."""
    return xp.concatenate(arrays).reshape(len(arrays), *arrays[0].shape)


def normalize(xp: Any, a: Vector) -> Vector:
    """Unit vector."""
    inverse = 1 / xp.sqrt(squared_norm(a))
    return a[0] * inverse, a[1] * inverse, a[2] * inverse


def subtract(a: Vector, b: Vector) -> Vector:
    """Difference a - b."""
    return a[0] - b[0], a[1] - b[1], a[2] - b[2]


def dot(a: VectorLike, b: VectorLike) -> Array:
    """Dot product."""
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def squared_norm(a: VectorLike) -> Array:
    """Squared Euclidean norm."""
    return dot(a, a)


def cross(a: VectorLike, b: VectorLike) -> Vector:
    """Cross product."""
    return a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]


def matvec(m: Symmetric, a: Vector) -> Vector:
    """Matrix-vector product."""
    m00, m01, m02, m11, m12, m22 = m
    return (
        m00 * a[0] + m01 * a[1] + m02 * a[2],
        m01 * a[0] + m11 * a[1] + m12 * a[2],
        m02 * a[0] + m12 * a[1] + m22 * a[2],
    )


def adjugate(m: Symmetric) -> Symmetric:
    """Adjugate matrix (transposed cofactors)."""
    m00, m01, m02, m11, m12, m22 = m
    return (
        m11 * m22 - m12 * m12,
        m02 * m12 - m01 * m22,
        m01 * m12 - m02 * m11,
        m00 * m22 - m02 * m02,
        m01 * m02 - m00 * m12,
        m00 * m11 - m01 * m01,
    )
