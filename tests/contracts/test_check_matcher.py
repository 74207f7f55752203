"""check_matcher and check_pair_matcher refuse matchers that break one of their rules."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from hloc_lite.config import MatchingConfig
from hloc_lite.contracts import check_matcher, check_pair_matcher
from hloc_lite.errors import ContractError
from hloc_lite.matching.nearest import NearestMatcher
from hloc_lite.registry import Runtime
from hloc_lite.types import Matches, PairMatches, Photo
from tests.weights_stores import NoWeights


class ChangedMatcher:
    """Mutual nearest neighbours whose results are changed."""

    def __init__(self, change):
        self.nearest = NearestMatcher("mutual-nn", MatchingConfig(), Runtime(NoWeights()))
        self.change = change
        self.count = 0

    def match(self, pairs):
        self.count += 1
        return self.change(self, pairs, self.nearest.match(pairs))


def each_match(change):
    return lambda self, pairs, found: [
        Matches(*change(m.indices, m.scores)) if len(m) else m for m in found
    ]


def first_index_only(self, pairs, found):
    """Depends on the order of the images."""
    return [
        Matches(m.indices[keep], m.scores[keep])
        for m in found
        for keep in [m.indices[:, 0] % 10 > 0]
    ]


def in_absolute_pixels(self, pairs, found):
    """Depends on the origin of the pixel frame."""
    return [
        Matches(m.indices[keep], m.scores[keep])
        for (first, _), m in zip(pairs, found, strict=True)
        for keep in [first.keypoints[m.indices[:, 0], 0] % 1 < 0.8]
    ]


class AnyDimensions(ChangedMatcher):
    def match(self, pairs):
        dim = min((f.descriptors.shape[1] for pair in pairs for f in pair), default=0)
        cut = [
            tuple(replace(f, descriptors=f.descriptors[:, :dim]) for f in pair) for pair in pairs
        ]
        return self.nearest.match(cut)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda self, pairs, found: found * 2, "a list of 1 Matches"),
        (each_match(lambda idxs, scores: (idxs + 1000, scores)), "out of range"),
        (each_match(lambda idxs, scores: (idxs * 0, scores)), "repeated indices"),
        (each_match(lambda idxs, scores: (idxs, scores + 1)), r"scores in \[0, 1\]"),
        (each_match(lambda idxs, scores: (idxs[:9], scores[:9])), "75% of 200 features"),
        (each_match(lambda idxs, s: (np.stack([idxs[:, 0], idxs[::-1, 1]], 1), s)), "right of"),
        (lambda self, pairs, found: [mm(m, 250 - self.count) for m in found], "equal results"),
        (lambda self, pairs, found: found[::-1], "at most once for several pairs"),
        (first_index_only, "images are swapped"),
        (in_absolute_pixels, "half a pixel"),
    ],
)
def test_broken_matchers_are_refused(change, message):
    with pytest.raises(ContractError, match=f"ChangedMatcher: expected .*{message}"):
        check_matcher(ChangedMatcher(change))


def mm(matches: Matches, count: int) -> Matches:
    """The first matches, fewer with each call; at most 50 are cut away."""
    count = min(len(matches), max(count - 60, 150))
    return Matches(matches.indices[:count], matches.scores[:count])


def test_matchers_must_compare_dimensions():
    with pytest.raises(ContractError, match="two dimensions, got matches"):
        check_matcher(AnyDimensions(None))


class PhaseMatcher:
    """Matches a grid of points by the one translation between two photos."""

    def __init__(self, change=lambda matches: matches):
        self.change = change

    def match_photos(self, pairs):
        return [self.change(self.match(first, second)) for first, second in pairs]

    def match(self, first: Photo, second: Photo) -> PairMatches:
        width, height = min(first.width, second.width), min(first.height, second.height)
        a, b = (
            cv2.cvtColor(p.pixels[:height, :width], cv2.COLOR_RGB2GRAY).astype(np.float32)
            for p in (first, second)
        )
        shift, score = (0.0, 0.0), 0.0
        if min(width, height) > 32 and a.std() > 0 and b.std() > 0:
            shift, score = cv2.phaseCorrelate(a, b)
        x, y = np.meshgrid(np.arange(8, width, 16), np.arange(8, height, 16))
        points = np.stack([x.ravel(), y.ravel()], axis=1) + 0.5
        moved = points + np.array(shift)
        inside = ((moved >= 0) & (moved <= (second.width, second.height))).all(axis=1)
        inside &= score > 0.1
        return PairMatches(
            points[inside], moved[inside], np.full(inside.sum(), min(score, 1.0)),
            (first.width, first.height), (second.width, second.height),
        )  # fmt: skip


def test_pair_matchers_that_keep_the_contract_pass():
    check_pair_matcher(PhaseMatcher())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: None, "NoneType"),
        (lambda m: replace(m, scores=m.scores - 1), r"scores in \[0, 1\]"),
        (lambda m: replace(m, keypoints1=m.keypoints1 + 1000), "inside a photo"),
        (lambda m: replace(m, image_size1=(8, 8)), "image size"),
        (lambda m: replace(m, keypoints1=m.keypoints1 * 0.5), "within 2.0 px"),
        (
            lambda m: PairMatches(*np.zeros((2, 0, 2)), [], m.image_size0, m.image_size1),
            "8 matches",
        ),
    ],
)
def test_broken_pair_matchers_are_refused(change, message):
    with pytest.raises(ContractError, match=f"PhaseMatcher: expected .*{message}"):
        check_pair_matcher(PhaseMatcher(change))
