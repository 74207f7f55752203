"""Matches of photos whose matcher finds keypoints itself: pairs come before features.

Dense and semi-dense matchers see both photos of a pair. Their keypoints are merged into one set for
each image, so that what follows (verification, reconstruction) is the same as for extracted
features. The features have no descriptors.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from contextlib import closing
from functools import lru_cache

import numpy as np
from tqdm import tqdm

from hloc_lite.clock import StageClock
from hloc_lite.errors import HlocLiteError
from hloc_lite.io.image_sources import ImageSource
from hloc_lite.io.sharded_store import ShardedStore
from hloc_lite.mapping.cameras import find_cameras
from hloc_lite.mapping.feature_extraction import (
    check_unchanged,
    check_usable,
    feature_arrays,
    stored_keypoints,
)
from hloc_lite.mapping.pair_matching import by_locality, pair_key, store_matches
from hloc_lite.mapping.pairs import Pair, PairedImages, choose_image_pairs
from hloc_lite.mapping.retrieval import compute_global_descriptors
from hloc_lite.mapping.run import Run
from hloc_lite.mapping.two_pass_matching import MatchingPass
from hloc_lite.matching.keypoint_aggregation import aggregate_keypoints
from hloc_lite.protocols import KeypointProposer, PairMatcher
from hloc_lite.types import LocalFeatures, Matches, PairMatches

logger = logging.getLogger(__name__)
CACHED_PHOTOS = 16
"""Decoded photos kept in memory; pairs are ordered so that each is read about once."""


def pair_and_match_photos(
    run: Run,
    matcher: PairMatcher,
    image_hashes: Mapping[str, str],
    skipped: dict[str, str],
    features: ShardedStore,
    stores: MatchingPass,
    clock: StageClock,
) -> PairedImages:
    """Choose pairs of images, match their photos, and store features and matches.

    Args:
        image_hashes: name -> fingerprint of the image's bytes.
        skipped: receives name -> reason for each photo that cannot be read.
        features: receives the merged keypoints of each image.
        stores: receives the matches of each pair, as rows of these keypoints. All results are
            discarded if an image has other merged keypoints than those stored: the pairs have
            changed.
        clock: receives the time of ``retrieval`` and ``matching``.

    Raises:
        StaleArtefactError: an image has changed since its features were stored.
    """
    check_unchanged(image_hashes, features)
    skipped |= _find_unreadable(run.source, list(image_hashes))
    hashes = {name: value for name, value in image_hashes.items() if name not in skipped}
    names = list(hashes)
    with clock("retrieval"):
        descriptors = compute_global_descriptors(run, hashes)
        pairs = choose_image_pairs(run, names, descriptors)
    with clock("matching"):
        found = _match_photos(run, matcher, hashes, pairs)
        cell_px = run.config.matching.dense_cell_px
        fixed = _proposed(run, matcher, names)
        merged, merged_matches = aggregate_keypoints(found, cell_px=cell_px, fixed=fixed)
        merged = {**fixed, **merged}
        if not all(_is_current(features, name, merged.get(name)) for name in names):
            for store in (stores.verified, stores.matches, features):  # features tell: they go last
                store.clear()
        for name in names:
            if name not in features:
                photo = run.source.load(name)
                own = merged.get(name, _no_features((photo.width, photo.height)))
                features.add(name, feature_arrays(photo, own, hashes[name]))
        features.flush()
        for pair in pairs:
            if pair_key(pair) not in stores.matches:
                store_matches(stores.matches, pair, merged_matches.get(pair, Matches.empty()))
        stores.matches.flush()
    keypoints = stored_keypoints(features, names)
    check_usable(keypoints, skipped, has_depth=run.inputs.depth is not None)
    return PairedImages(names, keypoints, find_cameras(run, names, features), descriptors, pairs)


def _proposed(run: Run, matcher: PairMatcher, names: Sequence[str]) -> dict[str, LocalFeatures]:
    """Keypoints of the images before any pair is matched; none if depth does not lift them."""
    if run.inputs.depth is None or not isinstance(matcher, KeypointProposer):
        return {}
    shown = tqdm(names, "keypoints", unit="image", disable=not run.progress)
    return {name: matcher.propose_keypoints(run.source.load(name)) for name in shown}


def _is_current(features: ShardedStore, name: str, merged: LocalFeatures | None) -> bool:
    """Return False if other keypoints than the merged ones are stored for an image."""
    if name not in features:
        return True
    stored = features.read(name, ["keypoints"])["keypoints"]
    return np.array_equal(stored, np.zeros((0, 2)) if merged is None else merged.keypoints)


def _find_unreadable(source: ImageSource, names: Sequence[str]) -> dict[str, str]:
    """Decode all photos; name -> reason for each one that cannot be read."""
    unreadable = {}
    for name in names:
        try:
            source.load(name)
        except HlocLiteError as error:
            logger.warning("skipped %r: %s", name, error)
            unreadable[name] = str(error)
    return unreadable


def _match_photos(
    run: Run, matcher: PairMatcher, hashes: Mapping[str, str], pairs: Sequence[Pair]
) -> dict[Pair, PairMatches]:
    """Match the photos of all pairs; results are stored as they come, so a killed run resumes."""
    load = lru_cache(CACHED_PHOTOS)(run.source.load)
    keys = {pair: pair_key((hashes[pair[0]], hashes[pair[1]])) for pair in pairs}
    with closing(run.store("photo-matches")) as store:
        todo = [pair for pair in by_locality(pairs) if keys[pair] not in store]
        quiet = not run.progress or not todo
        for pair in tqdm(todo, "photo pairs", unit="pair", disable=quiet):
            if keys[pair] not in store:  # copies of a photo have the same key
                (found,) = matcher.match_photos([(load(pair[0]), load(pair[1]))])
                store.add(keys[pair], _arrays(found))
        store.flush()
        return {pair: _pair_matches(store[keys[pair]]) for pair in pairs}


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


def _pair_matches(arrays: Mapping[str, np.ndarray]) -> PairMatches:
    first, second = ((int(width), int(height)) for width, height in arrays["sizes"])
    return PairMatches(arrays["keypoints0"], arrays["keypoints1"], arrays["scores"], first, second)
