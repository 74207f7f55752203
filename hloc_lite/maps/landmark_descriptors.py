"""Descriptors of landmarks (map points), so that a query can be matched with points directly."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from hloc_lite.errors import DamagedMapError, ShapeError
from hloc_lite.types import Float32, Int64, frozen_array

ROWS_PER_BLOCK = 65536
"""Rows that are normalized at once: 33 MB at 128 x float32."""


class RowMatrix(Protocol):
    """Matrix that is read by rows: an array, a file, or product codes."""

    @property
    def ndim(self) -> int: ...

    @property
    def shape(self) -> tuple[int, ...]: ...

    def __len__(self) -> int: ...

    def __getitem__(self, rows: npt.NDArray[np.integer] | slice) -> np.ndarray: ...


@dataclass(frozen=True, eq=False)
class LandmarkDescriptors:
    """One or more descriptors per landmark, in the order of the landmarks."""

    values: RowMatrix
    """(E, D) float32, float16 or int8. Rows have any norm; only their direction matters."""
    offsets: Int64
    """(M + 1,) rows ``offsets[i]`` to ``offsets[i + 1]`` belong to landmark i."""

    def __post_init__(self) -> None:
        object.__setattr__(
            self, "offsets", frozen_array(self.offsets, np.int64, (None,), "offsets")
        )
        if self.values.ndim != 2 or len(self.offsets) < 1 or self.offsets[-1] != len(self.values):
            raise ShapeError(
                f"LandmarkDescriptors: values of shape {self.values.shape} do not fit offsets "
                f"that end at {self.offsets[-1] if len(self.offsets) else 'nothing'}"
            )

    @property
    def num_landmarks(self) -> int:
        return len(self.offsets) - 1

    def rows_of(self, point3D_idxs: Int64) -> tuple[Float32, Int64]:
        """Read the descriptors of some landmarks.

        Args:
            point3D_idxs: (P,) landmarks, ascending, each once.

        Returns:
            (R, D) unit rows in the order of the landmarks, and the (R,) landmark of each row.

        Raises:
            DamagedMapError: a row that is not finite.
        """
        points = np.asarray(point3D_idxs, np.int64)
        counts = self.offsets[points + 1] - self.offsets[points]
        owners = np.repeat(points, counts)
        first = np.cumsum(counts) - counts
        rows = np.arange(len(owners)) - np.repeat(first - self.offsets[points], counts)
        found = np.asarray(self.values[rows], np.float32)
        norms = row_norms(found)
        if not np.isfinite(norms).all():
            raise DamagedMapError(
                "descriptors of the map's landmarks are not finite, or too large: put the original "
                "map back, or build it again"
            )
        return found / norms, owners


def row_norms(rows: Float32) -> Float32:
    """(E, 1) norms of (E, D) rows, as divisors: never 0."""
    norms: Float32 = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.maximum(norms, np.float32(1e-12))
