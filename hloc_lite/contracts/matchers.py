"""The contract of matchers of local features."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from hloc_lite.contracts.rules import Rules
from hloc_lite.contracts.synthetic import (
    first_features,
    nearby_features,
    random_features,
    shifted_features,
)
from hloc_lite.errors import HlocLiteError
from hloc_lite.protocols import Matcher
from hloc_lite.types import LocalFeatures, Matches

MIN_FOUND, MIN_RIGHT = 0.75, 0.99
"""Recall and precision between features and a slightly changed copy of them."""
MIN_COMMON = 0.97
"""Share of matches that swapped images or shifted keypoints keep: thresholds see rounding."""
MIN_COMMON_IN_BATCH = 0.9
"""Share of matches that a batch keeps: it may run until its last pair is settled."""
FEW = ((0, 0), (0, 5), (5, 0), (1, 1), (1, 2), (2, 1), (2, 200))
"""Numbers of keypoints of two images that must be no error."""
FeaturePair = tuple[LocalFeatures, LocalFeatures]


def check_matcher(
    matcher: Matcher, features: LocalFeatures | None = None, *, descriptor_dim: int = 128
) -> None:
    """Check that a matcher of local features keeps its contract.

    Args:
        matcher: ready for use.
        features: 100 or more of one image, descriptors distinct; by default 200 random ones.
        descriptor_dim: of the default features.

    Raises:
        ContractError: indices out of range or repeated; scores outside [0, 1]; a copy not found;
            results that depend on the order, the batch, the run or the pixel origin; failure on few
            keypoints; descriptors of different dimensions accepted.
    """
    rng = np.random.default_rng(3)
    features = random_features(rng, 200, descriptor_dim) if features is None else features
    order = rng.permutation(len(features))
    pair = features, nearby_features(rng, features, (4, -3), 0.01, order)
    arrays = [a for f in pair for a in (f.keypoints, f.descriptors, f.scores)]
    check = _MatcherRules(matcher)
    with check.inputs_unchanged(arrays):
        (found,) = check.match([pair], "features and a changed copy")
        right = order[found.indices[:, 1]] == found.indices[:, 0]
        check.require(
            right.sum() >= MIN_FOUND * len(order) and right.mean() > MIN_RIGHT,
            f"{MIN_FOUND:.0%} of {len(order)} features found in a changed copy",
            f"{right.sum()} right of {len(found)} matches",
            "Check it with features that it was made for",
        )
        (again,) = check.match([pair], "the same pair again")
        check.same([found.indices, found.scores], [again.indices, again.scores], "the same pair")
        for count0, count1 in FEW:
            few = first_features(pair[0], count0), first_features(pair[1], count1)
            check.match([few], f"{count0} and {count1} keypoints")
        check.match([], "no pairs")
        check.batch(rng, features)
        check.symmetry(rng, features)
        check.dimensions(pair)


class _MatcherRules(Rules[Matcher]):
    def match(self, pairs: Sequence[FeaturePair], what: str) -> list[Matches]:
        """Matches whose indices and scores are in range."""
        found = self.call_batch(self._model.match, what, pairs, Matches)
        for pair, matches in zip(pairs, found, strict=True):
            for image, idxs in zip(pair, matches.indices.T, strict=True):
                in_range = ((idxs >= 0) & (idxs < len(image))).all()
                once = len(np.unique(idxs)) == len(idxs)
                self.require(
                    in_range and once,
                    f"each of {len(image)} keypoints matched at most once for {what}",
                    "indices out of range" if once else "repeated indices",
                    "Leave out keypoints without a match, and keep the best match of each",
                )
            self.probabilities(matches.scores)
        return found

    def batch(self, rng: np.random.Generator, features: LocalFeatures) -> None:
        """Pairs that run together, of different sizes, give what they give alone."""
        images = [first_features(features, len(features) * n // 10) for n in (3, 4, 3, 0, 4, 3)]
        pairs = [
            (image, nearby_features(rng, image, (2, 2), 0.01, rng.permutation(len(image))))
            for image in images
        ]
        together = self.match(pairs, "several pairs")
        for pair, batched in zip(pairs, together, strict=True):
            (alone,) = self.match([pair], "one pair")
            self.common(
                alone.indices, batched.indices, MIN_COMMON_IN_BATCH, "several pairs run together"
            )

    def symmetry(self, rng: np.random.Generator, features: LocalFeatures) -> None:
        """Swapped images swap the columns; the origin of the pixel frame has no effect."""
        inner = features.keypoints * 0.9 + 0.05 * np.array(features.image_size)
        source = replace(features, keypoints=inner.astype(np.float32))
        target = nearby_features(rng, source, (5, 5), 0.05, rng.permutation(len(source)))
        (here,) = self.match([(source, target)], "a pair")
        (back,) = self.match([(target, source)], "a pair in the other order")
        self.common(here.indices, back.indices[:, ::-1], MIN_COMMON, "the images are swapped")
        shifted = shifted_features(source, 0.5), shifted_features(target, 0.5)
        (there,) = self.match([shifted], "keypoints moved by half a pixel")
        self.common(here.indices, there.indices, MIN_COMMON, "keypoints move by half a pixel")

    def dimensions(self, pair: FeaturePair) -> None:
        """Descriptors of different dimensions are refused by an error of this package."""
        first, second = pair
        shorter = replace(second, descriptors=second.descriptors[:, ::2])
        got = "matches"
        try:
            self._model.match([(first, shorter)])
        except HlocLiteError:
            return
        except Exception as error:
            got = f"{type(error).__name__}: {error}"
        self.require(
            False, "an HlocLiteError for descriptors of two dimensions", got, "Raise ShapeError"
        )
