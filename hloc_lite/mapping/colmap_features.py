"""Features and verified matches of a COLMAP database for a map."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from hloc_lite.errors import ConfigError, FormatError
from hloc_lite.formats.colmap.database import ColmapDatabase
from hloc_lite.formats.colmap.database_values import DatabaseKeypoints
from hloc_lite.formats.hloc.local_features import unit_rows
from hloc_lite.io.pycolmap_adapter import TwoView
from hloc_lite.mapping.given_features import GivenFeatures
from hloc_lite.mapping.given_matches import Verify
from hloc_lite.mapping.pairs import Pair
from hloc_lite.mapping.two_pass_matching import VerifiedPairs
from hloc_lite.types import Float32, Float64, Int32, LocalFeatures, Matches

OF_COLMAP = {"SIFT": "rootsift", "ALIKED_N16ROT": "aliked-n16rot", "ALIKED_N32": "aliked-n32"}
"""COLMAP's types of features that this package has.

COLMAP's SIFT has the square roots of L1-normalized descriptors by default, which is RootSIFT. At
common keypoints of three photos its median similarity to that of OpenCV was 0.996.
"""
SIGMAS_IN_DIAMETER = 2
"""Keypoint diameter over COLMAP's scale of SIFT, 1.995 on the same photos."""
UNVERIFIED = "UNDEFINED"
"""Two-view configuration of matches that were put in without verification."""
WITHOUT_GEOMETRY = ("DEGENERATE", "WATERMARK")
"""Configurations whose matches say nothing about the cameras."""


class ColmapFeatures(GivenFeatures):
    """Features of the named images in a COLMAP database.

    Raises:
        FormatError: the database lacks the features of an image.
    """

    def __init__(self, database: ColmapDatabase, names: Sequence[str]) -> None:
        types = database.feature_types()
        super().__init__(names, [name for name in names if name not in types], str(database.path))
        self._database, self._types = database, types

    def keypoints(self, name: str) -> Float64:
        return self._keypoints(name).keypoints.astype(np.float64)

    def _keypoints(self, name: str) -> DatabaseKeypoints:
        found = self._database.keypoints(name)
        if found is None:
            raise FormatError(f"{self._database.path}: {name!r} has descriptors, but no keypoints")
        return found

    def _read(self, name: str) -> LocalFeatures:
        found, stored = self._keypoints(name), self._database.descriptors(name)
        where = f"{self._database.path}: {name!r}"
        if stored is None or len(stored) != len(found.keypoints):
            count = 0 if stored is None else len(stored)
            raise FormatError(f"{where} has {len(found.keypoints)} keypoints, {count} descriptors")
        descriptors = stored.astype(np.float32)
        if not np.isfinite(descriptors).all():
            raise FormatError(f"{where}: descriptors must be finite")
        camera = self._database.images.cameras[name]
        return LocalFeatures(
            keypoints=found.keypoints,
            descriptors=unit_rows(descriptors),
            scores=np.ones(len(descriptors), np.float32),  # databases have none
            image_size=(camera.width, camera.height),
            scales=self._diameters(name, found),
            orientations_rad=found.orientations_rad,
        )

    def _diameters(self, name: str, found: DatabaseKeypoints) -> Float32 | None:
        if found.scales is None or self._types[name] != "SIFT":
            return None
        return found.scales * np.float32(SIGMAS_IN_DIAMETER)


def features_of_database(database: ColmapDatabase) -> str:
    """Registry name of the features of a database.

    Raises:
        FormatError: none with descriptors, or of several types.
        ConfigError: of a type that this package cannot extract.
    """
    types = database.feature_types()
    kinds = sorted(set(types.values()))
    if not kinds:
        raise FormatError(
            f"{database.path} has no descriptors, by which queries are matched. Features that hloc "
            f"put there are in its .h5 file: see --from-hloc"
        )
    if len(kinds) > 1:
        raise FormatError(f"{database.path} has features of several types: {', '.join(kinds)}")
    if kinds[0] not in OF_COLMAP:
        raise ConfigError(
            f"{database.path} has features of type {kinds[0]}, which hloc_lite cannot extract from "
            f"queries (it can {', '.join(OF_COLMAP)}). Name a feature of an installed package that "
            f"is the same (--features), or omit --from-colmap: hloc_lite then extracts its own"
        )
    return OF_COLMAP[kinds[0]]


def verified_by_colmap(
    database: ColmapDatabase, names: Sequence[str], verify: Verify, *, posed: bool
) -> VerifiedPairs:
    """Matches of the database that COLMAP verified; others are verified here.

    Args:
        database: its two-view geometries, and its matches where there is none.
        names: images of the map; pairs with others are left out.
        verify: verifies matches.
        posed: True to check the matches that COLMAP verified, too: poses are known that it may not
            have had.
    """
    two_views: dict[Pair, TwoView] = {}
    num_matches: dict[Pair, int] = {}
    for pair, indices, kind in _pairs(database, frozenset(names)):
        if kind == UNVERIFIED or posed:
            scores = np.ones(len(indices), np.float32)
            two_views[pair] = verify(pair, Matches(indices, scores))
        else:
            two_views[pair] = TwoView(indices, kind)
        num_matches[pair] = len(indices)
    return VerifiedPairs(two_views, num_matches, {"colmap": len(two_views)})


def _pairs(database: ColmapDatabase, names: frozenset[str]) -> Iterator[tuple[Pair, Int32, str]]:
    """Pairs, their verified matches and two-view configuration; of unverified pairs all matches."""
    verified = dict.fromkeys(database.verified_pairs())
    for pair in {**verified, **dict.fromkeys(database.matched_pairs())}:
        if not names.issuperset(pair) or pair[0] == pair[1]:
            continue
        view = database.two_view(*pair) if pair in verified else None
        if view is None:
            matches = database.matches(*pair)
            if matches is not None and len(matches):
                yield pair, matches, UNVERIFIED
        elif len(view.inliers) and view.kind not in WITHOUT_GEOMETRY:
            # each camera is the only one of its rig in a map
            yield pair, view.inliers, view.kind.removesuffix("_RIG")
