"""Features and matches of hloc's files, as mapping takes them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hloc_lite.compat.hloc.inputs import pairs_in
from hloc_lite.errors import FormatError
from hloc_lite.formats.hloc.features import FeaturesFile
from hloc_lite.formats.hloc.matches import MatchesFile
from hloc_lite.mapping.given_matches import with_scores_of
from hloc_lite.mapping.pairs import Pair
from hloc_lite.types import Float64, Matches


@dataclass(frozen=True, eq=False)
class SfmInputs:
    """Keypoints of images, and where the matches of their pairs are."""

    keypoints: Mapping[str, Float64]
    """(N, 2) pixels of each image."""
    sizes: Mapping[str, tuple[int, int]]
    """(width, height) of each image that the file tells it of."""
    pairs: tuple[Pair, ...]
    matches_file: Path
    min_score: float | None = None

    def matches(self) -> Iterator[tuple[Pair, Matches]]:
        """Matches of each pair, read one by one.

        Raises:
            FormatError: a pair that the file lacks, or indices of other features.
        """
        with closing(MatchesFile(self.matches_file, self.keypoints)) as file:
            for pair in self.pairs:
                counts = len(self.keypoints[pair[0]]), len(self.keypoints[pair[1]])
                found = file.read(*pair, counts)
                if found is None:
                    raise FormatError(
                        f"{self.matches_file} has no matches of {pair}: run match_features on the "
                        f"same pairs"
                    )
                yield pair, with_scores_of(found, self.min_score)


def read_sfm_inputs(
    features: Path,
    matches: Path,
    pairs: Path,
    names: Collection[str],
    min_score: float | None = None,
) -> SfmInputs:
    """Read the keypoints of the named images, and the pairs among them.

    Args:
        features: file of features.
        matches: file of matches.
        pairs: list of pairs; those of other images are left out.
        names: images of the model.
        min_score: least score of a match; None for all.

    Raises:
        FormatError: an image without features, or a damaged file.
    """
    keypoints: dict[str, Float64] = {}
    sizes: dict[str, tuple[int, int]] = {}
    with closing(FeaturesFile(features)) as file:
        missing = sorted(set(names) - set(file))
        if missing:
            raise FormatError(
                f"{features} has no features of {len(missing)} images, first {missing[0]!r}: "
                f"extract them, or leave these images out (image_list)"
            )
        known = set(file)
        for name in sorted(names):
            stored = file[name]
            keypoints[name] = stored.keypoints.astype(np.float64)
            if stored.image_size is not None:
                sizes[name] = stored.image_size
    listed = pairs_in(pairs, known)
    wanted = tuple(p for p in listed if p[0] in keypoints and p[1] in keypoints and p[0] != p[1])
    return SfmInputs(keypoints, sizes, wanted, matches, min_score)
