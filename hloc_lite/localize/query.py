"""A query photo: read, described by local features, and matched with the images of a map."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from hloc_lite.clock import StageClock
from hloc_lite.config import Config, SemanticsConfig
from hloc_lite.consistency.labels import LabelWindows, label_windows
from hloc_lite.errors import HlocLiteError
from hloc_lite.geometry.cameras import (
    depends_on_turn,
    guess_camera,
    rescaled,
    same_size_turned,
)
from hloc_lite.geometry.distortion_check import check_distortion
from hloc_lite.geometry.plausible_intrinsics import check_given_camera
from hloc_lite.io.images import read_photo
from hloc_lite.localize.own_photos import hash_file
from hloc_lite.protocols import DepthModel, FeatureExtractor, Segmenter
from hloc_lite.types import (
    Camera,
    DepthMap,
    Int64,
    LabelMap,
    LocalFeatures,
    Matches,
    Photo,
    RetrievalHits,
)

logger = logging.getLogger(__name__)
T = TypeVar("T")
Image = Photo | npt.NDArray[np.uint8] | Path | str
"""Decoded photo, (H, W, 3) uint8 RGB pixels, or a file."""


@dataclass(frozen=True, eq=False)
class Predictions:
    """Predictions of the semantic and depth networks for a query; None where not in use."""

    windows: LabelWindows | None
    depth_map: DepthMap | None


@dataclass(frozen=True, eq=False)
class Query:
    """Photo to localize, with its local features and the predictions of networks."""

    photo: Photo
    camera: Camera
    calibrated: bool
    """False if the focal length of ``camera`` is only an initial value."""
    features: tuple[LocalFeatures, ...]
    """Features of the kind of each map, in the order of the maps."""
    predictions: Predictions
    quarter_turns: int = 0
    """Counter-clockwise quarter turns that make the photo upright. ``features`` were found in the
    turned photo, but are in the frame of the photo as it is."""


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
    overlaps: Sequence[tuple[str, str]] = ()
    """Pairs of these images that see the same place, besides those that share points."""


class NoKeypoints:
    """``FeatureExtractor`` of maps whose matcher finds the keypoints itself."""

    descriptor_dim = 0

    def extract(self, photos: Sequence[Photo]) -> list[LocalFeatures]:
        """Empty features of each photo."""
        none = np.zeros((0, 2), np.float32)
        sizes = [(photo.width, photo.height) for photo in photos]
        return [LocalFeatures(none, none[:, :0], none[:, 0], size) for size in sizes]


class PhotoPredictor:
    """Runs the semantic and depth networks in use on queries.

    Args:
        segmenter: None if labels are not in use.
        depth: None if depth is not in use.
    """

    def __init__(
        self, segmenter: Segmenter | None, depth: DepthModel | None, config: SemanticsConfig
    ) -> None:
        self._segmenter, self._depth, self._config = segmenter, depth, config

    def predict(self, photo: Photo) -> Predictions:
        """Predict the labels and the depth of a photo."""
        label_map = self.predict_labels(photo)
        windows = None if label_map is None else label_windows(label_map, self._config)
        depth_map = None
        if self._depth is not None:
            depth_map = _predict_one(self._depth.predict, photo, "depth")
        return Predictions(windows, depth_map)

    def predict_labels(self, photo: Photo) -> LabelMap | None:
        """Segment a photo; None if labels are not in use, or there are none for it."""
        if self._segmenter is None:
            return None
        return _predict_one(self._segmenter.segment, photo, "labels")


def name_of(image: Image) -> str:
    """Name of a photo or file; ``query`` for pixels."""
    if isinstance(image, Photo):
        return image.name
    return Path(image).name if isinstance(image, str | Path) else "query"


def name_in_map(image: Image, name: str | None) -> str | None:
    """Name or path by which a photo is looked up among those of the map; None for pixels.

    Args:
        name: name that the caller gave; None if none was given.
    """
    if isinstance(image, str | Path) and name is None:
        return str(Path(image).resolve())  # a file of the same name may be another photo
    return image.name if isinstance(image, Photo) and name is None else name


def read_query(image: Image, name: str, config: Config) -> Photo:
    """Decode a file, or wrap pixels; a photo is returned as it is.

    Args:
        name: name of the photo.

    Raises:
        ImageError: the file is missing, too large or no image.
        ShapeError: pixels of another shape or dtype.
    """
    if isinstance(image, Photo):
        return image
    if isinstance(image, str | Path):
        photo = read_photo(Path(image), name, config.images)
        return replace(photo, file_hash=hash_file(Path(image), config.images))
    return Photo(name, image)


def read_if_possible(image: Image, config: Config) -> Image:
    """Decoded photo; the image itself if it cannot be read, so that ``localize`` says why."""
    with suppress(HlocLiteError):
        image = read_query(image, name_of(image), config)
    return image


def query_camera(photo: Photo, camera: Camera | None, config: Config) -> Camera:
    """Intrinsics at the size of a photo.

    Args:
        camera: given intrinsics, of any resolution; None to take them from EXIF or estimate them.

    Raises:
        FormatError: no photo has the given intrinsics, or they are for another aspect ratio.
    """
    if camera is not None:
        size = photo.width, photo.height
        own = rescaled(check_distortion(check_given_camera(camera)), *size)
        if same_size_turned(photo.exif, size) and depends_on_turn(own):
            logger.warning(
                "%r was turned by EXIF: the given intrinsics are taken for the turned photo. If "
                "they are for the photo as stored, set images.exif_rotation=false",
                photo.name,
            )
        return own
    return guess_camera(config.mapping.camera_model, (photo.width, photo.height), photo.exif)


def with_matched_keypoints(query: Query, matches: Sequence[MapMatches]) -> Query:
    """Query with the features that its matches number: some matchers find them themselves."""
    return replace(query, features=tuple(each.features for each in matches))


def describe_query(
    photo: Photo,
    camera: Camera,
    extractors: Sequence[FeatureExtractor],
    predictor: PhotoPredictor,
    clock: StageClock,
    *,
    calibrated: bool,
) -> Query:
    """Extract the local features of a photo, and predict its labels and depth.

    Args:
        camera: intrinsics of the photo.
        extractors: one for each map.
        clock: receives the time of ``features`` and ``cues``.
        calibrated: False if the focal length of ``camera`` is only an initial value.
    """
    with clock("features"):
        features = tuple([extractor.extract([photo])[0] for extractor in extractors])
    predictions = Predictions(None, None)
    has_some = any(len(each) for each in features)
    if has_some or any(isinstance(each, NoKeypoints) for each in extractors):
        # without keypoints there would be nothing to weigh
        with clock("cues"):
            predictions = predictor.predict(photo)
    return Query(photo, camera, calibrated, features, predictions)


def _predict_one(
    predict: Callable[[Sequence[Photo]], Sequence[T | None]], photo: Photo, what: str
) -> T | None:
    """Prediction for one photo; if its file is broken, warn and localize without it."""
    try:
        return predict([photo])[0]
    except HlocLiteError as error:
        logger.warning("%r is localized without %s: %s", photo.name, what, error)
        return None
