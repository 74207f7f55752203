"""Matches of image pairs, kept on disk as they come."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import numpy as np
from tqdm import tqdm

from hloc_lite.concurrency import prefetch, single_threaded_torch
from hloc_lite.io.sharded_store import ShardedStore
from hloc_lite.mapping.pairs import Pair
from hloc_lite.protocols import Matcher
from hloc_lite.types import LocalFeatures, Matches

T = TypeVar("T")


def match_pairs(
    pairs: Sequence[Pair],
    features: Callable[[str], LocalFeatures],
    matcher: Matcher,
    store: ShardedStore,
    batch_size: int,
    *,
    workers: int = 1,
    progress: bool,
) -> None:
    """Match all pairs whose matches are not in the store yet.

    Args:
        features: returns the features of an image.
        store: receives indices (K, 2) int32 and scores (K,) float32 under ``pair_key``.
        workers: threads that match one batch each; they share the matcher.
    """
    todo = [pair for pair in pairs if pair_key(pair) not in store]
    batches = [*_chunks(by_locality(todo), batch_size)]
    loaded = ([(features(name0), features(name1)) for name0, name1 in batch] for batch in batches)
    with (
        tqdm(total=len(todo), desc="matches", unit="pair", disable=not progress or not todo) as bar,
        single_threaded_torch(workers > 1),
    ):
        found = prefetch(matcher.match, loaded, ahead=2 * workers, workers=workers)
        for batch, batch_matches in zip(batches, found, strict=True):
            for pair, matches in zip(batch, batch_matches, strict=True):
                store_matches(store, pair, matches)
            bar.update(len(batch))
    store.flush()


def by_locality(pairs: Sequence[Pair]) -> list[Pair]:
    """Order pairs so that those of one image are close together.

    A cache of few images then reads each about once (reverse Cuthill-McKee, Cuthill 1969).
    """
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import reverse_cuthill_mckee

    if not pairs:
        return []
    names = sorted({name for pair in pairs for name in pair})
    index = {name: row for row, name in enumerate(names)}
    rows = np.array([[index[name] for name in pair] for pair in pairs], np.int32)
    ends = np.concatenate([rows, rows[:, ::-1]]).T
    graph = coo_matrix((np.ones(ends.shape[1]), ends), shape=(len(names), len(names))).tocsr()
    rank = np.empty(len(names), np.int64)
    rank[reverse_cuthill_mckee(graph, symmetric_mode=True)] = np.arange(len(names))
    ranks = np.sort(rank[rows], axis=1)
    return [pairs[at] for at in np.lexsort(ranks.T)]


def pair_key(pair: Pair) -> str:
    """Store key of a pair; unambiguous whatever characters its names have."""
    return json.dumps(pair, ensure_ascii=False)


def store_matches(store: ShardedStore, pair: Pair, matches: Matches) -> None:
    """Add the matches of a pair to a store."""
    store.add(pair_key(pair), {"indices": matches.indices, "scores": matches.scores})


def stored_matches(store: ShardedStore, pair: Pair) -> Matches:
    """Read the matches of a pair from a store."""
    arrays = store[pair_key(pair)]
    return Matches(arrays["indices"], arrays["scores"])


def _chunks(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
