"""A query between matching and pose."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hloc_lite.localize.lifting import Landmarks
from hloc_lite.types import Camera, LocalFeatures, Matches, Photo, RetrievalHits


@dataclass(frozen=True, eq=False)
class MatchedQuery:
    """A photo, and what of the map it was matched with."""

    photo: Photo
    camera: Camera
    calibrated: bool
    """False: the focal length of ``camera`` is only a start."""
    features: LocalFeatures
    hits: RetrievalHits
    matched: Mapping[str, tuple[Matches, Landmarks]]
    """Of each retrieved image, in their order; first the query's keypoints, then the image's."""
    others: tuple[MatchedQuery, ...] = ()
    """The same for each further layer; their ``hits`` are those that the layer has."""

    @property
    def layers(self) -> tuple[MatchedQuery, ...]:
        """Of all layers, the first map's first."""
        return (self, *self.others)
