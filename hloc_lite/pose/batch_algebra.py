"""Vectors and symmetric matrices whose entries are batches: tuples of (B,) arrays or tensors."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = Any
"""(B,) arrays of NumPy or tensors of torch; every scalar of the algorithm is one of them."""
Vector = tuple[Array, Array, Array]
Symmetric = tuple[Array, Array, Array, Array, Array, Array]
"""Entries 00, 01, 02, 11, 12, 22."""


def namespace(array: Array) -> Any:
    """The library that an array is of: NumPy, or torch."""
    if isinstance(array, np.ndarray):
        return np
    import torch

    return torch


def stacked(xp: Any, arrays: list[Array]) -> Array:
    """Arrays of one shape along a new first axis; NumPy's own takes three times as long."""
    return xp.concatenate(arrays).reshape(len(arrays), *arrays[0].shape)


def unit(xp: Any, a: Vector) -> Vector:
    """The vector at length 1."""
    inverse = 1 / xp.sqrt(square(a))
    return a[0] * inverse, a[1] * inverse, a[2] * inverse


def minus(a: Vector, b: Vector) -> Vector:
    """Their difference."""
    return a[0] - b[0], a[1] - b[1], a[2] - b[2]


def dot(a: Vector, b: Vector) -> Array:
    """The inner product."""
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def square(a: Vector) -> Array:
    """The squared length."""
    return dot(a, a)


def cross(a: Vector, b: Vector) -> Vector:
    """The vector product."""
    return a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]


def apply(m: Symmetric, a: Vector) -> Vector:
    """Matrix times vector."""
    m00, m01, m02, m11, m12, m22 = m
    return (
        m00 * a[0] + m01 * a[1] + m02 * a[2],
        m01 * a[0] + m11 * a[1] + m12 * a[2],
        m02 * a[0] + m12 * a[1] + m22 * a[2],
    )


def adjugate(m: Symmetric) -> Symmetric:
    """The transposed matrix of cofactors."""
    m00, m01, m02, m11, m12, m22 = m
    return (
        m11 * m22 - m12 * m12,
        m02 * m12 - m01 * m22,
        m01 * m12 - m02 * m11,
        m00 * m22 - m02 * m02,
        m01 * m02 - m00 * m12,
        m00 * m11 - m01 * m01,
    )
