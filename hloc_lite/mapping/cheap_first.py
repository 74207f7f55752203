"""Matching of map images in two rounds: nearest neighbours for all pairs, then the matcher of the
features for those pairs only that need it.

Most pairs that overlap are connected by nearest neighbours just as well, in a twentieth of a
transformer's time, and geometry tells which: wrong matches rarely lie on their epipolar lines.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache

import numpy as np
from tqdm import tqdm

from hloc_lite.clock import StageClock
from hloc_lite.config import MatchingConfig
from hloc_lite.io.pycolmap_adapter import TwoView
from hloc_lite.io.sharded_store import ShardedStore
from hloc_lite.mapping.cameras import Cameras
from hloc_lite.mapping.map import StoredFeatures
from hloc_lite.mapping.matched import MatchedPairs, Round
from hloc_lite.mapping.pairs import Pair
from hloc_lite.mapping.run import Run
from hloc_lite.mapping.stages import (
    keypoints_of,
    match_pairs,
    pair_key,
    prefetch,
    stored_matches,
)
from hloc_lite.mapping.verification import posed_image, verify_with_poses, verify_without_poses
from hloc_lite.types import Matches

logger = logging.getLogger(__name__)
Verify = Callable[[Pair, Matches], TwoView]
CACHED_IMAGES = 512
"""Images whose features stay in memory while pairs are matched: 270 MB at 1024 x 128 floats."""
LONELY_BELOW = 2
"""Good pairs: an image with fewer tries others too that do not look as if they overlapped."""


def match_and_verify(
    run: Run,
    pairs: Sequence[Pair],
    features: ShardedStore,
    cameras: Cameras,
    rounds: Sequence[Round],
    clock: StageClock,
) -> MatchedPairs:
    """Verified matches of all pairs; what the rounds' stores hold already is not done again.

    Args:
        rounds: the cheap one, if there is one, and the matcher's own.
        clock: gets the time of ``matching`` and ``verification``.
    """
    verify = verifier(run, features, cameras)

    def play(each: Round, wanted: Sequence[Pair]) -> None:
        workers = num_workers(run)
        with clock("matching"):
            cached = lru_cache(CACHED_IMAGES)(StoredFeatures(features).__getitem__)
            batch = run.config.matching.batch_size
            match_pairs(
                wanted, cached, each.matcher, each.matches, batch,
                workers=workers, progress=run.progress,
            )  # fmt: skip
        with clock("verification"):
            verify_pairs(wanted, each, verify, workers, progress=run.progress)

    *cheap_rounds, full = rounds
    if not cheap_rounds:
        play(full, pairs)
        return MatchedPairs(dict.fromkeys(pairs, full))
    cheap = cheap_rounds[0]
    play(cheap, pairs)
    counts = {pair: cheap.num_verified(pair) for pair in pairs}
    again = pairs_to_match_again(counts, run.config.matching)
    logger.info("%d of %d pairs are matched again, by %s", len(again), len(pairs), full.name)
    play(full, again)
    better = {pair for pair in again if full.num_verified(pair) > counts[pair]}
    return MatchedPairs({pair: full if pair in better else cheap for pair in pairs})


def pairs_to_match_again(num_verified: Mapping[Pair, int], config: MatchingConfig) -> list[Pair]:
    """Of the pairs of the cheap round, those whose images lack connections, in order.

    Args:
        num_verified: matches of each pair that agree with a geometry.
    """
    enough = {pair for pair, count in num_verified.items() if count >= config.enough_verified}
    others: dict[str, list[Pair]] = {}
    connected: dict[str, int] = {}
    for pair in num_verified:
        for name in pair:
            connected[name] = connected.get(name, 0) + (pair in enough)
            if pair not in enough:
                others.setdefault(name, []).append(pair)
    chosen: set[Pair] = set()
    for name, candidates in others.items():
        if connected[name] >= LONELY_BELOW:
            candidates = [p for p in candidates if num_verified[p] > config.chance_verified]
        lacking = max(0, config.enough_pairs - connected[name])
        ranked = sorted(candidates, key=lambda pair: (-num_verified[pair], pair))
        chosen.update(ranked[:lacking])
    return [pair for pair in num_verified if pair in chosen]


def verify_pairs(
    pairs: Sequence[Pair], each: Round, verify: Verify, workers: int, *, progress: bool
) -> None:
    """Verified matches of the pairs into the round's store, those already there left alone."""
    todo = [pair for pair in pairs if pair_key(pair) not in each.verified]
    found = ((pair, stored_matches(each.matches, pair)) for pair in todo)
    views = prefetch(lambda item: verify(*item), found, ahead=4 * workers, workers=workers)
    quiet = not progress or not todo
    with tqdm(total=len(todo), desc="verification", unit="pair", disable=quiet) as bar:
        for pair, view in zip(todo, views, strict=True):
            kind = np.frombuffer(view.kind.encode(), np.uint8)
            each.verified.add(pair_key(pair), {"inliers": view.inliers, "kind": kind})
            bar.update()
    each.verified.flush()


def verifier(run: Run, features: ShardedStore, cameras: Cameras) -> Verify:
    """What checks the matches of a pair: the known poses if there are any."""
    by_id, id_of = cameras
    keypoints, config = keypoints_of(features, list(id_of)), run.config.geometry
    reference = run.inputs.reference
    if reference is None:

        def without_poses(pair: Pair, found: Matches) -> TwoView:
            first, second = pair
            both = (by_id[id_of[first]], by_id[id_of[second]])
            points = (keypoints[first], keypoints[second])
            return verify_without_poses(both, points, found, config)

        return without_poses
    images = {
        image.name: posed_image(
            by_id[id_of[image.name]], image.cam_from_world, keypoints[image.name], config
        )
        for image in reference.images
        if image.name in keypoints
    }

    def with_poses(pair: Pair, found: Matches) -> TwoView:
        return verify_with_poses((images[pair[0]], images[pair[1]]), found)

    return with_poses


def num_workers(run: Run) -> int:
    """Threads that work on pairs: an accelerator is kept busy by one."""
    if run.device != "cpu":
        return 1
    return run.config.mapping.threads if run.config.mapping.threads > 0 else os.cpu_count() or 1
