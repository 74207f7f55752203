"""Verification of matches that other programs found, with known poses or without."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import numpy as np

from hloc_lite.config import GeometryConfig
from hloc_lite.io.pycolmap_adapter import TwoView
from hloc_lite.mapping.cameras import Cameras
from hloc_lite.mapping.pairs import Pair
from hloc_lite.mapping.two_pass_matching import VerifiedPairs
from hloc_lite.matching.geometric_verification import (
    posed_image,
    verify_with_poses,
    verify_without_poses,
)
from hloc_lite.scene import SfmModel
from hloc_lite.types import Float64, Matches

Verify = Callable[[Pair, Matches], TwoView]


def verified_pairs(
    found: Iterable[tuple[Pair, Matches]], verify: Verify, matcher: str
) -> VerifiedPairs:
    """Verify the matches of pairs.

    Args:
        found: matches of each pair, read one by one.
        verify: one of the functions below.
        matcher: name of what found the matches, for reports.
    """
    two_views: dict[Pair, TwoView] = {}
    num_matches: dict[Pair, int] = {}
    for pair, matches in found:
        two_views[pair], num_matches[pair] = verify(pair, matches), len(matches)
    return VerifiedPairs(two_views, num_matches, {matcher: len(two_views)})


def by_poses(
    reference: SfmModel, keypoints: Mapping[str, Float64], config: GeometryConfig
) -> Verify:
    """Function that keeps matches on each other's epipolar lines under known poses.

    Args:
        reference: poses and cameras of the images, in pixels of the keypoints.
        keypoints: (N, 2) pixels of each image.
        config: thresholds.
    """
    images = {
        image.name: posed_image(
            reference.cameras[image.camera_id], image.cam_from_world, keypoints[image.name], config
        )
        for image in reference.images
        if image.name in keypoints
    }

    def verify(pair: Pair, matches: Matches) -> TwoView:
        return verify_with_poses((images[pair[0]], images[pair[1]]), matches)

    return verify


def by_two_views(
    cameras: Cameras, keypoints: Mapping[str, Float64], config: GeometryConfig
) -> Verify:
    """Function that keeps the inliers of a two-view geometry estimated from the matches.

    Args:
        cameras: intrinsics of the images.
        keypoints: (N, 2) pixels of each image.
        config: thresholds.
    """
    by_id, id_of = cameras

    def verify(pair: Pair, matches: Matches) -> TwoView:
        first, second = pair
        both = by_id[id_of[first]], by_id[id_of[second]]
        return verify_without_poses(both, (keypoints[first], keypoints[second]), matches, config)

    return verify


def all_of_them(_pair: Pair, matches: Matches) -> TwoView:
    """All matches, unverified; with a configuration, without which COLMAP ignores a pair."""
    return TwoView(matches.indices, "CALIBRATED" if len(matches) else "DEGENERATE")


def with_scores_of(matches: Matches, min_score: float | None) -> Matches:
    """Matches whose score is at least ``min_score``; all of them for None."""
    if min_score is None:
        return matches
    kept = np.flatnonzero(matches.scores >= min_score)
    return Matches(matches.indices[kept], matches.scores[kept])
