"""Two-pass matching: nearest neighbours for all pairs, then the learned matcher where needed.

Nearest neighbours connect most overlapping pairs just as well, in a twentieth of a transformer's
time. Geometric verification tells which: wrong matches rarely lie on their epipolar lines.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from tqdm import tqdm

from hloc_lite.clock import StageClock
from hloc_lite.concurrency import prefetch
from hloc_lite.config import Config, MatchingConfig
from hloc_lite.io.bank import ArrayReader
from hloc_lite.io.pycolmap_adapter import TwoView
from hloc_lite.io.sharded_store import ShardedStore
from hloc_lite.mapping.cameras import Cameras
from hloc_lite.mapping.pair_matching import match_pairs, pair_key, stored_matches
from hloc_lite.mapping.pairs import Pair
from hloc_lite.mapping.run import Run
from hloc_lite.maps.storage import StoredFeatures
from hloc_lite.matching.geometric_verification import (
    posed_image,
    verify_with_poses,
    verify_without_poses,
)
from hloc_lite.protocols import Matcher
from hloc_lite.types import Float64, Matches

logger = logging.getLogger(__name__)
Verify = Callable[[Pair, Matches], TwoView]
CACHED_IMAGES = 512
"""Images whose features stay in memory during matching: 270 MB at 1024 x 128 float32."""
MIN_GOOD_PAIRS = 2
"""Images with fewer good pairs also retry pairs that do not seem to overlap."""


@dataclass(frozen=True, eq=False)
class MatchingPass:
    """One matcher, and the stores of its matches."""

    name: str
    """Registry name of the matcher."""
    matcher: Matcher
    matches: ShardedStore
    verified: ShardedStore

    def two_view(self, pair: Pair) -> TwoView:
        """Verified matches of a pair."""
        arrays = self.verified[pair_key(pair)]
        return TwoView(arrays["inliers"], bytes(arrays["kind"]).decode())

    def num_verified(self, pair: Pair) -> int:
        """Number of verified matches of a pair."""
        return len(self.verified.read(pair_key(pair), ["inliers"])["inliers"])

    def num_matches(self, pair: Pair) -> int:
        """Number of matches of a pair before verification."""
        return len(self.matches.read(pair_key(pair), ["scores"])["scores"])


@dataclass(frozen=True, eq=False)
class VerifiedPairs:
    """Verified matches of all pairs, each from the pass that found more."""

    two_views: Mapping[Pair, TwoView]
    """In the order of the pairs."""
    num_matches: Mapping[Pair, int]
    """Matches of each pair before verification."""
    matchers: Mapping[str, int]
    """Matcher name -> number of pairs whose matches it found."""


def match_and_verify(
    run: Run,
    pairs: Sequence[Pair],
    features: ArrayReader,
    keypoints: Mapping[str, Float64],
    cameras: Cameras,
    passes: Sequence[MatchingPass],
    clock: StageClock,
    *,
    learned_only: bool = False,
) -> VerifiedPairs:
    """Match and verify all pairs; results that are stored already are kept.

    A map from scratch with few pairs has one pass only, by the configured matcher.

    Args:
        keypoints: (N, 2) pixels of each image.
        passes: the first pass, if there are two, and the pass of the configured matcher.
        clock: receives the time of ``matching`` and ``verification``.
        learned_only: match all pairs by the configured matcher, in one pass.
    """
    verify = _verifier(run, keypoints, cameras)
    workers = _num_workers(run)

    def run_pass(each: MatchingPass, wanted: Sequence[Pair]) -> None:
        with clock("matching"):
            cached = lru_cache(CACHED_IMAGES)(StoredFeatures(features).__getitem__)
            batch = run.config.matching.batch_size
            match_pairs(
                wanted, cached, each.matcher, each.matches, batch,
                workers=workers, progress=run.progress,
            )  # fmt: skip
        with clock("verification"):
            verify_pairs(wanted, each, verify, workers, progress=run.progress)

    *first_passes, full = passes
    has_poses = run.inputs.reference is not None
    few_pairs = not has_poses and len(pairs) <= run.config.scratch.two_pass_min_pairs
    if not first_passes or few_pairs or learned_only:
        run_pass(full, pairs)
        return _collect(dict.fromkeys(pairs, full))
    first = first_passes[0]
    run_pass(first, pairs)
    counts = {pair: first.num_verified(pair) for pair in pairs}
    if has_poses:
        again = pairs_for_second_pass(counts, run.config.matching)
    else:
        tried = {pair: first.num_matches(pair) for pair in pairs}
        again = pairs_without_poses(counts, tried, run.config)
    logger.info("second pass: %d of %d pairs, by %s", len(again), len(pairs), full.name)
    run_pass(full, again)
    # without poses, matches of a look-alike place pass verification: the better matcher decides
    better = {pair for pair in again if not has_poses or full.num_verified(pair) > counts[pair]}
    return _collect({pair: full if pair in better else first for pair in pairs})


def pairs_for_second_pass(num_verified: Mapping[Pair, int], config: MatchingConfig) -> list[Pair]:
    """Choose the pairs that the second pass matches: those of images with too few good pairs.

    Args:
        num_verified: verified matches of each pair in the first pass.

    Returns:
        Pairs in the order given.
    """
    good = {pair for pair, count in num_verified.items() if count >= config.two_pass_good_matches}
    others: dict[str, list[Pair]] = {}
    num_good: dict[str, int] = {}
    for pair in num_verified:
        for name in pair:
            num_good[name] = num_good.get(name, 0) + (pair in good)
            if pair not in good:
                others.setdefault(name, []).append(pair)
    chosen: set[Pair] = set()
    for name, candidates in others.items():
        if num_good[name] >= MIN_GOOD_PAIRS:
            candidates = [p for p in candidates if num_verified[p] > config.two_pass_chance_matches]
        missing = max(0, config.two_pass_good_pairs - num_good[name])
        ranked = sorted(candidates, key=lambda pair: (-num_verified[pair], pair))
        chosen.update(ranked[:missing])
    return [pair for pair in num_verified if pair in chosen]


def pairs_without_poses(
    num_verified: Mapping[Pair, int], num_matches: Mapping[Pair, int], config: Config
) -> list[Pair]:
    """Choose the pairs that the second pass matches in a map from scratch: those that the first
    pass verified, and the most similar ones of each image.

    Args:
        num_verified: verified matches of each pair in the first pass.
        num_matches: matches of each pair in the first pass before verification.

    Returns:
        Pairs in the order given.
    """
    of_image: dict[str, list[Pair]] = {}
    for pair in num_verified:
        for name in pair:
            of_image.setdefault(name, []).append(pair)
    chosen = {pair for pair, count in num_verified.items() if count >= config.geometry.min_inliers}
    for own in of_image.values():
        ranked = sorted(own, key=lambda pair: (-num_verified[pair], -num_matches[pair], pair))
        chosen.update(ranked[: config.scratch.two_pass_pairs])
    return [pair for pair in num_verified if pair in chosen]


def verify_pairs(
    pairs: Sequence[Pair], each: MatchingPass, verify: Verify, workers: int, *, progress: bool
) -> None:
    """Verify the matches of all pairs that are not in the store of verified matches yet."""
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


def _collect(pass_of: Mapping[Pair, MatchingPass]) -> VerifiedPairs:
    matchers: dict[str, int] = {}
    for each in pass_of.values():
        matchers[each.name] = matchers.get(each.name, 0) + 1
    return VerifiedPairs(
        {pair: each.two_view(pair) for pair, each in pass_of.items()},
        {pair: each.num_matches(pair) for pair, each in pass_of.items()},
        matchers,
    )


def _verifier(run: Run, keypoints: Mapping[str, Float64], cameras: Cameras) -> Verify:
    """Function that verifies the matches of a pair, by known poses where there are any."""
    by_id, id_of = cameras
    config, reference = run.config.geometry, run.inputs.reference
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


def _num_workers(run: Run) -> int:
    """Number of threads that work on pairs; one keeps an accelerator busy."""
    if run.device != "cpu":
        return 1
    return run.config.mapping.threads if run.config.mapping.threads > 0 else os.cpu_count() or 1
