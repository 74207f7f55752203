"""Partial store: the features in a store without some rows, which nothing else then sees."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping

import numpy as np

from hloc_lite.io.bank import ArrayReader
from hloc_lite.types import Bool


class PartialStore:
    """Items of a store, without some rows of some items.

    Args:
        store: all items.
        row_fields: fields that have one row per feature.
        dropped: key -> (N,) bool, True for rows that are left out; absent for none.
    """

    def __init__(
        self, store: ArrayReader, row_fields: Collection[str], dropped: Mapping[str, Bool]
    ) -> None:
        self._store, self._row_fields, self._dropped = store, row_fields, dropped

    @property
    def dropped(self) -> dict[str, list[int]]:
        """Key -> rows left out, of the items that lack some."""
        return {key: np.flatnonzero(rows).tolist() for key, rows in self._dropped.items()}

    def read(self, key: str, fields: Iterable[str]) -> dict[str, np.ndarray]:
        """Some of an item's arrays, without the rows that are left out."""
        arrays = self._store.read(key, fields)
        rows = self._dropped.get(key)
        if rows is None:
            return arrays
        return {
            field: array[~rows] if field in self._row_fields else array
            for field, array in arrays.items()
        }

    def __iter__(self) -> Iterator[str]:
        return iter(self._store)

    def __len__(self) -> int:
        return len(self._store)

    def __contains__(self, key: object) -> bool:
        return key in self._store
