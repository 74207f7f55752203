"""A query photo with its local features, and its matches with the images of a map."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hloc_lite.protocols import FeatureExtractor
from hloc_lite.types import Camera, Int64, LocalFeatures, Matches, Photo, RetrievalHits


@dataclass(frozen=True, eq=False)
class Query:
    """Photo to localize, with its local features."""

    photo: Photo
    camera: Camera
    calibrated: bool
    """False if the focal length of ``camera`` is only an initial value."""
    features: tuple[LocalFeatures, ...]
    """Features of the kind of each map, in the order of the maps."""


@dataclass(frozen=True, eq=False)
class ImageMatches:
    """Matches of a query with one map image."""

    matches: Matches
    """(K, 2) indices of the query's keypoints, and of the image's."""
    point3D_idxs: Int64
    """(N,) map point of each of the image's keypoints, ``NO_POINT`` where it has none."""


@dataclass(frozen=True, eq=False)
class MapMatches:
    """Matches of a query with the retrieved images of one map."""

    features: LocalFeatures
    """Features of the query, of the map's kind."""
    hits: RetrievalHits
    """Those retrieved images that the map has."""
    by_image: Mapping[str, ImageMatches]
    """Matches with each of these images, in their order; empty if there is nothing to match."""
    is_learned: bool
    """True if some of the matches come from a learned matcher."""


def extract_query(
    photo: Photo, camera: Camera, extractors: Sequence[FeatureExtractor], *, calibrated: bool
) -> Query:
    """Extract the local features of a photo.

    Args:
        camera: intrinsics of the photo.
        extractors: one for each map.
        calibrated: False if the focal length of ``camera`` is only an initial value.
    """
    features = tuple(extractor.extract([photo])[0] for extractor in extractors)
    return Query(photo, camera, calibrated, features)
