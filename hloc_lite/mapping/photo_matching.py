"""Matches of photos whose matcher finds keypoints itself: pairs come before features.

Dense and semi-dense matchers see both photos of a pair. Their keypoints are merged into one set for
each image, so that what follows (verification, reconstruction) is the same as for extracted
features. The features have no descriptors.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np
from tqdm import tqdm

from hloc_lite.errors import ImageError
from hloc_lite.io.image_sources import ImageSource
from hloc_lite.io.sharded_store import ShardedStore
from hloc_lite.mapping.feature_extraction import check_unchanged, feature_arrays
from hloc_lite.mapping.pair_matching import by_locality, pair_key, store_matches
from hloc_lite.mapping.pairs import Pair
from hloc_lite.matching.keypoint_aggregation import aggregate_keypoints
from hloc_lite.protocols import PairMatcher
from hloc_lite.types import LocalFeatures, Matches, PairMatches

CACHED_PHOTOS = 16
"""Decoded photos kept in memory; pairs are ordered so that each is read about once."""


def find_unreadable(source: ImageSource, names: Sequence[str]) -> dict[str, str]:
    """Decode all photos; return name -> reason for each one that cannot be read."""
    unreadable = {}
    for name in names:
        try:
            source.load(name)
        except ImageError as error:
            unreadable[name] = str(error)
    return unreadable


def match_photos(
    source: ImageSource,
    image_hashes: Mapping[str, str],
    pairs: Sequence[Pair],
    matcher: PairMatcher,
    pair_matches: ShardedStore,
    features: ShardedStore,
    matches: ShardedStore,
    *,
    progress: bool,
) -> None:
    """Match all pairs of photos, and store features of each image and matches of each pair.

    Args:
        image_hashes: name -> fingerprint of the image's bytes.
        pair_matches: store of the matcher's own results, so that a killed run resumes.
        features: receives the merged keypoints of each image; those without any have none.
        matches: receives the matches of each pair, as rows of these keypoints.

    Raises:
        StaleArtefactError: an image has changed since its photo was matched.
    """
    check_unchanged(image_hashes, features)
    load = lru_cache(CACHED_PHOTOS)(source.load)
    todo = [pair for pair in pairs if pair_key(pair) not in pair_matches]
    quiet = not progress or not todo
    for pair in tqdm(by_locality(todo), "photo pairs", unit="pair", disable=quiet):
        (found,) = matcher.match_photos([(load(pair[0]), load(pair[1]))])
        pair_matches.add(pair_key(pair), _arrays(found))
    pair_matches.flush()
    found = {pair: _read(pair_matches, pair) for pair in pairs}
    merged, merged_matches = aggregate_keypoints(found)
    for name, image_hash in image_hashes.items():
        if name not in features:
            photo = load(name)
            own = merged.get(name, _no_features((photo.width, photo.height)))
            features.add(name, feature_arrays(photo, own, image_hash))
    features.flush()
    for pair in pairs:
        if pair_key(pair) not in matches:
            store_matches(matches, pair, merged_matches.get(pair, Matches.empty()))
    matches.flush()


def _no_features(size: tuple[int, int]) -> LocalFeatures:
    none = np.zeros((0, 2), np.float32)
    return LocalFeatures(none, none[:, :0], none[:, 0], size)


def _arrays(found: PairMatches) -> dict[str, np.ndarray]:
    return {
        "keypoints0": found.keypoints0,
        "keypoints1": found.keypoints1,
        "scores": found.scores,
        "sizes": np.array([found.image_size0, found.image_size1], np.int32),
    }


def _read(store: ShardedStore, pair: Pair) -> PairMatches:
    arrays = store[pair_key(pair)]
    first, second = ((int(width), int(height)) for width, height in arrays["sizes"])
    return PairMatches(arrays["keypoints0"], arrays["keypoints1"], arrays["scores"], first, second)
