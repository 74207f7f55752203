"""The contract of matchers of photos."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hloc_lite.contracts.rules import Rules
from hloc_lite.contracts.synthetic import cropped, textured_photo, uniform_photo
from hloc_lite.protocols import PairMatcher
from hloc_lite.types import PairMatches, Photo

MIN_MATCHES = 8
"""Matches that two photos of one scene must have."""
CROP_PX = (13, 7)
"""Columns and rows cut away: no multiples of a stride."""
MAX_MEDIAN_ERROR_PX = 2.0
BATCH_TOLERANCE = 0.1
"""Share by which the number of matches may change in a batch."""


def check_pair_matcher(matcher: PairMatcher, photos: tuple[Photo, Photo] | None = None) -> None:
    """Check that a matcher of photos keeps its contract.

    Args:
        matcher: ready for use.
        photos: two of one scene; by default coloured rectangles and a crop of them, which must be
            matched to 2 px (median).

    Raises:
        ContractError: wrong types, shapes or ranges; no or wrong matches; results that depend on
            the batch or the run; failure on tiny or uniform photos.
    """
    whole = textured_photo(0)
    pair = (whole, cropped(whole, *CROP_PX)) if photos is None else photos
    check = _PairMatcherRules(matcher)
    with check.inputs_unchanged([photo.pixels for photo in pair]):
        (found,) = check.match([pair], "photos of one scene")
        check.require(
            len(found) >= MIN_MATCHES,
            f"{MIN_MATCHES} matches or more between photos of one scene",
            len(found),
            "Lower its threshold, or check it with photos of your own",
        )
        if photos is None:
            errors = np.linalg.norm(found.keypoints0 - found.keypoints1 - CROP_PX, axis=1)
            check.require(
                np.median(errors) <= MAX_MEDIAN_ERROR_PX,
                f"matches with a crop within {MAX_MEDIAN_ERROR_PX} px (median)",
                f"{np.median(errors):.3g} px",
                "Return pixels of the original photos",
            )
        (again,) = check.match([pair], "the same photos again")
        check.same(_arrays(found), _arrays(again), "the same photos")
        check.match([], "no pairs")
        *_, batched = check.match([(pair[0], uniform_photo(0)), pair], "two pairs")
        check.require(
            abs(len(batched) - len(found)) <= BATCH_TOLERANCE * len(found),
            f"about {len(found)} matches in a batch as alone",
            len(batched),
            "Keep the order of the pairs, and no state between them",
        )
        for other in (uniform_photo(255), textured_photo(1, 1, 1), textured_photo(1, 20, 15)):
            what = f"{other.name!r} of {other.width} x {other.height} px"
            check.match([(pair[0], other), (other, pair[0])], what)


class _PairMatcherRules(Rules[PairMatcher]):
    def match(self, pairs: Sequence[tuple[Photo, Photo]], what: str) -> list[PairMatches]:
        """Matches whose keypoints and scores are in range."""
        found = self.call_batch(self._model.match_photos, what, pairs, PairMatches)
        for (first, second), matches in zip(pairs, found, strict=True):
            self.keypoints(matches.keypoints0, matches.image_size0, first)
            self.keypoints(matches.keypoints1, matches.image_size1, second)
            self.probabilities(matches.scores)
        return found


def _arrays(matches: PairMatches) -> list[np.ndarray]:
    return [matches.keypoints0, matches.keypoints1, matches.scores]
