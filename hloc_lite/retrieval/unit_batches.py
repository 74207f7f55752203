"""Batches of unit vectors with names, of another size than they come in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from hloc_lite.errors import ShapeError
from hloc_lite.types import Float32

MAX_NORM_ERROR = 1e-2
"""Largest difference of a norm from 1: more than half precision makes, which others may store."""


def regrouped(
    batches: Iterable[tuple[Sequence[str], Float32]], first: int, size: int
) -> Iterator[tuple[list[str], Float32]]:
    """Batches of ``first`` rows, then of ``size`` rows, the last one smaller, from any batches.

    Raises:
        ShapeError: numbers of names and rows differ, or a row is no unit vector.
    """
    wanted = first
    names: list[str] = []
    parts: list[Float32] = []
    for some, vectors in batches:
        if len(some) != len(vectors):
            raise ShapeError(f"{len(some)} names for {len(vectors)} descriptors")
        parts.append(_unit_rows(some, np.asarray(vectors, np.float32)))
        names += some
        while len(names) >= wanted:
            whole = np.concatenate(parts)
            yield names[:wanted], whole[:wanted]
            names, parts, wanted = names[wanted:], [whole[wanted:]], size
    if names:
        yield names, np.concatenate(parts)


def _unit_rows(names: Sequence[str], vectors: Float32) -> Float32:
    """The same vectors. Raises ShapeError if one is no unit vector: its cosines would be wrong."""
    norms = np.linalg.norm(vectors, axis=1) if vectors.ndim == 2 else np.zeros(len(vectors))
    wrong = np.flatnonzero(~(np.abs(norms - 1) <= MAX_NORM_ERROR))  # NaN is wrong, too
    if len(wrong):
        raise ShapeError(
            f"expected unit vectors; that of {names[wrong[0]]} has the norm {norms[wrong[0]]:g}"
        )
    return vectors
