"""A query between matching and pose."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hloc_lite.types import Camera, Int64, LocalFeatures, Matches, Photo, RetrievalHits


@dataclass(frozen=True, eq=False)
class MatchedQuery:
    """A photo, and what of the map it was matched with."""

    photo: Photo
    camera: Camera
    calibrated: bool
    """False: the focal length of ``camera`` is only a start."""
    features: LocalFeatures
    hits: RetrievalHits
    matched: Mapping[str, tuple[Matches, Int64]]
    """Of each retrieved image, in their order: (K, 2) indices of the query's keypoints, and
    into the (N,) map points that the image offers (``NO_POINT`` allowed)."""
    learned: bool = False
    """Some of the matches are a learned matcher's."""
    others: tuple[MatchedQuery, ...] = ()
    """The same for each further layer; their ``hits`` are those that the layer has."""

    @property
    def layers(self) -> tuple[MatchedQuery, ...]:
        """Of all layers, the first map's first."""
        return (self, *self.others)
