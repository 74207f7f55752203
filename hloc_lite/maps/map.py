"""``Map``: the value that queries are localized in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from hloc_lite.config import Config
from hloc_lite.consistency.landmark_labels import LandmarkLabels
from hloc_lite.errors import DamagedMapError, FormatError, counted
from hloc_lite.io.image_sources import ImageSource
from hloc_lite.maps.folder import REMEDY
from hloc_lite.maps.georeference import Georeference
from hloc_lite.maps.landmark_descriptors import LandmarkDescriptors
from hloc_lite.maps.storage import read_map, write_map
from hloc_lite.scene import SfmModel
from hloc_lite.types import Float32, LocalFeatures


@dataclass(frozen=True, eq=False)
class Map:
    """SfM model with the features and global descriptors of its images."""

    model: SfmModel
    features: Mapping[str, LocalFeatures]
    """Features of each registered image; may be read from disk on access."""
    global_names: tuple[str, ...]
    """Registered images, in the order of ``global_descriptors``."""
    global_descriptors: Float32
    """(M, D) unit rows."""
    retrieval_state: Mapping[str, np.ndarray]
    """Arrays that the global descriptor learned from the map images (a vocabulary)."""
    config: Config
    """Config that the map was made with. Settings that only queries read have the defaults of this
    version, unless others were chosen when the map was made (``maps.config``)."""
    fingerprint: str
    weights: Mapping[str, str]
    """Name -> sha256 of the networks that the map was made with."""
    report: Mapping[str, Any] = field(default_factory=dict)
    """Counts and timings of mapping, and the outcome for each image."""
    landmark_labels: LandmarkLabels | None = None
    """Semantic labels of the points; None if the map was built without a segmenter."""
    landmark_descriptors: LandmarkDescriptors | None = None
    """Descriptors of the points; None if they must be computed from the features
    (``mean_descriptors``). Images of a compact map have no other features."""
    georeference: Georeference | None = None
    """Location on Earth; None if not georeferenced."""
    photos: ImageSource | None = None
    """Source of the map photos, where they are still at hand."""

    def __post_init__(self) -> None:
        missing = [i.name for i in self.model.images if i.name not in self.features]
        if missing:
            count = counted(len(missing), "image")
            raise FormatError(f"the map has no features of {count}: {missing[:3]}")
        labels, points = self.landmark_labels, (self.model.num_points,)
        if labels is not None and not labels.labels.shape == labels.shares.shape == points:
            raise FormatError(
                f"the map has {points[0]} points, but labels of shape {labels.labels.shape} and "
                f"shares of shape {labels.shares.shape}"
            )
        descriptors = self.landmark_descriptors
        if descriptors is not None and descriptors.num_landmarks != points[0]:
            raise FormatError(
                f"the map has {points[0]} points, but descriptors of {descriptors.num_landmarks}"
            )
        for image in self.model.images[:1]:
            expected, got = len(image.point3D_idxs), len(self.features[image.name])
            if expected != got:
                raise FormatError(
                    f"{image.name!r} has {expected} keypoints in the model, {got} in the features"
                )

    @classmethod
    def open(cls, path: Path | str) -> Map:
        """Open the full or compact map in a folder; features stay on disk until accessed.

        Raises:
            FormatError: no map there, an unfinished one, another schema, or a damaged file.
            StaleArtefactError: its georeference belongs to other poses.
        """
        parts = read_map(Path(path))
        try:
            return cls(**parts)
        except FormatError as error:  # each file is whole, but they do not belong together
            raise DamagedMapError(f"{error}: {REMEDY}") from None

    def save(self, path: Path | str) -> None:
        """Write the map into a folder; a map that is there is replaced once this one is complete.

        Raises:
            MappingError: the folder holds other files than a map.
            HlocLiteError: the folder cannot be written.
        """
        write_map(Path(path), self)


def in_memory(sfm_map: Map) -> Map:
    """Copy of a map with all features loaded, independent of its folder."""
    features = {image.name: sfm_map.features[image.name] for image in sfm_map.model.images}
    descriptors = sfm_map.landmark_descriptors
    if descriptors is not None:
        descriptors = replace(descriptors, values=np.array(descriptors.values[:]))
    return replace(sfm_map, features=features, landmark_descriptors=descriptors)
