"""What matching found: rounds of it, and for each pair the one that speaks for it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from hloc_lite.io.pycolmap_adapter import TwoView
from hloc_lite.io.sharded_store import ShardedStore
from hloc_lite.mapping.pairs import Pair
from hloc_lite.mapping.stages import pair_key
from hloc_lite.registry import Matcher


@dataclass(frozen=True, eq=False)
class Round:
    """One way of matching, and what it found."""

    name: str
    """Of the matcher."""
    matcher: Matcher
    matches: ShardedStore
    verified: ShardedStore

    def two_view(self, pair: Pair) -> TwoView:
        arrays = self.verified[pair_key(pair)]
        return TwoView(arrays["inliers"], bytes(arrays["kind"]).decode())

    def num_verified(self, pair: Pair) -> int:
        return len(self.verified.read(pair_key(pair), ["inliers"])["inliers"])

    def num_matches(self, pair: Pair) -> int:
        """Before verification."""
        return len(self.matches.read(pair_key(pair), ["scores"])["scores"])


@dataclass(frozen=True, eq=False)
class MatchedPairs:
    """The verified matches of all pairs, each from the round that speaks for it."""

    round_of: Mapping[Pair, Round]
    """In the order of the pairs."""

    def __iter__(self) -> Iterator[Pair]:
        return iter(self.round_of)

    def __len__(self) -> int:
        return len(self.round_of)

    def two_view(self, pair: Pair) -> TwoView:
        return self.round_of[pair].two_view(pair)

    def num_verified(self, pair: Pair) -> int:
        return self.round_of[pair].num_verified(pair)

    def num_matches(self, pair: Pair) -> int:
        """Before verification."""
        return self.round_of[pair].num_matches(pair)

    def matchers(self) -> dict[str, int]:
        """Name of each matcher -> pairs whose matches are its."""
        return dict(Counter(each.name for each in self.round_of.values()))
