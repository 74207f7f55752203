"""Descriptors of landmarks, so that a query is matched with the points of a place themselves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from hloc_lite.errors import ShapeError
from hloc_lite.types import Float32, Int64, frozen_array

BLOCK = 65536
"""Rows normalized at once: 33 MB of 128 floats."""


class Rows(Protocol):
    """A matrix that rows are taken from, wherever it lies."""

    @property
    def ndim(self) -> int: ...

    @property
    def shape(self) -> tuple[int, ...]: ...

    def __len__(self) -> int: ...

    def __getitem__(self, rows: npt.NDArray[np.integer] | slice) -> np.ndarray: ...


@dataclass(frozen=True, eq=False)
class LandmarkDescriptors:
    """One descriptor or a few of each landmark, in rows that ascend with the landmark."""

    values: Rows
    """(E, D) float32, float16, or int8: rows of any length, only their direction counts."""
    offsets: Int64
    """(M + 1,) the rows of landmark i are ``offsets[i]`` to ``offsets[i + 1]``."""

    def __post_init__(self) -> None:
        object.__setattr__(
            self, "offsets", frozen_array(self.offsets, np.int64, (None,), "offsets")
        )
        if self.values.ndim != 2 or len(self.offsets) < 1 or self.offsets[-1] != len(self.values):
            raise ShapeError(
                f"LandmarkDescriptors: {self.values.shape} values do not fit offsets that end at "
                f"{self.offsets[-1] if len(self.offsets) else 'nothing'}"
            )

    @property
    def num_landmarks(self) -> int:
        return len(self.offsets) - 1

    def of(self, point3D_idxs: Int64) -> tuple[Float32, Int64]:
        """Descriptors of some landmarks.

        Args:
            point3D_idxs: (P,) landmarks, ascending, each once.

        Returns:
            (R, D) unit rows in the order of the landmarks, and (R,) which landmark each is of.
        """
        points = np.asarray(point3D_idxs, np.int64)
        counts = self.offsets[points + 1] - self.offsets[points]
        owners = np.repeat(points, counts)
        first = np.cumsum(counts) - counts
        rows = np.arange(len(owners)) - np.repeat(first - self.offsets[points], counts)
        found = np.asarray(self.values[rows], np.float32)
        return found / row_lengths(found), owners


def row_lengths(rows: Float32) -> Float32:
    lengths: Float32 = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.maximum(lengths, np.float32(1e-12))
