"""Positions of named queries and database images, and the distance within which they match."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hloc_lite.errors import FormatError
from hloc_lite.formats.retrieval_truth import RetrievalTruth
from hloc_lite.formats.vpr_truth import RecognitionTruth


@dataclass(frozen=True)
class NamedPositions:
    """Truth of place recognition with the names of the images."""

    positions: RecognitionTruth
    query_names: tuple[str, ...]
    """Names in the order of the positions; each occurs once."""
    map_names: tuple[str, ...]

    def __post_init__(self) -> None:
        known = (self.positions.query_positions, self.positions.map_positions)
        for names, rows in zip((self.query_names, self.map_names), known, strict=True):
            _check_names(names, len(rows))

    def truth(self) -> RetrievalTruth:
        """Database images within the distance, inclusive, of each query."""
        rows = self.positions.positives()
        positives = {
            query: frozenset(self.map_names[row] for row in found)
            for query, found in zip(self.query_names, rows, strict=True)
        }
        return RetrievalTruth(positives, {}, frozenset(self.map_names))


def _check_names(names: Sequence[str], count: int) -> None:
    if len(names) != count or len(set(names)) != count:
        raise FormatError(f"expected {count} different names of positions, got {len(set(names))}")
